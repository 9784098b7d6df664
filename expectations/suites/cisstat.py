"""Gate 1 of CIS Stat: the default checks, and what its facts of Kazakhstan must add up to. Rules: cisstat.md 7 and 8."""

from __future__ import annotations

from dataclasses import replace

from expectations.check import BATCH, Check, Suite, none_of
from expectations.suites.default import default_suite
from extractors.source import Judged, load_source

JUDGED = Judged(key=("cube_code", "direction", "area_code", "counterpart_area_code", "period_start_date", "locality_code"), unit="persons")


def gate1(dataset: str, _schema: str) -> Suite:
    """The suite of a dataset. Raises `KeyError` for a dataset without a suite."""
    own = {"external_flows": [_partners_make_the_cis(), _cis_and_the_rest_make_all(), _has_kazakhstan(), _no_remark()]}[dataset]
    suite = default_suite("cisstat", dataset, load_source("cisstat").dataset(dataset), JUDGED)
    return replace(suite, checks=[*suite.checks, *own])


def _partners_make_the_cis() -> Check:
    """With Ukraine, and with the country itself (cisstat.md 8.1)."""
    return _sums_up(
        "the partners of Kazakhstan make the CIS",
        "cisstat.external_by_partner",
        "counterpart_area_code not in ('CIS+UKR', 'NON_CIS', 'W1')",
        "CIS+UKR",
    )


def _cis_and_the_rest_make_all() -> Check:
    """Since 2016: before that the committee gives the total alone (cisstat.md 8.2)."""
    return _sums_up(
        "the CIS and the other countries make all that Kazakhstan reports",
        "cisstat.external_flows",
        "counterpart_area_code in ('CIS+UKR', 'NON_CIS')",
        "W1",
    )


def _sums_up(name: str, cube: str, parts: str, whole: str) -> Check:
    """Exact, 10 of 10 years. A part or a whole that is missing is named: without it nobody knows whether the rest is right."""
    of_whole = f"filter (where counterpart_area_code = '{whole}')"
    return none_of(
        name,
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key,
            coalesce(max(source_row) {of_whole}, concat_ws(' ', min(direction) || 's', year)) as source_row,
            concat(year, ', ', min(direction), 's: ', count(value) filter (where {parts}), ' of ', count(*) filter (where {parts}),
                ' parts make ', coalesce(trim_scale(sum(value) filter (where {parts}))::text, 'nothing'), ', {whole} is ',
                coalesce(trim_scale(max(value) {of_whole})::text, 'missing')) as detail
        from {BATCH}
        where cube_code = '{cube}' and area_code = 'KAZ' and locality_code = '_T' and dropped_because is null
        group by release_key, year
        having bool_or({parts}) and (
            count(value) filter (where {parts}) < count(*) filter (where {parts})
            or sum(value) filter (where {parts}) is distinct from max(value) {of_whole}
        )
        """,
    )


def _has_kazakhstan() -> Check:
    return none_of(
        "Kazakhstan is among the reporters",
        "reject",
        "accuracy",
        f"""
        select release_key, null::bigint as snapshot_key, min(slice) as source_row, 'no row of Kazakhstan' as detail
        from {BATCH} group by release_key having not bool_or(area_code = 'KAZ' and dropped_because is null)
        """,
    )


def _no_remark() -> Check:
    """No answer at hand has one: it may say that a figure is of something else (cisstat.md 3)."""
    return none_of(
        "no figure comes with a remark",
        "warn",
        "accuracy",
        f"""
        select release_key, snapshot_key, source_row, concat(area_as_sourced, ' ', period_as_sourced, ': ', remark) as detail
        from {BATCH} where remark is not null and dropped_because is null
        """,
    )
