"""What is declared is what an agency offers: a sample asks of it what its archive holds, and names what nobody declares."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from extractors import delivery
from extractors.archive import Archive, ArchiveError, Request
from extractors.delivery import client_of, deliver, unasked_files
from extractors.http import ReplayTransport
from extractors.iom.client import questions
from extractors.landing import Landed
from extractors.source import Source, load_source
from reporting import summary
from reporting.run_log import RunLog
from sample.answer import store
from tests.state import read
from warehouse.profile import BUNDLED_ARCHIVE, Profile

INCIDENT = (
    b'[{"web_id":"1","region":"Central Asia","reported_date":"2019-03-01","number_dead":"1","number_missing":"0",'
    b'"total_dead_and_missing":"1","number_of_survivors":"","number_of_female":"","number_of_male":"1","number_of_children":"",'
    b'"country_of_incident":"Kazakhstan","location_coodinates":"43, 77","source_quality":"4"}]'
)
Declare = Callable[..., Source]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declares another request for a dataset than source.yml does."""

    def change(code: str, name: str, **request: Any) -> Source:
        source = load_source(code)
        dataset = source.dataset(name)
        changed = dataset.model_copy(update={"request": {**dataset.request, **request}})
        declared = source.model_copy(update={"datasets": {**source.datasets, name: changed}})
        monkeypatch.setattr(delivery, "load_source", lambda _: declared)
        return declared

    return change


@pytest.fixture
def bundled(profile: Profile, tmp_path: Path) -> Profile:
    """An empty warehouse of the sample."""
    return dataclasses.replace(profile, archive=str(BUNDLED_ARCHIVE), overlay=str(tmp_path / "overlay"))


def more(code: str, dataset: str) -> dict[str, Any]:
    """A list of questions longer by one, which is the first of them."""
    request = load_source(code).dataset(dataset).request
    if "editions" in request:
        return {"editions": {"2028": {"published": "2026-01-01", "file": "2028.xlsx"}, **request["editions"]}}
    name = "years" if "years" in request else "indicators"
    return {name: [{"years": "2016", "indicators": "26419"}[name], *request[name]]}


LISTS = [
    ("iom", "missing_migrants"),
    ("bns", "internal_by_region"),
    ("uis", "students_from_kazakhstan"),
    ("uis", "students_to_kazakhstan"),
    ("undesa", "stock_by_destination_and_origin"),
]


@pytest.mark.parametrize(("code", "dataset"), LISTS)
def test_what_is_declared_besides_does_not_change_what_a_sample_is_asked(code: str, dataset: str, declare: Declare) -> None:
    archive, before = Archive(str(BUNDLED_ARCHIVE)), load_source(code)
    after = declare(code, dataset, **more(code, dataset))
    for folder in archive.deliveries(code, dataset):
        transports = [ReplayTransport(archive, code, dataset, folder) for _ in range(2)]
        asked = [client_of(code, source.dataset(dataset)).fetch(source, source.dataset(dataset), transport)
                 for source, transport in zip((before, after), transports, strict=True)]  # fmt: skip
        assert asked[0] == asked[1] != []
        transports[1].check()


@pytest.mark.parametrize(("code", "dataset"), LISTS)
def test_a_sample_takes_the_same_whatever_is_declared_besides(bundled: Profile, code: str, dataset: str, declare: Declare) -> None:
    declare(code, dataset, **more(code, dataset))
    results = list(deliver(bundled, code, dataset))
    assert results
    assert [result.unreadable for result in results] == [""] * len(results)
    assert all(result.landed and result.rows for result in results)
    slices = {name for (name,) in read(bundled, "select slice from meta.release where rows_landed > 0")}
    assert slices == {"iom": {"2018"}, "bns": {"2022", "2023"}}.get(code, {"whole"})
    # and what has landed is known, when the list is what it was
    declare(code, dataset)
    assert all(result.known for result in deliver(bundled, code, dataset))


def incidents(profile: Profile, delivered: str, *years: str) -> None:
    """A delivery with one incident a year."""
    source = load_source("iom")
    dataset = source.dataset("missing_migrants").model_copy(update={"request": {"years": years}})
    for number, request in enumerate(questions(source, dataset).values(), 1):
        store(
            Archive(profile.archive), source, "missing_migrants", request, INCIDENT,
            delivered=delivered, content_type="application/json", note="synthetic: made for a test", number=number,
        )  # fmt: skip


def test_an_answer_that_nobody_declares_is_named_and_the_other_deliveries_are_taken(profile: Profile, declare: Declare) -> None:
    declare("iom", "missing_migrants", years=["2019"])
    incidents(profile, "2026-01-01T00:00:00+00:00", "2018", "2019")
    incidents(profile, "2026-02-01T00:00:00+00:00", "2019")
    results: list[Landed] = []
    with pytest.raises(ArchiveError, match=r"delivery 20260101T.*nobody declares.*/2018/json\..*extractors/iom/source\.yml") as raised:
        results.extend(deliver(profile, "iom", "missing_migrants"))
    assert "/2019/json" not in str(raised.value)
    assert [name for (name,) in read(profile, "select distinct manifest from meta.snapshot")] == [
        f"manifests/iom/missing_migrants/20260201T000000+0000/001_{question('2019').fingerprint}.json"
    ]


def question(year: str) -> Request:
    return Request("GET", f"{load_source('iom').base_urls['missing_migrants']}/global-figures/{year}/json")


def test_what_has_landed_stays_when_it_is_no_longer_declared(profile: Profile, declare: Declare) -> None:
    declare("iom", "missing_migrants", years=["2018", "2019"])
    incidents(profile, "2026-01-01T00:00:00+00:00", "2018", "2019")
    assert [result.landed for result in deliver(profile, "iom", "missing_migrants")] == [2]
    before = read(profile, "select * from meta.release order by 1")
    declare("iom", "missing_migrants", years=["2019"])
    assert [result.landed for result in deliver(profile, "iom", "missing_migrants")] in ([], [0])
    assert read(profile, "select * from meta.release order by 1") == before


def test_an_archive_without_a_declared_answer_says_what_to_do(profile: Profile, declare: Declare) -> None:
    incidents(profile, "2026-01-01T00:00:00+00:00", "2018")
    declare("iom", "missing_migrants", years=["2025"])
    with pytest.raises(
        ArchiveError, match=r"no answer to .*2025 \(GET .*/2025/json\); it holds: GET .*/2018/json.*pipeline.py record iom .*LIVE=1"
    ):
        list(deliver(profile, "iom", "missing_migrants"))


def test_a_file_in_the_drop_in_folder_that_nothing_asks_for_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = load_source("undesa")
    assert unasked_files(source) == []
    for name in ("undesa_pd_2020_ims_stock_by_sex_and_destination.xlsx", "undesa_pd_2024_ims_stock_by_sex_and_destination.xlsx", "x.pdf"):
        (tmp_path / name).write_bytes(b"PK")
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path))
    older, other = (str(tmp_path / name) for name in ("undesa_pd_2020_ims_stock_by_sex_and_destination.xlsx", "x.pdf"))
    assert unasked_files(source) == [older, other]
    live, log = Profile("live", "", "", tmp_path, ""), RunLog()
    monkeypatch.setattr(summary, "_facts", lambda _: {})
    console = Console(file=io.StringIO(), width=80)
    summary.show(console, log, summary.figures(live, log), [])
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"nothing asks for  {older}: if it is" in said and other in said and "2024" not in said
    assert summary.figures(dataclasses.replace(live, name="sample"), log)["files nothing asks for"] == [], "a sample asks nobody"
    # no question of these agencies is for a file: nothing in their folders is ever asked for
    for code in ("bns", "iom", "uis"):
        monkeypatch.setenv(f"KOSHI_DROPIN_{code.upper()}", str(tmp_path))
        assert len(unasked_files(load_source(code))) == 3
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path / "nowhere"))
    assert unasked_files(source) == []
