"""Gate 1 of the Missing Migrants Project. Rules: iom.md 4, 7 and 8; a rule changes only with a written reason."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_most, no_issue, none_of, unique

VIEW = "stg_iom__missing_migrants"


def gate1(dataset: str, schema: str) -> Suite:
    """The suite of a dataset; `schema` holds the staging views. Raises `KeyError` for a dataset without a suite."""
    return {"missing_migrants": _missing_migrants}[dataset](schema)


def _missing_migrants(schema: str) -> Suite:
    """Single incidents: a doubtful one is set aside, above the dataset's cap it is another kind of answer."""
    return Suite(
        VIEW,
        [
            *(no_issue(what, "quarantine") for what in ("value", "area", "period", "unit", "member")),
            unique(("incident_code", "content_hash", "occurrence")),
            at_most("value", 2_000, "the deadliest incident on record counts about a thousand"),
            _same_year(),
            _asked_year(),
            _total_is_given(),
            _sexes_within_all(),
            _right_way_round(schema),
            _doubled(),
            _new_fields(),
        ],
        # one id may be given to several incidents: then their figures are added up, and their number is compared
        ("incident_code",),
    )


def _same_year() -> Check:
    """The agency files by year: an incident of another year was moved, or its date is mistyped."""
    return none_of(
        "an incident lies in the year it is filed under",
        "warn",
        "coherence",
        f"""
        select release_key, snapshot_key, source_row, concat(incident_code, ' of ', period_start_date, ', filed under ', slice) as detail
        from {BATCH} where year::text <> slice
        """,
    )


def _asked_year() -> Check:
    """One incident may be filed under another year; where most are, the answer is that of another question."""
    return none_of(
        "most incidents lie in the year that was asked for",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, min(source_row) filter (where year::text <> slice) as source_row,
            concat(count(*) filter (where year::text <> slice), ' of ', count(*), ' incidents are of another year than ', slice,
                ', such as ', min(year) filter (where year::text <> slice)) as detail
        from {BATCH} where year is not null group by release_key, slice having 2 * count(*) filter (where year::text <> slice) > count(*)
        """,
    )


def _total_is_given() -> Check:
    """The total is the agency's: it is not made up of its parts."""
    return none_of(
        "no total is blank where a part is known",
        "warn",
        "coherence",
        f"""
        select release_key, snapshot_key, source_row, concat(incident_code, ': no total beside ', coalesce(dead_persons, 0), ' dead and ',
            coalesce(missing_persons, 0), ' missing') as detail
        from {BATCH} where value_as_sourced is null and coalesce(dead_persons, missing_persons) is not null
        """,
    )


def _sexes_within_all() -> Check:
    """Women, men and children are told of the dead, the missing and the survivors; 13 incidents of 2018 tell of more."""
    return none_of(
        "women and men are no more than all persons of an incident",
        "warn",
        "coherence",
        f"""
        select release_key, snapshot_key, source_row, concat(incident_code, ': ', coalesce(females_persons, 0), ' women and ',
            coalesce(males_persons, 0), ' men of ', value + coalesce(survivors_persons, 0)) as detail
        from {BATCH} where coalesce(females_persons, 0) + coalesce(males_persons, 0) > value + coalesce(survivors_persons, 0)
        """,
    )


def _right_way_round(schema: str) -> Check:
    """What lies outside its region, and inside once the two change places, was written the wrong way round: 2 incidents of 2018."""
    inside = "{latitude} between latitude_min and latitude_max and {longitude} between longitude_min and longitude_max"
    as_written = inside.format(latitude="latitude", longitude="longitude")
    exchanged = inside.format(latitude="longitude", longitude="latitude")
    return none_of(
        "no place lies in its region only once latitude and longitude change places",
        "warn",
        "accuracy",
        f"""
        select release_key, snapshot_key, source_row,
            concat(incident_code, ': ', latitude, ', ', longitude, ' in ', incident_region) as detail
        from {BATCH} join {schema}.incident_region as box on box.region = incident_region
        where not ({as_written}) and {exchanged}
        """,
    )


def _doubled() -> Check:
    """Complete duplicates are kept and flagged, for the agency's own total counts them (iom.md 7.10)."""
    return none_of(
        "no incident is filed twice in the same words",
        "warn",
        "accuracy",
        f"""
        select release_key, snapshot_key, source_row, concat(incident_code, ', occurrence ', occurrence) as detail
        from {BATCH} where occurrence > 1
        """,
    )


def _new_fields() -> Check:
    return none_of(
        "every field is known",
        "warn",
        "accuracy",
        f"""
        select release_key, snapshot_key, source_row, concat('new fields: ', other_fields) as detail
        from {BATCH} where other_fields is not null
        """,
    )
