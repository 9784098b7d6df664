"""One reconstructed answer into the archive."""

from __future__ import annotations

import hashlib
import io
import zipfile

from openpyxl import Workbook

from extractors.archive import Archive, Request, Snapshot
from extractors.source import Capture, Source
from warehouse.profile import BUNDLED_ARCHIVE

# Any fixed instant: the bytes of a workbook must not depend on when it was written.
EPOCH = (1980, 1, 1, 0, 0, 0)


def store(
    archive: Archive,
    source: Source,
    dataset: str,
    request: Request,
    body: bytes,
    *,
    delivered: str,
    content_type: str,
    note: str,
    number: int = 1,
    capture: Capture = "reconstructed",
) -> None:
    """Stores `body` as the answer to `request` in the delivery of the instant `delivered` (UTC, ISO 8601).

    `note` says which copy the figures were taken from; `delivered` is when that copy was taken from the agency.
    """
    snapshot = Snapshot(
        source=source.code,
        dataset=dataset,
        delivery=delivered,
        request=request,
        sha256=hashlib.sha256(body).hexdigest(),
        size_bytes=len(body),
        retrieved_at=delivered,
        status=200,
        content_type=content_type,
        capture=capture,
        licence=f"{source.licence} ({source.terms_url})",
        attribution=source.attribution,
        note=note,
    )
    archive.write(snapshot, body, number)


def shipped(source: str, dataset: str, delivered: str) -> list[Request]:
    """The questions that the bundled archive has answers to in that delivery: they stay what they are, whatever is declared today."""
    bundled, folder = Archive(str(BUNDLED_ARCHIVE)), delivered.replace(":", "").replace("-", "")
    return [snapshot.request for snapshot in bundled.snapshots(source, dataset, folder)]


def workbook_bytes(book: Workbook, modified: str | None) -> bytes:
    """The workbook as bytes that depend on its content alone; `modified` (ISO instant) is what it says of itself, None for nothing."""
    raw = io.BytesIO()
    book.save(raw)
    out = io.BytesIO()
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            content = _core_properties(modified) if name == "docProps/core.xml" else old.read(name)
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, content)
    return out.getvalue()


def _core_properties(modified: str | None) -> bytes:
    stamp = f'<dcterms:modified xsi:type="dcterms:W3CDTF">{modified}</dcterms:modified>' if modified else ""
    return (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
        ' xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"{stamp}</cp:coreProperties>"
    ).encode()
