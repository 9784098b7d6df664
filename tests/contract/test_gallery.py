"""The site for readers beside the rest: what changed with a publication, and a failure that is named and stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from reporting import gallery, site
from reporting.gallery import build, meaning
from tests import small
from warehouse import steps
from warehouse.connection import connect
from warehouse.profile import Profile


@pytest.mark.slow
def test_what_changed_with_the_last_publication(settled: Profile) -> None:
    with connect(settled) as connection:
        first = meaning.read(connection)
    assert (first.number, first.before, first.changes) == (1, None, ())
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2020: 1021}), "2026-03-01")
    _, end = small.run(settled)
    assert end.outcome == "published"
    with connect(settled) as connection:
        found = meaning.read(connection)
    assert (found.number, found.before) == (2, 1)
    assert [(change.dataset, len(change.came), len(change.gone)) for change in found.changes] == [("bns.external_arrivals", 1, 1)]


def test_a_site_that_cannot_be_made_is_named_and_stops_nothing(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Profile, folder: Path) -> None:
        (folder / "kk").mkdir(parents=True)
        raise ValueError("no such chart")

    monkeypatch.delenv("KOSHI_EXPORT")
    monkeypatch.setattr(build, "build", broken)
    steps.notes()
    site._for_readers(bare, tmp_path)
    assert steps.notes() == ["the site in three languages was not made: no such chart"]
    assert not list(tmp_path.iterdir())


def test_a_run_that_wants_none_makes_none(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_EXPORT", "0")
    site._for_readers(bare, tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.delenv("KOSHI_EXPORT")
    monkeypatch.setattr(gallery, "DRAWS", "no_such_library")
    assert "make serve" in gallery.unwanted()


def test_before_the_first_publication_the_pages_say_so(bare: Profile, tmp_path: Path) -> None:
    build.build(bare, tmp_path)
    assert "Пока ничего не опубликовано" in (tmp_path / "ru" / "index.html").read_text(encoding="utf-8")
