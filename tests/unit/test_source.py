"""source.yml is read as typed objects, and a mistake in it is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from extractors.landing import as_declared, declaration_of
from extractors.source import SourceError, load_source, source_codes

GOOD = """
name: {kk: a, ru: b, en: c}
base_urls: {api: https://agency.example}
licence: L
terms_url: https://agency.example/terms
attribution: A
datasets:
  d:
    title: {kk: a, ru: b, en: c}
    shape: some_table
    slices: delivered whole
    redistribution: open
    request: {}
"""


def _write(folder: Path, text: str) -> None:
    (folder / "agency").mkdir()
    (folder / "agency" / "source.yml").write_text(text)


def test_every_declared_source_loads() -> None:
    assert "bns" in source_codes()
    for code in source_codes():
        assert load_source(code).datasets


def test_an_unknown_field_is_named_with_its_file(tmp_path: Path) -> None:
    _write(tmp_path, GOOD + "    colour: red\n")
    with pytest.raises(SourceError, match=r"(?s)source\.yml.*datasets\.d\.colour"):
        load_source("agency", tmp_path)


def test_a_missing_language_is_named(tmp_path: Path) -> None:
    _write(tmp_path, GOOD.replace("name: {kk: a, ru: b, en: c}", "name: {ru: b, en: c}"))
    with pytest.raises(SourceError, match=r"name\.kk"):
        load_source("agency", tmp_path)


@pytest.mark.parametrize("written", ["", "    redistribution: free\n"])
def test_a_dataset_says_how_far_its_figures_may_be_handed_on(tmp_path: Path, written: str) -> None:
    _write(tmp_path, GOOD.replace("    redistribution: open\n", written))
    with pytest.raises(SourceError, match=r"(?s)agency/source\.yml.*datasets\.d\.redistribution"):
        load_source("agency", tmp_path)


def test_how_far_figures_may_be_handed_on_is_not_kept_with_a_delivery(tmp_path: Path) -> None:
    _write(tmp_path, GOOD)
    source = load_source("agency", tmp_path)
    kept = declaration_of(source.dataset("d"))
    assert kept == {"shape": "some_table", "request": {}}
    assert as_declared(source.model_copy(update={"datasets": {}}), "d", kept).redistribution == "unknown"
    assert as_declared(source, "d", kept).redistribution == "open"


def test_a_dataset_may_say_when_it_is_published_next(tmp_path: Path) -> None:
    _write(tmp_path, GOOD + "    next_release: 2027-03-15\n")
    assert load_source("agency", tmp_path).dataset("d").next_release == date(2027, 3, 15)
    (tmp_path / "agency" / "source.yml").write_text(GOOD + "    next_release: in spring\n")
    load_source.cache_clear()
    with pytest.raises(SourceError, match=r"(?s)agency/source\.yml.*datasets\.d\.next_release"):
        load_source("agency", tmp_path)


def test_the_terms_of_a_source_bind_its_datasets() -> None:
    for code in source_codes():
        if "-SA" in load_source(code).licence:
            assert {dataset.redistribution for dataset in load_source(code).datasets.values()} == {"share-alike"}, code


def test_an_unknown_dataset_names_those_there_are(tmp_path: Path) -> None:
    _write(tmp_path, GOOD)
    with pytest.raises(SourceError, match="declared are: d"):
        load_source("agency", tmp_path).dataset("e")


@pytest.mark.parametrize("other", ["nowhere", "d"])
def test_a_dataset_waits_for_one_that_is_there_and_does_not_wait_itself(tmp_path: Path, other: str) -> None:
    _write(tmp_path, GOOD + f"    after: {other}\n")
    with pytest.raises(SourceError, match=r"datasets\.d\.after"):
        load_source("agency", tmp_path)
