"""The bundled archive only grows: what a landed version shipped is what journals out there rest on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from extractors.archive import Archive
from extractors.source import load_source, source_codes
from sample.reconstruct import generators
from warehouse.profile import BUNDLED_ARCHIVE

ARCHIVE = Archive(str(BUNDLED_ARCHIVE))
# path in the archive → sha256 of every manifest that was shipped; lines are added, none is changed
SHIPPED = dict(line.split() for line in (Path(__file__).parent / "shipped_manifests.txt").read_text("utf-8").splitlines())


@pytest.mark.parametrize("path", SHIPPED)
def test_a_shipped_manifest_and_its_bytes_stay(path: str) -> None:
    assert hashlib.sha256((BUNDLED_ARCHIVE / path).read_bytes()).hexdigest() == SHIPPED[path]
    assert ARCHIVE.body(ARCHIVE.read_manifest(path))


def test_every_bundled_answer_is_listed_as_shipped() -> None:
    found = [
        snapshot.manifest
        for code in source_codes()
        for dataset in load_source(code).datasets
        for delivery in ARCHIVE.deliveries(code, dataset)
        for snapshot in ARCHIVE.snapshots(code, dataset, delivery)
    ]
    # a source of which nothing was shipped is new: its lines come with the version that ships it
    known = {path.split("/")[1] for path in SHIPPED}
    assert sorted(path for path in found if path.split("/")[1] in known) == sorted(SHIPPED)


def test_each_source_has_the_generator_that_wrote_its_answers() -> None:
    written = {
        found.source for found in map(ARCHIVE.read_manifest, ARCHIVE.manifests()) if found.capture in ("reconstructed", "transcribed")
    }
    assert written == {module.__name__.rpartition(".")[2] for module in generators()}


def test_an_answer_that_was_derived_is_credited_as_adapted() -> None:
    """Staging tells derived figures by this mark, so every such answer must carry it, and no other."""
    manifests = [ARCHIVE.read_manifest(path) for path in SHIPPED]
    derived = {found.manifest for found in manifests if found.note.startswith("derived")}
    assert derived
    assert derived == {found.manifest for found in manifests if found.attribution.startswith("Adapted from:")}
