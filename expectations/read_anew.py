"""What new code makes of what was delivered before: readers need not wait for an agency to see it."""

from __future__ import annotations

from functools import partial

from expectations.gate1 import Verdict, judge
from expectations.validation import GateError
from extractors.caught_up import caught_up
from extractors.delivery import land_each
from extractors.source import load_source, source_codes
from warehouse.connection import LostError, again_if_lost, connect
from warehouse.locks import LockedError, locked
from warehouse.profile import Profile
from warehouse.steps import tell
from warehouse.wording import one_line


@again_if_lost
def read_anew(profile: Profile) -> list[Verdict]:
    """What new code makes of the deliveries that are there, judged; no agency is asked. A dataset that somebody else is at is left to him.

    Raises `GateError` naming the datasets that failed, after the others were read.
    """
    with connect(profile, "koshi_loader") as connection:
        landed = set(connection.execute("select distinct source, dataset from meta.delivery").fetchall())
    verdicts, failed = list[Verdict](), dict[str, Exception]()
    for source, dataset in sorted((code, name) for code in source_codes() for name in load_source(code).datasets if (code, name) in landed):
        try:
            with locked(profile, f"dataset {source}.{dataset}"):
                verdicts += caught_up(profile, partial(_read_anew, profile, source, dataset))
        except LockedError as other:
            tell(str(other))
        except LostError:
            raise
        except Exception as error:  # noqa: BLE001 - one that cannot be read keeps no other from its readers
            failed[f"{source}.{dataset}"] = error
    if failed:
        raise GateError("; ".join(f"{name}: {one_line(str(error))}" for name, error in failed.items())) from next(iter(failed.values()))
    return verdicts


def _read_anew(profile: Profile, source: str, dataset: str) -> list[Verdict]:
    list(land_each(profile, load_source(source), dataset, iter(())))
    return judge(profile, source, dataset)
