"""Random histories of a warehouse: deliveries good and bad, kills, rollbacks, decisions, code that changes; after each deed the laws.

make histories SEED=1 N=10        plays N whole histories, each with real answers, dbt and Great Expectations
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

from expectations.settle import settle
from extractors.replay import catch_up
from tests import small
from tests.state import read, state
from tests.worlds import World, below
from warehouse import candidate, ledger, publication, steps
from warehouse.connection import connect, shared_sessions
from warehouse.journal import Journal
from warehouse.profile import Profile

# values from here on break the one rule of a world
LIMIT = 1_000
PERSON = ("a test", "a history")


class KilledError(BaseException):
    """The process dies here: nothing that was not committed or written is left."""


@contextmanager
def killed_at(place: str) -> Iterator[None]:
    """Inside, coming to the place (a step, or its end) is death; the history goes on with the next deed."""
    before = steps._die_if_asked

    def die(here: str) -> None:
        if here == place:
            raise KilledError(place)

    vars(steps)["_die_if_asked"] = die
    try:
        yield
    except KilledError:
        pass
    finally:
        vars(steps)["_die_if_asked"] = before


class LedgerHistory:
    """A history at the level of ledger, candidate, blame and views: releases are entries, a publication is one table."""

    places = ("candidate", "hold", "hold:end", "publish", "publish.journal", "publish.journal:end", "publish.commit", "prune")

    def __init__(self, profile: Profile, seed: int) -> None:
        self.profile, self.chance, self.world = profile, random.Random(seed), World(profile)  # noqa: S311 - a test's dice
        self.log: list[str] = [f"seed {seed}"]
        self.code = 0
        self.had: set[str] = set()
        self.forgiven: set[int] = set()
        self.world.rule("small", below(LIMIT))

    @shared_sessions()
    def play(self, deeds: int) -> None:
        """Plays that many deeds and a last run, and looks at the laws after each. Raises `AssertionError` with the history."""
        for _ in range(deeds):
            deed = self.chance.choice((self.deliver, self.deliver, self.deliver, self.run, self.run, self.kill, self.person, self.new_code))
            self._do(deed)
        self._do(self.unpin)
        self._do(self.run)
        self._replay()

    def _do(self, deed: Callable[[], None]) -> None:
        deed()
        try:
            self.laws()
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.log)) from error

    def deliver(self) -> None:
        """A release of one of three datasets: newer, older or again of an edition that is known; now and then a bad one."""
        dataset, edition = self.chance.choice("abc"), str(self.chance.randint(1, 9))
        value = self.chance.choice((LIMIT + self.chance.randint(0, 9), *(self.chance.randint(1, 99) for _ in range(3))))
        rank = f"{edition}/{len(self.log):04d}"
        self.world.deliver(dataset, rank, value, self.chance.choice(("x", "y")), edition)
        self.log.append(f"deliver {dataset} {rank} {value}")

    def run(self) -> None:
        """Settles what has been accepted."""
        end = settle(self.profile, self.world)
        self.log.append(f"run: {end.outcome} {end.number}, held {end.held}")

    def kill(self) -> None:
        """A run that dies somewhere."""
        place = self.chance.choice(self.places)
        with killed_at(place):
            settle(self.profile, self.world)
        self.log.append(f"killed at {place}")

    def unpin(self) -> None:
        """Ends a pin, if there is one."""
        catch_up(self.profile)
        with connect(self.profile) as connection:
            is_pinned = ledger.pinned(connection)
        if is_pinned:
            publication.decide(self.profile, "unpin", *PERSON)
            self.log.append("unpin")

    def person(self) -> None:
        """Somebody rolls back, unpins, or decides of a release."""
        catch_up(self.profile)
        kept = publication.status(self.profile)["kept"]
        releases = read(self.profile, "select release_key, source, dataset, slice from meta.release order by release_key")
        kind = self.chance.choice(("roll back", "unpin", "withdraw", "hold", "accept"))
        if kind == "roll back" and kept:
            number, key, *_ = self.chance.choice(kept)
            publication.roll_back(self.profile, key, *PERSON)
            self.log.append(f"roll back to {number}")
        elif kind == "unpin":
            self.unpin()
        elif kind in ("withdraw", "hold", "accept") and releases:
            key, _, dataset, name = self.chance.choice(releases)
            publication.decide(self.profile, kind, *PERSON, int(str(key)))
            self.log.append(f"{kind} {key} ({dataset}/{name})")
            if kind == "accept":
                self.forgiven.add(int(str(key)))

    def new_code(self) -> None:
        """The code changes: every candidate is another."""
        self.code += 1
        vars(candidate)["code_fingerprint"] = lambda code=self.code: f"{code:012d}"
        self.log.append(f"code {self.code}")

    def laws(self) -> None:
        """Readers see one whole publication, nothing that has not passed, and no slice goes away that has a good release."""
        if "killed" in self.log[-1]:
            catch_up(self.profile)
        with connect(self.profile) as connection:

            def ask(query: str) -> list[tuple[object, ...]]:
                return connection.execute(query).fetchall()

            if not ask("select 1 from meta.publication where is_current"):
                return
            seen = ask("select dataset || '/' || slice, release_key from bi.figures")
            recorded = ask("select release_key from meta.publication_release join meta.publication as p using (publication_key)"
                           " where p.is_current and meta.publication_release.is_current")  # fmt: skip
            good = ask("select dataset || '/' || slice from meta.release where state in ('published', 'superseded', 'accepted')")
            is_pinned = ledger.pinned(connection)
        shown = {int(str(key)) for _, key in seen}
        assert shown == {int(str(key)) for (key,) in recorded}, "readers see a publication as it was recorded"
        bad = {key for key in shown if self.world.values[key] >= LIMIT} - self.forgiven
        assert not bad, f"readers see what has not passed: {bad}"
        if not is_pinned and self.log[-1].startswith("run: "):
            slices = {str(name) for name, _ in seen}
            lost = self.had & {str(name) for (name,) in good} - slices
            assert not lost, f"a slice that has a good release went away: {lost}"
            self.had |= slices

    def _replay(self) -> None:
        """The journal alone makes the ledger again."""
        before = _ledger(self.profile)
        with connect(self.profile) as connection:
            _truncate(connection)
            for entry in Journal(self.profile.journal).entries():
                ledger.apply(connection, entry)
        after = _ledger(self.profile)
        for name in before:
            assert after[name] == before[name], "\n".join([f"a replay gives another {name}", *self.log])


def _ledger(profile: Profile) -> dict[str, list[tuple[object, ...]]]:
    return {name: rows for name, rows in state(profile).items() if name.startswith(("meta.", "quality.")) and "candidate" not in name}


def _truncate(connection: object) -> None:
    names = (
        "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables"
        " where schemaname in ('raw', 'meta', 'quality') and tablename <> 'schema_version'"
    )
    found = connection.execute(names).fetchone()  # type: ignore[attr-defined]
    connection.execute(f"truncate {found[0]} cascade")  # type: ignore[attr-defined]


class WholeHistory:
    """A history with answers in the bureau's own shape, from archive to readers.

    It begins where one good small delivery of everything is published, as all of them would after their first run.
    """

    def __init__(self, profile: Profile, seed: int) -> None:
        self.profile, self.chance = profile, random.Random(seed)  # noqa: S311 - a test's dice
        self.log: list[str] = [f"seed {seed}"]
        self.month, self.good = 2, {year: {value} for year, value in small.arrivals().items()}

    def play(self, deeds: int) -> None:
        """That many deeds with a run after each, and a replay."""
        for _ in range(deeds):
            deed = self.chance.choice((self.revise, self.revise, self.spoil, self.add_year, self.reorder, self.roll_back, self.withdraw))
            deed()
            self._run(self.chance.choice(("", "", *steps.STEPS)))
        self._unpin()
        self._run()
        self._replay()

    def _put(self, dataset: str, body: bytes, what: str) -> None:
        self.month += 1
        small.put(self.profile, dataset, body, f"20{26 + self.month // 12}-{1 + self.month % 12:02d}-01")
        self.log.append(f"{dataset}: {what}")

    def revise(self) -> None:
        """A figure is revised: the last word of the agency."""
        year, value = self.chance.choice((2018, 2019, 2020)), self.chance.randint(1001, 1090)
        figures = small.arrivals() | {year: value}
        for at, figure in figures.items():
            self.good[at].add(figure)
        self._put("external_arrivals", small.tree(figures), f"{value} in {year}")

    def spoil(self) -> None:
        """An answer that no gate may let pass."""
        kind = self.chance.choice(("letter", "half", "empty", "page", "unit"))
        figures = small.arrivals() | {2020: 6666}
        whole = small.tree(figures, **({"measureName": "Тысяч человек"} if kind == "unit" else {}))
        bodies = {"half": whole[:60], "empty": b"", "page": b"<html></html>", "letter": small.tree(figures | {2020: "6o66"})}
        self._put("external_arrivals", bodies.get(kind, whole), f"spoilt: {kind}")

    def add_year(self) -> None:
        """A year that departures do not have: it waits for them."""
        self._put("external_arrivals", small.tree(small.arrivals(range(2018, 2023))), "2022 as well")

    def reorder(self) -> None:
        """The same figures in another order."""
        figures = dict(reversed(small.departures().items()))
        self._put("external_departures", small.tree(figures), "in another order")

    def roll_back(self) -> None:
        """Somebody points readers at an earlier publication, or ends that."""
        catch_up(self.profile)
        with connect(self.profile) as connection:
            is_pinned = ledger.pinned(connection)
        if is_pinned:
            self._unpin()
        elif kept := publication.status(self.profile)["kept"]:
            number, key, *_ = self.chance.choice(kept)
            publication.roll_back(self.profile, key, *PERSON)
            self.log.append(f"roll back to {number}")

    def withdraw(self) -> None:
        """Somebody withdraws the newest release of arrivals, where there is another."""
        found = read(
            self.profile,
            "select release_key from meta.release where dataset = 'external_arrivals' and state in ('published', 'superseded', 'accepted')"
            " order by rank desc",
        )
        if len(found) > 1:
            catch_up(self.profile)
            publication.decide(self.profile, "withdraw", *PERSON, int(str(found[0][0])))
            self.log.append(f"withdraw {found[0][0]}")

    def _unpin(self) -> None:
        catch_up(self.profile)
        with connect(self.profile) as connection:
            if not ledger.pinned(connection):
                return
        publication.decide(self.profile, "unpin", *PERSON)
        self.log.append("unpin")

    def _run(self, place: str = "") -> None:
        with killed_at(place):
            intakes, end = small.run(self.profile)
            rejected = [verdict.slice for intake in intakes.values() for verdict in intake.rejected]
            self.log.append(f"run: {end.outcome} {end.number}, rejected {rejected}, held {len(end.held)}")
        self.log.append(f"  (to die at {place})" if place else "")
        self._laws()

    def _laws(self) -> None:
        """Readers see only figures that an accepted answer gave, every year of the first publication, and one publication."""
        catch_up(self.profile)
        if not read(self.profile, "select 1 from meta.publication"):
            return
        rows = read(self.profile, "select year, arrivals_persons::int, departures_persons::int from bi.migration_balance")
        told = "\n".join(self.log)
        assert {2018, 2019, 2020, 2021} <= {year for year, *_ in rows}, f"a year went away: {rows}\n{told}"
        for year, arrivals, departures in rows:
            if year in self.good:
                assert arrivals in self.good[year], f"{arrivals} in {year} passed no gate\n{told}"
                assert departures == small.departures()[year], told
            else:
                raise AssertionError(f"{year} has no departures and is shown: {rows}\n{told}")

    def _replay(self) -> None:
        """Archive and journal alone show readers the same."""
        before = {name: rows for name, rows in state(self.profile).items() if name.startswith(("bi.", "meta.", "quality.", "raw."))}
        with connect(self.profile, autocommit=True) as connection:
            for (name,) in connection.execute("select nspname from pg_namespace where nspname ~ '^pub_'").fetchall():
                connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
            # seeds and staging are of the code, not of the history
            for place in connection.execute("select schemaname, tablename from pg_tables where tablename ~ '^int_'").fetchall():
                connection.execute(sql.SQL("drop table {} cascade").format(sql.Identifier(*place)))
            _truncate(connection)
        catch_up(self.profile)
        after = state(self.profile)
        for name, rows in before.items():
            if name == "meta.candidate_release":
                continue  # what the last candidate was tried with, published or not
            assert after[name] == rows, "\n".join([f"a replay gives another {name}", *self.log])


def main() -> None:
    """Plays `N` whole histories from `SEED` on, on a server of their own, and says how they ended."""
    from tests.conftest import copy_of, make_good, make_template, spare_dbt_the_stack
    from tests.servers import remove_server, roomy_folder
    from warehouse import server

    first, count = int(os.environ.get("SEED") or 1), int(os.environ.get("N") or 10)
    with tempfile.TemporaryDirectory(dir=roomy_folder()) as name:
        Path(name).chmod(0o711)  # as root the server is another account's, which enters
        os.environ["KOSHI_STATE"] = name
        spare_dbt_the_stack()
        make_template()
        good, failed = make_good(Path(name) / "good"), 0
        for seed in range(first, first + count):
            profile = copy_of(good, Path(name) / f"history_{seed}")
            try:
                WholeHistory(profile, seed).play(random.Random(seed).randint(3, 7))  # noqa: S311
            except AssertionError as error:
                failed += 1
                sys.stdout.write(f"history {seed} FAILED: {error}\n")
            else:
                sys.stdout.write(f"history {seed} holds\n")
            sys.stdout.flush()
        server.stop()
        remove_server(Path(name))
    sys.stdout.write(f"{count - failed} of {count} whole histories hold, seeds {first} to {first + count - 1}\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
