"""Gate 1 of the UNESCO Institute for Statistics. Rules: uis.md 4, 7 and 8; a bound changes only with a written reason."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_most, no_issue, none_of, unique
from expectations.suites.continuity import revised, withdrawn
from expectations.suites.years import Years

VIEW = "stg_uis__observation"
# A few small countries may report tenfold numbers in one year
FEWEST_UNITS = 5
KEY = ("cube_code", "area_code", "partner_area_code", "year")


def gate1(dataset: str, _schema: str) -> Suite:
    """The suite of a dataset. Raises `KeyError` for a dataset without a suite."""
    own = {
        "students_from_kazakhstan": [_not_at_home(), withdrawn(KEY, "reject")],
        "students_to_kazakhstan": [_not_at_home(), withdrawn(KEY, "reject")],
        "inbound_and_net_flow": [_has_kazakhstan(), _net_flow_within_inbound(), withdrawn(KEY, "reject")],
        # the agency drops whole countries and years between releases: 13 of 90 points of the older release have no counterpart
        "outbound_totals": [_has_kazakhstan(), withdrawn(KEY, "warn")],
    }[dataset]
    return Suite(
        VIEW,
        [
            *(no_issue(what, "reject") for what in ("value", "area", "period", "unit", "member")),
            unique(KEY),
            at_most("value", 1_500_000, "the largest total on record is 1,038,886 students from China in 2021"),
            *own,
            *Years(("area_code", "partner_area_code"), stated="is_stated_nil").checks("reject", fewest=FEWEST_UNITS),
            revised(KEY, 0.10),
        ],
        KEY,
    )


def _not_at_home() -> Check:
    """Some countries report their own students among the mobile ones; the fact leaves them out (uis.md 7.13)."""
    return none_of(
        "nobody is a foreign student at home",
        "warn",
        "coherence",
        f"""
        select release_key, snapshot_key, source_row, concat(origin_area_code, ' in ', host_area_code, ' ', year, ': ', value) as detail
        from {BATCH} where origin_area_code = host_area_code
        """,
    )


def _has_kazakhstan() -> Check:
    return none_of(
        "Kazakhstan is among the countries",
        "reject",
        "accuracy",
        f"""
        select release_key, null::bigint as snapshot_key, cube_code as source_row, concat('no row of KAZ in ', cube_code) as detail
        from {BATCH} where cube_code is not null group by release_key, cube_code having not bool_or(area_code = 'KAZ')
        """,
    )


def _net_flow_within_inbound() -> Check:
    """Net flow is inbound less outbound, and nobody has fewer than no students abroad. One pair of 2025 was not revised together."""
    return none_of(
        "no net flow exceeds the inbound total",
        "warn",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) filter (where measure = 'net_flow') as source_row,
            concat(area_code, ' ', year, ': net flow ', max(value) filter (where measure = 'net_flow'),
                ', inbound ', max(value) filter (where measure = 'students')) as detail
        from {BATCH}
        group by release_key, area_code, year
        having max(value) filter (where measure = 'net_flow') > max(value) filter (where measure = 'students')
        """,
    )
