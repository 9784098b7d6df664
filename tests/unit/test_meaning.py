"""What a column is follows from its name and type by one convention; a model says the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from warehouse import catalogue, meaning


@pytest.mark.parametrize(
    ("name", "kind", "meta", "role"),
    [
        ("area_key", "bigint", {}, "key"),
        ("area_code", "text", {}, "key"),
        ("release_key", "text", {}, "provenance"),
        ("population_end_release_key", "bigint", {}, "provenance"),
        ("population_edition", "text", {}, "provenance"),
        ("source_row", "text", {}, "provenance"),
        ("area_name_kk", "text", {}, "label"),
        ("period_label", "text", {}, "label"),
        ("is_current", "boolean", {}, "flag"),
        ("persons", "bigint", {}, "measure"),  # without a unit, too: the test of all columns then asks for one
        ("ranked_countries", "integer", {"unit": "countries"}, "measure"),
        ("year", "integer", {}, "attribute"),
        ("latitude", "numeric(10,7)", {}, "attribute"),
        ("universe", "text", {}, "attribute"),
        ("persons", "bigint", {"role": "attribute"}, "attribute"),
    ],
)
def test_the_role_of_a_column(name: str, kind: str, meta: Mapping[str, Any], role: str) -> None:
    assert meaning.role_of(name, kind, meta) == role


@pytest.mark.parametrize(
    ("kind", "meta", "decimals"),
    [("numeric(12,4)", {}, 4), ("numeric(12,4)", {"decimals": 1}, 1), ("bigint", {}, 0), ("double precision", {}, None)],
)
def test_the_decimals_of_a_measure(kind: str, meta: Mapping[str, Any], decimals: int | None) -> None:
    assert meaning.decimals_of(kind, meta) == decimals


@pytest.mark.parametrize(
    ("remark", "grain"),
    [
        ("One row is one area. And more.", "One row is one area."),
        ("One row is one area", "One row is one area."),
        ("One row: a.b.", "One row: a.b."),
    ],
)
def test_the_grain_is_the_first_sentence(remark: str, grain: str) -> None:
    assert catalogue.grain(remark) == grain


def test_labels_are_sorted_and_whole() -> None:
    assert list(meaning.labels()) == sorted(meaning.labels())
    assert [name for name, label in meaning.labels().items() if not all(text.strip() == text and text for text in label.values())] == []
