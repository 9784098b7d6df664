"""The write-once store of what the agencies answered: bytes named by their sha256, and a manifest for each answer.

    snapshots/<first two digits>/<sha256>                                the exact bytes
    manifests/<source>/<dataset>/<delivery>/<number>_<request>.json      what was asked, when, under which licence

A *delivery* is one retrieval of a dataset, named by the instant in which it began; its snapshots belong together.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import fsspec

from extractors.source import Capture
from warehouse.keys import content_key
from warehouse.profile import Profile


class ArchiveError(RuntimeError):
    """The archive is damaged, or asked for something that it does not hold."""


@dataclass(frozen=True)
class Request:
    """One question to an agency. Secrets are never part of it: they travel in headers that the session adds."""

    method: str
    url: str
    params: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of the request's content; the base address does not count, so a mirror answers too."""
        path = self.url.split("://", 1)[-1].partition("/")[2]
        text = json.dumps([self.method, path, sorted(self.params), sorted(self.form)], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Snapshot:
    """One answer: where its bytes lie, and all that must be known to trust and to cite them."""

    source: str
    dataset: str
    delivery: str
    request: Request
    sha256: str
    size_bytes: int
    retrieved_at: str
    status: int
    content_type: str
    capture: Capture
    licence: str
    attribution: str
    note: str = ""
    edition: str = ""
    manifest: str = field(default="", compare=False)

    @property
    def key(self) -> int:
        """The snapshot's key in the warehouse."""
        return content_key("snapshot", self.source, self.dataset, self.delivery, self.request.fingerprint, self.sha256)


class Archive:
    """A folder or any fsspec URL. Nothing in it is ever changed or removed."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.root = self.root.rstrip("/")

    def write(self, snapshot: Snapshot, body: bytes, number: int) -> Snapshot:
        """Stores the bytes, then the manifest; returns the snapshot with its manifest's path. Repeating it changes nothing."""
        if hashlib.sha256(body).hexdigest() != snapshot.sha256:
            raise ArchiveError(f"{snapshot.source}.{snapshot.dataset}: the bytes are not those of sha256 {snapshot.sha256}")
        self._once(self._body_path(snapshot.sha256), body)
        folder = snapshot.delivery.replace(":", "").replace("-", "")
        path = f"manifests/{snapshot.source}/{snapshot.dataset}/{folder}/{number:03d}_{snapshot.request.fingerprint}.json"
        content = {key: value for key, value in asdict(snapshot).items() if key != "manifest"}
        self._once(path, json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n")
        return Snapshot(**{**asdict(snapshot), "request": snapshot.request, "manifest": path})

    def body(self, snapshot: Snapshot) -> bytes:
        """The exact bytes. Raises `ArchiveError` if they are missing or no longer those of the manifest."""
        path = self._body_path(snapshot.sha256)
        try:
            found: bytes = self.fs.cat_file(f"{self.root}/{path}")
        except FileNotFoundError:
            raise ArchiveError(f"{self.root}: the bytes of {snapshot.manifest} are missing ({path}): restore the archive") from None
        if hashlib.sha256(found).hexdigest() != snapshot.sha256:
            raise ArchiveError(f"{self.root}/{path} is damaged: its sha256 is not its name; restore the archive")
        return found

    def deliveries(self, source: str, dataset: str) -> list[str]:
        """The folders of a dataset's deliveries, in order of retrieval."""
        folder = f"{self.root}/manifests/{source}/{dataset}"
        return sorted(path.rsplit("/", 1)[-1] for path in self._ls(folder))

    def snapshots(self, source: str, dataset: str, delivery: str) -> list[Snapshot]:
        """The snapshots of one delivery, in the order in which they were asked for."""
        folder = f"manifests/{source}/{dataset}/{delivery}"
        names = sorted(path.rsplit("/", 1)[-1] for path in self._ls(f"{self.root}/{folder}"))
        return [self.read_manifest(f"{folder}/{name}") for name in names if name.endswith(".json")]

    def read_manifest(self, path: str) -> Snapshot:
        """The snapshot that a manifest describes."""
        content: dict[str, Any] = json.loads(self.fs.cat_file(f"{self.root}/{path}"))
        request = content.pop("request")
        pairs = {key: tuple((str(k), str(v)) for k, v in request[key]) for key in ("params", "form")}
        return Snapshot(**content, request=Request(request["method"], request["url"], **pairs), manifest=path)

    def _ls(self, folder: str) -> list[str]:
        try:
            return list(self.fs.ls(folder, detail=False))
        except FileNotFoundError:
            return []

    @staticmethod
    def _body_path(sha256: str) -> str:
        return f"snapshots/{sha256[:2]}/{sha256}"

    def _once(self, path: str, content: bytes) -> None:
        target = f"{self.root}/{path}"
        if self.fs.exists(target):
            if self.fs.cat_file(target) != content:
                raise ArchiveError(f"{target} exists with other content: the archive is write-once")
            return
        self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        # a kill in the middle leaves only a part file, which nobody reads
        self.fs.pipe_file(f"{target}.part", content)
        self.fs.mv(f"{target}.part", target)


def archive_of(profile: Profile) -> Archive:
    """The archive that the profile reads and writes."""
    return Archive(profile.archive)
