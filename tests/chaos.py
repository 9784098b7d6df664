"""Random kills of real runs under a reader who never stops reading.

make chaos SEED=1 N=10        plays N histories: cold or incremental runs of `pipeline.py run`, each with faults at random moments

The faults: the whole tree of processes is killed, or the run at a named step (there a task dies); a backend or the postmaster is killed,
or both with the tree; the server is stopped under the run; the disk is full; the clock is years ahead or days behind. After each the run is
simply run again. Nobody edits a file, and at the end what readers see, `core` and `raw` equal a run that nothing happened to.

What may differ, and is not compared: instants of loading; the ledger (`meta`, `quality`), for a killed run leaves attempts, and where
a kill falls decides how many publications there are.

One seed plays the same faults each time; the moment of one is a share of what a run takes on the machine.

All the while a reader asks for everything in `bi` in one transaction. Each answer must be one of the publications, whole.
Errors are allowed where the server is away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from tests import small
from tests.servers import remove_server
from tests.state import state
from warehouse import server
from warehouse.profile import ROOT, Profile, load
from warehouse.steps import STEPS

RUN_SECONDS = 1800.0  # far from what a run takes, also beside other work
POLL_SECONDS = 0.2
TMPFS_MB = 1500
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
CLOCKS = ("+3650d", "-3d")
KINDS = ("tree", "tree", "step", "step", "backend", "backend", "postmaster", "tree and postmaster", "stop", "disk", "clock")
COMPARED = ("bi.", "raw.", "core_")
Seen = frozenset[tuple[str, str]]


class BrokenHistoryError(RuntimeError):
    """A history did not end as it had to; the message says how."""


def checksum(connection: psycopg.Connection[tuple[object, ...]], relation: sql.Composable) -> str:
    """Of all rows of a relation, in any order."""
    query = sql.SQL("select md5(coalesce(string_agg(t::text, chr(10) order by t::text), '')) from {} as t").format(relation)
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else ""


def whole(connection: psycopg.Connection[tuple[object, ...]]) -> Seen:
    """All that `bi` has at one moment: of each relation a checksum; empty where there is nothing, or where it changed under the look."""
    names = connection.execute(  # the catalogue says when a publication was shown here, and a replay shows it again
        "select table_name from information_schema.tables where table_schema = 'bi' and table_name <> 'catalogue' order by 1"
    ).fetchall()
    connection.rollback()
    relations = [sql.Identifier("bi", str(name)) for (name,) in names]
    if not relations:
        return frozenset()
    try:
        # the names are of the moment before; whoever comes second sees the new ones
        connection.execute(sql.SQL("lock table {} in access share mode").format(sql.SQL(", ").join(relations)))
    except psycopg.errors.UndefinedTable:
        return frozenset()
    return frozenset((str(name), checksum(connection, relation)) for (name,), relation in zip(names, relations, strict=True))


class Reader(threading.Thread):
    """A BI tool with a saved connection: it reads everything in one transaction, again and again."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.polls, self.errors, self.turn = url, 0, 0, False
        self.seen: dict[Seen, float] = {}
        self.wrong: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Reads until it is ended."""
        while not self.ended.wait(POLL_SECONDS):
            try:
                self._read()
            except psycopg.OperationalError:  # the server is away, or we were cut off
                self.errors += 1
            except psycopg.Error as error:
                self.wrong.append(f"{type(error).__name__}: {error}".strip())

    def _read(self) -> None:
        with psycopg.connect(self.url, connect_timeout=5) as connection:
            self.turn = not self.turn
            level = psycopg.IsolationLevel.REPEATABLE_READ if self.turn else psycopg.IsolationLevel.READ_COMMITTED
            connection.isolation_level = level
            if seen := whole(connection):
                self.polls += 1
                self.seen.setdefault(seen, time.time())


@dataclass
class Warehouse:
    """A state folder with a server of its own, on a disk that can be full, in which history follows history."""

    folder: Path
    has_disk: bool
    number: int = 0
    seconds: float = 40.0  # what a run takes

    def environment(self, profile: Profile, more: dict[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "KOSHI", "DBT"))}
        return kept | {
            "KOSHI_EXPORT": "0", "KOSHI_STATE": str(self.folder / "state"), "KOSHI_ARCHIVE": profile.archive,
            "KOSHI_JOURNAL": profile.journal,
            "KOSHI_DATABASE": profile.database, "PYTHONPATH": str(ROOT), **more,
        }  # fmt: skip

    def new(self) -> Profile:
        """An empty warehouse: archive, journal and database of its own."""
        self.number += 1
        place = self.folder / "state" / f"history_{self.number}"
        os.environ |= {"KOSHI_STATE": str(self.folder / "state"), "KOSHI_DATABASE": f"history_{self.number}",
                       "KOSHI_ARCHIVE": str(place / "archive"), "KOSHI_JOURNAL": str(place / "journal")}  # fmt: skip
        return load("sample")

    def command(self, profile: Profile, *words: str) -> subprocess.CompletedProcess[str]:
        """What the command line says."""
        return subprocess.run(
            [sys.executable, "pipeline.py", *words], cwd=ROOT, env=self.environment(profile, {}), capture_output=True, text=True,
            timeout=RUN_SECONDS, check=False,
        )  # fmt: skip

    def begin(self, profile: Profile, more: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """A run, in a session of its own, its output in a file."""
        log = (self.folder / "run.out").open("w")
        return subprocess.Popen(
            [sys.executable, "pipeline.py", "run"], cwd=ROOT, env=self.environment(profile, more or {}), stdout=log, stderr=log,
            text=True, start_new_session=True,
        )  # fmt: skip

    def end(self, run: subprocess.Popen[str]) -> int:
        """Waits for a run; one that does not end is a fault of the product."""
        try:
            return run.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            kill_tree(run)
            raise BrokenHistoryError(f"a run did not end in {RUN_SECONDS:.0f} s\n{self.said()}") from None

    def said(self) -> str:
        """The end of what the last run printed."""
        return "\n".join((self.folder / "run.out").read_text(errors="replace").splitlines()[-12:])

    def told(self) -> dict[str, object]:
        """run.json of the last run."""
        found: dict[str, object] = json.loads((self.folder / "state" / "sample" / "run.json").read_text("utf-8"))
        return found


def postmaster() -> psutil.Process | None:
    """The server's first process, by its own file."""
    with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess, ValueError, IndexError):
        saved = json.loads((Path(os.environ["KOSHI_STATE"]) / "server" / "server.json").read_text())
        return psutil.Process(int((Path(saved["data"]) / "postmaster.pid").read_text().splitlines()[0]))
    return None


def kill_tree(run: subprocess.Popen[str]) -> None:
    """The run and whatever it started and did not let go of."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    run.wait(60)


class History:
    """One history: deliveries, and runs that faults happen to."""

    def __init__(self, warehouse: Warehouse, seed: int) -> None:
        self.warehouse, self.chance = warehouse, random.Random(seed)  # noqa: S311 - a test's dice
        self.profile = warehouse.new()
        self.log: list[str] = []
        self.is_cold = self.chance.random() < 0.5
        self.legal: set[Seen] = set()

    def play(self, references: dict[bool, dict[str, str]], *, is_quiet: bool = False) -> tuple[Reader, dict[str, str]]:
        """Plays it to its end; returns the reader, and checksums of what is there. With `is_quiet` no fault happens."""
        url = self.warehouse.command(self.profile, "url").stdout.strip()
        reader = Reader(url)
        reader.start()
        try:
            for number in range(1 if self.is_cold else 3):
                for delivery in range(3) if self.is_cold else (number,):
                    deliver(self.profile, delivery)
                for _ in range(0 if is_quiet else self.chance.randint(1, 4 if self.is_cold else 2)):
                    self._fault()
                    self._note()
                self._run()
                self._note()
            time.sleep(2 * POLL_SECONDS)
        finally:
            reader.ended.set()
            reader.join(60)
        return reader, self._judge(reader, url, references)

    def _run(self) -> None:
        run = self.warehouse.begin(self.profile)
        begun = time.monotonic()
        code = self.warehouse.end(run)
        told = self.warehouse.told()
        if told.get("settled") not in ("published", "nothing new"):
            raise BrokenHistoryError(f"a run that nothing happened to ended {code}: {told.get('sentence')}\n{self.warehouse.said()}")
        self.log.append(f"run ({time.monotonic() - begun:.0f} s)")

    def _note(self) -> None:
        """What readers must see of what was published by now, if they see that."""
        with psycopg.connect(server.start().dsn(self.profile.database)) as connection:
            self.legal.add(whole(connection))

    def _fault(self) -> None:
        kind = self.chance.choice(KINDS)
        if (kind == "disk" and not self.warehouse.has_disk) or (kind == "clock" and not FAKETIME.exists()):
            kind = "tree"
        after = self.chance.uniform(0.0, 1.0) ** 0.7 * self.warehouse.seconds  # more often late: the first seconds are Airflow's
        if kind == "step":
            place = self.chance.choice(STEPS) + self.chance.choice(("", ":end"))
            self.warehouse.end(self.warehouse.begin(self.profile, {"KOSHI_KILL_AT": place}))
            self.log.append(f"killed at {place}")
        elif kind == "clock":
            shift = self.chance.choice(CLOCKS)
            fake = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            self.warehouse.end(self.warehouse.begin(self.profile, fake))
            self.log.append(f"clock {shift}")
        else:
            self._fault_at(kind, after)

    def _fault_at(self, kind: str, after: float) -> None:
        which = self.chance.random()  # thrown whatever comes: the same seed plays the same faults, however fast the machine is
        run = self.warehouse.begin(self.profile)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(after)
        self.log.append(f"{kind} at {after:.1f} s" + ("" if run.poll() is None else " (the run was over)"))
        if kind in ("tree", "tree and postmaster"):
            kill_tree(run)
        if kind in ("postmaster", "tree and postmaster") and (first := postmaster()):
            first.send_signal(signal.SIGKILL)
        if kind == "backend" and (first := postmaster()):
            backends = [process for process in first.children() if " 127.0.0.1(" in " ".join(process.cmdline())]
            if backends:
                sorted(backends, key=lambda process: process.pid)[int(which * len(backends))].send_signal(signal.SIGKILL)
        if kind == "stop":
            self.warehouse.command(self.profile, "stop")
        with full_disk(self.warehouse, self.chance) if kind == "disk" else contextlib.nullcontext():
            self.warehouse.end(run)

    def _judge(self, reader: Reader, url: str, references: dict[bool, dict[str, str]]) -> dict[str, str]:
        rows = state(self.profile)
        found = {name: hashlib.sha256(repr(rows[name]).encode()).hexdigest() for name in rows if name.startswith(COMPARED)}
        if reader.wrong:
            raise BrokenHistoryError(f"a reader met {len(reader.wrong)} errors of another kind: {reader.wrong[0]}")
        if strange := [seen for seen in reader.seen if seen not in self.legal]:
            raise BrokenHistoryError(f"a reader saw {len(strange)} states that are no whole publication: {self._nearest(strange[0])}")
        if (now := self.warehouse.command(self.profile, "url").stdout.strip()) != url:
            raise BrokenHistoryError("the address of the reader changed: saved connections are lost" + f" (port {now.rpartition(':')[2]})")
        if expected := references.get(self.is_cold):
            differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            if differing:
                raise BrokenHistoryError(f"another warehouse than a clean run's: {', '.join(differing)}")
        return found

    def _nearest(self, strange: Seen) -> str:
        least = min((strange ^ legal for legal in self.legal), key=len, default=strange)
        return ", ".join(sorted({name for name, _ in least}))[:300]


@contextlib.contextmanager
def full_disk(warehouse: Warehouse, chance: random.Random) -> Iterator[None]:
    """Inside, the disk that holds the state, the server's data included, has next to nothing left."""
    filler = warehouse.folder / "state" / "filler"
    with filler.open("wb") as file:
        left = shutil.disk_usage(filler.parent).free - chance.randint(0, 4_000_000)
        with contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(left, 1))
    try:
        yield
    finally:
        filler.unlink()


def deliver(profile: Profile, number: int) -> None:
    """Three deliveries: everything; a revised year of arrivals, and departures in another order; another year of both."""
    if number == 0:
        small.fill(profile)
    elif number == 1:
        small.put(profile, "external_arrivals", small.tree(small.arrivals() | {2020: 1021}), "2026-03-01")
        small.put(profile, "external_departures", small.tree(dict(reversed(small.departures().items()))), "2026-03-01")
    else:
        years = range(2018, 2023)
        small.put(profile, "external_arrivals", small.tree(small.arrivals(years) | {2020: 1021}), "2026-04-01")
        small.put(profile, "external_departures", small.tree(small.departures(years)), "2026-04-01")


@contextlib.contextmanager
def own_disk() -> Iterator[Warehouse]:
    """A state folder on a disk of its own where we may make one (Linux, root); else, loudly, without one."""
    folder = Path(tempfile.mkdtemp(prefix="koshi-chaos-"))
    folder.chmod(0o755)  # the account that runs the server for root must come in, or its data lie elsewhere
    disk = folder / "state"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    is_mounted = bool(
        mount and os.geteuid() == 0
        and subprocess.run([mount, "-t", "tmpfs", "-o", f"size={TMPFS_MB}m,mode=755", "tmpfs", str(disk)], check=False).returncode == 0
    )  # fmt: skip
    if not is_mounted:
        print("NOT PLAYED: a full disk (it needs root and tmpfs); the whole tree is killed in its place", flush=True)
    if not FAKETIME.exists():
        print("NOT PLAYED: a wrong clock (the system package `faketime`); the whole tree is killed in its place", flush=True)
    try:
        yield Warehouse(folder, is_mounted)
    finally:
        with contextlib.suppress(Exception):
            server.stop()
        if first := postmaster():
            first.send_signal(signal.SIGKILL)
            first.wait(30)
        remove_server(disk)
        if is_mounted and umount:
            subprocess.run([umount, "--lazy", str(disk)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Tally:
    """What came of the histories so far."""

    played: int = 0
    equal: int = 0
    polls: int = 0
    failed: list[int] = field(default_factory=list)
    seconds: float = 40.0


def _reference(warehouse: Warehouse, *, is_cold: bool) -> dict[str, str]:
    history = History(warehouse, 0)
    history.is_cold = is_cold
    begun = time.monotonic()
    _, found = history.play({}, is_quiet=True)
    warehouse.seconds = (time.monotonic() - begun) / (1 if is_cold else 3)
    print(f"clean {'cold' if is_cold else 'incremental'}: {', '.join(history.log)}; {len(found)} relations", flush=True)
    return found


def _play(warehouse: Warehouse, seed: int, references: dict[bool, dict[str, str]], tally: Tally) -> bool:
    history = History(warehouse, seed)
    if history.is_cold not in references:
        references[history.is_cold] = _reference(warehouse, is_cold=history.is_cold)
        history, tally.seconds = History(warehouse, seed), warehouse.seconds
    tally.played += 1
    try:
        reader, _ = history.play(references)
    except (RuntimeError, psycopg.Error, subprocess.TimeoutExpired) as error:
        tally.failed.append(seed)
        ended = f"FAILED: {type(error).__name__}: {error}"
    else:
        tally.equal += 1
        tally.polls += reader.polls
        ended = f"equal; {reader.polls} polls saw {len(reader.seen)} publications, {reader.errors} found no server"
    print(f"history {seed}, {'cold' if history.is_cold else 'incremental'}: {', '.join(history.log)}: {ended}", flush=True)
    return seed not in tally.failed


def main() -> int:
    """Plays `N` histories from `SEED` on, one line each; what failed is 1, else 0."""
    first, count = int(os.environ.get("SEED") or 1), int(os.environ.get("N") or 10)
    tally, seeds = Tally(), list(range(first, first + count))
    references: dict[bool, dict[str, str]] = {}
    while seeds:
        with own_disk() as warehouse:  # after a failure, another one: histories do not inherit each other's faults
            warehouse.seconds = tally.seconds
            while seeds and _play(warehouse, seeds.pop(0), references, tally):
                pass
    print(f"{tally.equal} of {tally.played} ended equal to a clean run; {tally.polls} polls saw whole publications only", flush=True)
    if tally.failed:
        print(f"failed: {', '.join(f'SEED={seed} N=1' for seed in tally.failed)}", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
