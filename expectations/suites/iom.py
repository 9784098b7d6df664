"""Gate 1 of the Missing Migrants Project. Rules: iom.md, section M; a rule changes only with a written reason."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_most, no_issue, none_of, unique

VIEW = "stg_iom__missing_migrants"


def gate1(dataset: str, schema: str) -> Suite:
    """The suite of a dataset; `schema` holds the staging views. Raises `KeyError` for a dataset without a suite."""
    return {"missing_migrants": _missing_migrants}[dataset]()


def _missing_migrants() -> Suite:
    """Single incidents: a doubtful one is set aside, above the dataset's cap it is another kind of answer."""
    return Suite(
        VIEW,
        [
            *(no_issue(what, "quarantine") for what in ("value", "area", "period", "unit", "member")),
            unique(("incident_code", "content_hash", "occurrence")),
            at_most("value", 2_000, "the deadliest incident on record counts about a thousand"),
            _same_year(),
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


def _doubled() -> Check:
    """Trap 10: complete duplicates are kept and flagged, for the agency's own total counts them."""
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
