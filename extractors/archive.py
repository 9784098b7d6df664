"""The write-once store of what the agencies answered: bytes named by their sha256, and a manifest for each answer.

    snapshots/<first two digits>/<sha256>                                the exact bytes
    manifests/<source>/<dataset>/<delivery>/<number>_<request>.json      what was asked, when, under which licence

A *delivery* is one retrieval of a dataset, named by the instant in which it began; its snapshots belong together.
A sample's archive has two folders: it reads the bundled one as well, and writes into the overlay of its state alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import fsspec

from extractors.source import Capture
from warehouse import durable
from warehouse.durable import UNFINISHED
from warehouse.keys import content_key
from warehouse.profile import Profile

SHOWN_CHARACTERS = 300
RESTORE = "restore the archive from a backup (make restore, docs/operations.md)"


class ArchiveError(RuntimeError):
    """The archive is damaged, or lacks what it was asked for."""


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
        text = json.dumps([self.method, self.path, sorted(self.params), sorted(self.form)], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def path(self) -> str:
        """The address without its host."""
        return self.url.split("://", 1)[-1].partition("/")[2]

    @property
    def shown(self) -> str:
        """The question in words, for a message."""
        return " ".join([self.method, self.url, *(f"{name}={value}" for name, value in (*self.params, *self.form))])[:SHOWN_CHARACTERS]

    def is_among(self, declared: Iterable[Request]) -> bool:
        """Whether the declared questions at this address ask for all that this one asks for, by the same parameters.

        A list is cut into questions in one way today and in another after a code was added to it: an answer about three
        indicators is one to a declaration of four, and never one to a declaration of two.
        """
        alike = [other for other in declared if other._form_of_question == self._form_of_question]
        asked = {pair for other in alike for pair in (*other.params, *other.form)}
        return bool(alike) and asked.issuperset((*self.params, *self.form))

    @property
    def _form_of_question(self) -> tuple[object, ...]:
        return self.method, self.path, {name for name, _ in self.params}, {name for name, _ in self.form}


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

    @property
    def body_path(self) -> str:
        """Where its bytes lie in the archive."""
        return f"snapshots/{self.sha256[:2]}/{self.sha256}"

    @property
    def recorded(self) -> dict[str, Any]:
        """What the journal and `meta.snapshot` say of it."""
        return {
            "snapshot_key": self.key,
            "source": self.source,
            "dataset": self.dataset,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "manifest": self.manifest,
            "method": self.request.method,
            "url": self.request.url,
            "request": {name: [list(pair) for pair in getattr(self.request, name)] for name in ("params", "form")},
            "retrieved_at": self.retrieved_at,
            "status": self.status,
            "content_type": self.content_type,
            "capture": self.capture,
            "licence": self.licence,
            "attribution": self.attribution,
            "note": self.note,
            "edition": self.edition,
        }

    def refuse_other(self, recorded: Sequence[Mapping[str, Any]]) -> None:
        """Raises `ArchiveError` if none of what was recorded of the manifest when it landed is what it says now; nothing recorded is fine.

        Earlier versions recorded less: what they left out is not compared.
        """
        mine, edited = self.recorded, list[str]()
        for words in recorded:
            edited = [name for name, value in mine.items() if words.get(name) is not None and _instant(words[name]) != _instant(value)]
            if not edited:
                return
        if edited:
            edited = [name for name in edited if name != "snapshot_key"] or edited  # it is made of the others
            said = "; ".join(f"{name} is {mine[name]!r}, recorded was {recorded[-1][name]!r}" for name in edited)
            raise ArchiveError(f"{self.source}.{self.dataset}: the manifest {self.manifest} was edited: {said}: {RESTORE}")


def _instant(value: object) -> object:
    """An instant as such, however it is written; anything else as it is."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


class Archive:
    """A folder or any fsspec URL, and those below it, which are read and never written. Nothing is ever changed or removed."""

    def __init__(self, url: str, *below: str) -> None:
        self._layers = [(fs, root.rstrip("/")) for fs, root in map(fsspec.core.url_to_fs, (url, *below))]
        self.fs, self.root = self._layers[0]
        self.where = " over ".join(root for _, root in self._layers)

    def write(self, snapshot: Snapshot, body: bytes, number: int) -> Snapshot:
        """Stores the bytes, then the manifest; returns the snapshot with its manifest's path. Repeating it changes nothing."""
        self._write_body(snapshot, body)
        path, content = self._manifest(snapshot, number)
        self.keep(path, content)
        return replace(snapshot, manifest=path)

    def write_delivery(self, answers: Sequence[tuple[Snapshot, bytes]]) -> list[Snapshot]:
        """Stores all answers of a new delivery, in this order, or none: what a kill in the middle leaves is ignored."""
        for snapshot, body in answers:
            self._write_body(snapshot, body)
        manifests = [self._manifest(snapshot, number) for number, (snapshot, _) in enumerate(answers, 1)]
        folder = manifests[0][0].rpartition("/")[0]
        durable.put_folder(self.fs, f"{self.root}/{folder}", {path.rpartition("/")[2]: content for path, content in manifests})
        return [replace(snapshot, manifest=path) for (snapshot, _), (path, _) in zip(answers, manifests, strict=True)]

    def body(self, snapshot: Snapshot) -> bytes:
        """The exact bytes. Raises `ArchiveError` if they are missing or no longer those of the manifest."""
        path = snapshot.body_path
        try:
            found = self.read(path)
        except FileNotFoundError:
            raise ArchiveError(f"{self.where}: the bytes of {snapshot.manifest} are missing ({path}): {RESTORE}") from None
        if hashlib.sha256(found).hexdigest() != snapshot.sha256:
            raise ArchiveError(f"{self.where}: the bytes of {snapshot.manifest} are damaged: {path} is not of that sha256: {RESTORE}")
        return found

    def deliveries(self, source: str, dataset: str) -> list[str]:
        """The folders of a dataset's deliveries, in order of retrieval."""
        return [name for name in self._names(f"manifests/{source}/{dataset}") if not name.endswith(UNFINISHED)]

    def holdings(self) -> dict[str, list[str]]:
        """The deliveries of every dataset (`source.dataset`) that the archive holds."""
        names = [(source, dataset) for source in self._names("manifests") for dataset in self._names(f"manifests/{source}")]
        return {f"{source}.{dataset}": self.deliveries(source, dataset) for source, dataset in names}

    def manifests(self) -> list[str]:
        """The paths of all manifests, of every delivery that was written to its end."""
        held = [(*name.split("."), delivery) for name, deliveries in self.holdings().items() for delivery in deliveries]
        return [path for source, dataset, delivery in held for path in self.manifests_of(source, dataset, delivery)]

    def manifests_of(self, source: str, dataset: str, delivery: str) -> list[str]:
        """The paths of the manifests of one delivery, in the order in which its answers were asked for."""
        folder = f"manifests/{source}/{dataset}/{delivery}"
        return [f"{folder}/{name}" for name in self._names(folder) if name.endswith(".json")]

    def snapshots(self, source: str, dataset: str, delivery: str) -> list[Snapshot]:
        """The snapshots of one delivery, in the order in which they were asked for."""
        return [self.read_manifest(path) for path in self.manifests_of(source, dataset, delivery)]

    def read_manifest(self, path: str) -> Snapshot:
        """The snapshot that a manifest describes. Raises `ArchiveError` if it is missing, or is none."""
        try:
            content: dict[str, Any] = json.loads(self.read(path))
            request = content.pop("request")
            pairs = {key: tuple((str(k), str(v)) for k, v in request[key]) for key in ("params", "form")}
            return Snapshot(**content, request=Request(request["method"], request["url"], **pairs), manifest=path)
        except FileNotFoundError:
            raise ArchiveError(f"{self.where}: the manifest {path} is missing: {RESTORE}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ArchiveError(f"{self.where}: the manifest {path} is damaged: {error}: {RESTORE}") from error

    def _names(self, folder: str) -> list[str]:
        """What lies in the folder of any layer, sorted."""
        found: set[str] = set()
        for fs, root in self._layers:
            try:
                found.update(path.rsplit("/", 1)[-1] for path in fs.ls(f"{root}/{folder}", detail=False))
            except FileNotFoundError:
                continue
        return sorted(found)

    def read(self, path: str) -> bytes:
        """The content of the path in the first layer that has it. Raises `FileNotFoundError`."""
        for fs, root in self._layers:
            if fs.exists(f"{root}/{path}"):
                content: bytes = fs.cat_file(f"{root}/{path}")
                return content
        raise FileNotFoundError(f"{self.root}/{path}")

    @staticmethod
    def _manifest(snapshot: Snapshot, number: int) -> tuple[str, bytes]:
        """Path and content of the manifest of the delivery's answer of that number."""
        folder = snapshot.delivery.replace(":", "").replace("-", "")
        path = f"manifests/{snapshot.source}/{snapshot.dataset}/{folder}/{number:03d}_{snapshot.request.fingerprint}.json"
        content = {key: value for key, value in asdict(snapshot).items() if key != "manifest"}
        return path, json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"

    def _write_body(self, snapshot: Snapshot, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != snapshot.sha256:
            raise ArchiveError(f"{snapshot.source}.{snapshot.dataset}: the bytes are not those of sha256 {snapshot.sha256}")
        self.keep(snapshot.body_path, body)

    def keep(self, path: str, content: bytes) -> bool:
        """Writes a file of the archive; False if it is there already. Raises `ArchiveError` if that says something else."""
        target = f"{self.root}/{path}"
        try:
            if self.read(path) != content:
                raise ArchiveError(f"{target} exists with other content, and the archive is write-once: it is damaged: {RESTORE}")
        except FileNotFoundError:
            durable.put(self.fs, target, content)
            return True
        if self.fs.exists(target):
            durable.sync(self.fs, target)
        return False


def archive_of(profile: Profile) -> Archive:
    """The archive that the profile reads and writes: a sample with an overlay writes that alone, over what it was given."""
    return Archive(profile.overlay, profile.archive) if profile.overlay else Archive(profile.archive)
