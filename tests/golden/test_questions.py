"""The sample questions work when pasted, and the default views count nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from expectations.intake import Intake
from reporting.summary import QUERY
from tests.golden.conftest import Reader
from warehouse.profile import ROOT, Profile

QUESTIONS = sorted((ROOT / "reporting" / "questions").glob("*.sql"))


@pytest.mark.parametrize("file", QUESTIONS, ids=lambda file: file.stem)
def test_a_sample_question_has_an_answer(published: Reader, file: Path) -> None:
    assert published.execute(file.read_text()).fetchall()


def test_the_query_at_the_end_of_a_run_works_when_pasted(published: Reader) -> None:
    # the edition of 2026-04-30 has the population of 1 January 2026, so that the last year has a rate, too
    rows = published.execute(QUERY).fetchall()
    assert [row[0] for row in rows] == [2020, 2021, 2022, 2023, 2024, 2025]
    assert [row[4] is None for row in rows] == [False] * 6


def test_every_mart_says_where_its_rows_come_from(published: Reader) -> None:
    marts = published.execute("select table_name from information_schema.tables where table_schema = 'bi' and table_name like '%\\_all'")
    for (mart,) in marts.fetchall():
        missing = published.execute(f"select count(*) from bi.{mart} where capture is null or licence is null or attribution is null")
        assert missing.fetchone() == (0,), mart


def test_the_corrupt_matrix_is_rejected_by_rules_that_know_no_year(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    rejected = [(name, verdict) for name, intake in bundled[1].items() for verdict in intake.rejected]
    assert [(name, verdict.slice) for name, verdict in rejected] == [("bns.internal_matrix", "2022")]
    assert "at most 10 pairs of regions have one number in both directions" in " ".join(rejected[0][1].reasons)
