"""Gate 1 of the national bureau: figures transcribed from print. A misread figure breaks a sum: any doubt rejects."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_least, at_most, no_issue, none_of, unique
from expectations.suites.bns_internal import balance_is_the_difference
from expectations.suites.continuity import revised, withdrawn
from expectations.suites.years import Years

FLOW_KEY = (
    "area_code", "counterpart_area_code", "period_start_date", "period_end_date", "direction", "scope", "education_code", "specialty_code",
)  # fmt: skip
SERIES = tuple(column for column in FLOW_KEY if not column.startswith("period_"))
BALANCE_KEY = "area_code, counterpart_area_code, period_start_date, scope, education_code, specialty_code"


def _flows(schema: str, *more: Check) -> Suite:
    view = "stg_bns__printed_flow"
    return Suite(
        view,
        [
            *(no_issue(what, "reject") for what in ("value", "area", "period", "unit", "member")),
            unique(FLOW_KEY),
            none_of(
                "no arrivals or departures below 0",
                "reject",
                "accuracy",
                f"""
                select release_key, snapshot_key, source_row, concat('found ', value, ', expected at least 0') as detail
                from {BATCH} where direction <> 'balance' and value < 0
                """,
            ),
            at_most("value", 2_000_000, "all internal and external moves of a year are below 1.1 million"),
            balance_is_the_difference(BALANCE_KEY),
            *more,
            *Years(SERIES, standing=f"{schema}.{view}", only="direction <> 'balance'").checks("reject"),
            withdrawn(FLOW_KEY),
            revised(FLOW_KEY, 0.10),
        ],
        FLOW_KEY,
    )


def _by_country(schema: str) -> Suite:
    return _flows(schema, _members_make_the_group(schema))


def _by_education(schema: str) -> Suite:
    return _flows(schema)


def _by_specialty(schema: str) -> Suite:
    """The specialties are of those with tertiary or vocational secondary education (bns.md 8.9)."""
    return _flows(schema, _groups_make_all_external(), _internal_flows_are_equal())


def _members_make_the_group(schema: str) -> Check:
    """A printed group is the sum of its members as the publication had them then."""
    return none_of(
        "the members of a group make the printed group",
        "reject",
        "coherence",
        f"""
        select whole.release_key, max(whole.snapshot_key) as snapshot_key, max(whole.source_row) as source_row,
            concat(whole.counterpart_area_code, ' ', whole.direction, ': printed ', max(whole.value), ', ', count(part.value),
                ' members make ', sum(part.value)) as detail
        from (select * from {BATCH}) as whole
        join {schema}.area_group as member on member.group_code = whole.counterpart_area_code
            and whole.period_start_date between member.valid_from and coalesce(member.valid_to, whole.period_start_date)
        left join (select * from {BATCH}) as part on part.release_key = whole.release_key and part.direction = whole.direction
            and part.period_start_date = whole.period_start_date and part.counterpart_area_code = member.member_code
        group by whole.release_key, whole.counterpart_area_code, whole.direction, member.group_version, whole.period_start_date
        having sum(part.value) is distinct from max(whole.value)
        """,
    )


def _groups_make_all_external() -> Check:
    return none_of(
        "CIS and other countries make all external flows",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) as source_row,
            concat(specialty_code, ' ', direction, ': all ', sum(value) filter (where counterpart_area_code = 'W1'), ', CIS and other ',
                sum(value) filter (where counterpart_area_code <> 'W1')) as detail
        from {BATCH}
        where scope = 'external'
        group by release_key, period_start_date, specialty_code, direction
        having sum(value) filter (where counterpart_area_code = 'W1')
            is distinct from sum(value) filter (where counterpart_area_code <> 'W1')
        """,
    )


def _internal_flows_are_equal() -> Check:
    return none_of(
        "internal arrivals are internal departures",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) as source_row,
            concat(specialty_code, ': arrivals ', sum(value) filter (where direction = 'arrival'), ', departures ',
                sum(value) filter (where direction = 'departure')) as detail
        from {BATCH}
        where scope = 'internal'
        group by release_key, period_start_date, specialty_code
        having sum(value) filter (where direction = 'arrival') is distinct from sum(value) filter (where direction = 'departure')
        """,
    )


def _kandas(_schema: str) -> Suite:
    """A document prints a figure once and for all, but whose year it is may be learnt later: a new date warns, a lost figure rejects."""
    view = "stg_bns__kandas"
    period, what = ("period_start_date", "period_end_date"), ("measure", "area_code", "departure_area_code")
    members = ("age_group_code", "education_code", "admission")
    key, figure = (*what, *period, *members), ("figure_id", *what, *members)
    return Suite(
        view,
        [
            *(no_issue(what, "reject") for what in ("value", "area", "period", "unit", "member")),
            unique(key),
            at_least("value", 0),
            at_most("value", 2_000_000, "the cumulative number since 1991 is below 1.2 million"),
            _shares_stay_within_the_whole(),
            withdrawn(figure),
            withdrawn(("figure_id", *period), "warn", name="no figure of the release below is dated anew"),
            revised(figure, 0.10),
        ],
        # without the period: a document prints a figure once, so it is the same figure when its year is learnt later
        figure,
    )


def _shares_stay_within_the_whole() -> Check:
    return none_of(
        "the shares of a breakdown make at most the whole",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) as source_row,
            concat('the shares make ', sum(value), ' percent') as detail
        from {BATCH}
        where measure = 'share_pct'
        group by release_key, period_start_date, period_end_date, departure_area_code <> 'W1', education_code <> '_T'
        having sum(value) > 100 + sum(coalesce(tolerance, 0))
        """,
    )


SUITES = {
    "external_by_country": _by_country,
    "all_flows_by_education": _by_education,
    "flows_by_specialty": _by_specialty,
    "kandas": _kandas,
}
