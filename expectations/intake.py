"""Taking in a dataset: every delivery is landed and judged before the next is taken, and what became of it is recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psycopg

from expectations.gate1 import Verdict, judge, unjudged
from extractors.caught_up import caught_up
from extractors.delivery import deliver, known
from extractors.landing import Landed
from extractors.polite import FetchError
from extractors.rows import UNREADABLE
from extractors.source import load_source
from warehouse import attempts
from warehouse.attempts import DECIDE, WAITS, Attempt, Became
from warehouse.connection import LostError, again_if_lost, connect, shared_sessions
from warehouse.keys import hex_key
from warehouse.ledger import UNDECIDED
from warehouse.locks import locked
from warehouse.profile import Profile
from warehouse.server_home import ServerError
from warehouse.wording import counted, one_line

# The release that an answer became which no parser could read: just now, or when its bytes came before
UNREAD = """
select r.reason, s.url, s.status, s.manifest
from meta.release as r inner join meta.release_snapshot as rs using (release_key) inner join meta.snapshot as s using (snapshot_key)
where r.source = %s and r.dataset = %s and r.slice = %s and r.state = 'rejected' and (r.release_key = any(%s) or s.sha256 = any(%s))
order by r.rank desc, rs.position limit 1
"""


@dataclass
class Intake:
    """What taking in one dataset came to."""

    dataset: str
    deliveries: list[Landed] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    waiting_for: str = ""

    @property
    def accepted(self) -> list[Verdict]:
        """The releases that gate 1 let pass."""
        return [verdict for verdict in self.verdicts if verdict.state == "accepted"]

    @property
    def rejected(self) -> list[Verdict]:
        """The releases that gate 1 rejected."""
        return [verdict for verdict in self.verdicts if verdict.state == "rejected"]

    @property
    def undecided(self) -> list[Verdict]:
        """The releases that gate 1 leaves to a person."""
        return [verdict for verdict in self.verdicts if verdict.state == UNDECIDED]

    @property
    def became(self) -> Became:
        """What became of the dataset, the worst first."""
        if self.waiting_for:
            return "waiting for"
        if self.rejected:
            return "rejected"
        if self.undecided:
            return "undecided"
        if self.accepted:
            return "taken"
        return "skipped" if all(delivery.known for delivery in self.deliveries) else "unchanged"

    @property
    def happened(self) -> str:
        """The same in one line, with numbers."""
        if self.waiting_for:
            return f"{self.waiting_for}, which failed"
        numbers = (
            (sum(bool(delivery.unreadable) for delivery in self.deliveries), "answer", "unreadable"),
            (sum(len(verdict.quarantined) for verdict in self.accepted), "row", "quarantined"),
            (sum(delivery.unchanged for delivery in self.deliveries), "slice", "unchanged"),
            (sum(delivery.confirmed for delivery in self.deliveries), "slice", "confirmed"),
            (sum(delivery.known for delivery in self.deliveries), "delivery", "known"),
        )
        parts = [f"{counted(number, noun)} {what}" for number, noun, what in numbers if number]
        return ", ".join([*self._landed(), *parts, *self._remarks()]) or "nothing new"

    def _remarks(self) -> list[str]:
        """What is no release, and what is a change of ours."""
        later = sorted({name for delivery in self.deliveries for name in delivery.not_yet})
        anew = [delivery for delivery in self.deliveries if delivery.reparsed]
        ours = sum(delivery.landed for delivery in anew)
        parts = [f"not yet: {', '.join(later)}"] if later else []
        lost = sorted({name for delivery in self.deliveries for name in delivery.lacks})
        parts += [f"lacks {counted(len(lost), 'slice')} that readers have"] if lost else []
        parts += [f"read anew by this code: {counted(ours, 'release')} otherwise, a change of ours"] if ours else []
        gone = [hex_key(key) for delivery in anew for key in delivery.vanished]
        return parts + ([f"this code no longer finds {', '.join(gone)}: withdraw or keep by decision"] if gone else [])

    def _landed(self) -> list[str]:
        landed, rows = (sum(getattr(delivery, what) for delivery in self.deliveries) for what in ("landed", "rows"))
        parts = [f"{counted(landed, 'release')} landed ({counted(rows, 'row')})"] if landed else []
        verdicts = (("accepted", self.accepted), ("rejected", self.rejected), ("left to a person's decision", self.undecided))
        return parts + [f"{len(releases):,} {what}" for what, releases in verdicts if releases]


@again_if_lost
@shared_sessions()
def take_in(profile: Profile, source: str, dataset: str, delivery: str = "") -> Intake:
    """Fetches, lands and judges the dataset, or its archived `delivery` alone.

    Where the one that it is compared with (`after`) failed, it waits for that one. Where the archive alone is asked, and holds nothing new,
    nothing is done.

    What became of it is recorded in `meta.attempt`, also where it fails. Raises `MissingPlaceError` where the code does not know the
    dataset, and what `deliver` and `judge` raise. Waits for somebody else who is at the dataset.
    """
    intake, begun = Intake(f"{source}.{dataset}"), time.monotonic()
    try:
        intake.deliveries = [] if delivery else untouched(profile, source, dataset)
        if not intake.deliveries:
            _take_in(profile, source, dataset, intake, delivery)
        attempt = _ended(profile, source, dataset, intake)
    except BaseException as error:
        try:
            attempts.record(profile, _failed(source, dataset, error), time.monotonic() - begun)
        except (psycopg.Error, ServerError, LostError) as second:
            error.add_note(f"Nor could meta.attempt be told: {one_line(str(second))}")
        raise
    attempts.record(profile, attempt, time.monotonic() - begun)
    return intake


def untouched(profile: Profile, source: str, dataset: str) -> list[Landed]:
    """The deliveries of the dataset where all are known, read by today's code and judged by it, so that nothing is to do; else none."""
    return [] if unjudged(profile, source, dataset) else known(profile, source, dataset)


def _take_in(profile: Profile, source: str, dataset: str, intake: Intake, delivery: str) -> None:
    from expectations import places  # imports Great Expectations, 3 s

    def each() -> None:
        # what an earlier run landed and could not judge any more
        intake.verdicts += judge(profile, source, dataset)
        for landed in deliver(profile, source, dataset, delivery):
            intake.deliveries.append(landed)
            if not landed.known:
                intake.verdicts += judge(profile, source, dataset)

    places.check(profile, source, dataset)
    intake.waiting_for = _waits_for(profile, source, dataset)
    if not intake.waiting_for:
        with locked(profile, f"dataset {source}.{dataset}", wait=True):
            caught_up(profile, each)


def _waits_for(profile: Profile, source: str, dataset: str) -> str:
    """The dataset that must come before this one and failed when it was last tried; empty if there is none."""
    before = load_source(source).dataset(dataset).after
    if not before:
        return ""
    with connect(profile, "koshi_loader") as connection:
        tried = attempts.last(connection).get(f"{source}.{before}")
    return f"{source}.{before}" if tried and tried.outcome == "failed" else ""


def _ended(profile: Profile, source: str, dataset: str, intake: Intake) -> Attempt:
    """The attempt that did not fail. Known bytes that no parser could read go on being rejected, though nothing landed."""
    if intake.waiting_for:
        return Attempt(source, dataset, "waiting for", intake.happened, f"Nothing to do here: it is taken in once {intake.waiting_for} is")
    unread = [verdict.release_key for verdict in intake.rejected if verdict.slice == UNREADABLE]
    hashes = _last_bytes(profile, source, dataset) if intake.deliveries and intake.deliveries[-1].known else []
    with connect(profile, "koshi_loader") as connection:
        found = connection.execute(UNREAD, [source, dataset, UNREADABLE, unread, hashes]).fetchone()
    if not found:
        return Attempt(source, dataset, intake.became, intake.happened, _advice(intake))
    reason, url, status, manifest = found
    advice = (
        f"The answer lies in the archive ({manifest}): if it is a page in place of data, run again later, or ask the agency; "
        f"if the agency changed its form, teach it to extractors/{source}/parse.py; readers keep what they had"
    )
    return Attempt(source, dataset, "rejected", f"{intake.happened}: {one_line(reason or '')}", advice, url, status)


def _advice(intake: Intake) -> str:
    """What to do about releases that were not accepted."""
    return DECIDE if intake.rejected else WAITS if intake.undecided else ""


def _last_bytes(profile: Profile, source: str, dataset: str) -> list[str]:
    """The sha256 of what the last delivery that landed holds."""
    with connect(profile, "koshi_loader") as connection:
        row = connection.execute(
            "select shas from meta.delivery where (source, dataset) = (%s, %s)"
            " order by coalesce(came_after::timestamptz, retrieved_at) desc, delivery desc limit 1",
            [source, dataset],
        ).fetchone()
    return list(row[0]) if row else []


def _failed(source: str, dataset: str, error: BaseException) -> Attempt:
    from expectations import places

    if isinstance(error, FetchError):
        return Attempt(source, dataset, "failed", one_line(error.found), error.advice, error.url, error.status)
    if isinstance(error, places.MissingPlaceError):
        return Attempt(source, dataset, "failed", error.found, error.advice)
    if isinstance(error, (RuntimeError, ValueError)):  # ours are typed below these, and say what to do
        told = one_line(str(error)).removeprefix(f"{source}.{dataset}: ").removeprefix(f"{source}.{dataset}, ")
        return Attempt(source, dataset, "failed", told, "Mend what the message names, then run again")
    told = f"{type(error).__name__}: {one_line(str(error))}"
    return Attempt(source, dataset, "failed", told, "Not foreseen: its traceback stands in the log of the task; running again is safe")
