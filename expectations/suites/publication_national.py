"""Gate 2 of the national figures: what must hold between the bureau's tables before readers see a candidate."""

from __future__ import annotations

from expectations.check import Check, none_of

# Across vintages: regional balances of 2023 differ from those derived of the edition of 2026-04-30 by -5 to 15 persons, of 2024 from
# those of the extract by -12 to 5, summing to 0 (bns.md 8.4). Inside one vintage an identity is exact.
TOLERANCE_PERSONS = 15
# What another agency says otherwise is told, and holds nothing
BUREAU = "bns"


def checks(schema: str) -> list[Check]:
    """The checks of a candidate built in `schema`."""
    return [
        _balance_of_all_flows_is_external(schema),
        _countries_make_the_external_flows(schema),
        _groups_make_the_total(schema),
        _specialties_are_two_levels(schema),
        _net_migration_is_derived_again(schema),
        _external_parts_make_the_republic(schema),
        _matrix_within_internal_moves(schema),
    ]


def _balance_of_all_flows_is_external(schema: str) -> Check:
    """Inside the republic nobody is lost, so its balance of all flows is the external one: 25 of 25 years, exact (bns.md 8.1)."""
    return none_of(
        "the balance of all flows of the republic is its external balance",
        "hold",
        "coherence",
        f"""
        select concat(net.year, ': all flows ', net.all_flows_balance_persons, ', external ', external.balance_persons) as detail,
            array[net.all_flows_release_key, external.arrivals_release_key, external.departures_release_key] as release_keys
        from {schema}.region_migration as net
        join {schema}.migration_balance as external
            on external.area_code = net.area_code and external.period_kind = 'year' and external.period_start_date = net.period_start_date
        where net.row_kind = 'total' and net.all_flows_balance_persons <> external.balance_persons
            and external.flows_source_code = '{BUREAU}'
        """,
    )


def _countries_make_the_external_flows(schema: str) -> Check:
    """Each flow is compared where its external total has come; the total of the countries is named by all their releases."""
    return none_of(
        "the countries make the external flows",
        "hold",
        "coherence",
        f"""
        select concat(country.year, ': countries ', country.arrivals_persons, ' / ', country.departures_persons, ', all ',
            external.arrivals_persons, ' / ', external.departures_persons) as detail,
            (
                select array_agg(distinct leaf.release_key) from {schema}.migration_by_country as leaf
                where leaf.area_code = country.area_code and leaf.year = country.year and leaf.row_kind = 'leaf'
                    and leaf.source_code = country.source_code
            ) || array_remove(array[external.arrivals_release_key, external.departures_release_key], null) as release_keys
        from {schema}.migration_by_country as country
        join {schema}.migration_balance as external
            on external.area_code = country.area_code and external.period_kind = 'year'
            and external.period_start_date = country.period_start_date
        where country.row_kind = 'total' and country.source_code = '{BUREAU}' and external.flows_source_code = '{BUREAU}' and (
            (external.arrivals_release_key is not null and country.arrivals_persons is distinct from external.arrivals_persons)
            or (external.departures_release_key is not null and country.departures_persons is distinct from external.departures_persons)
        )
        """,
    )


def _groups_make_the_total(schema: str) -> Check:
    """The two groups that the bureau prints; a group that is derived of them is none."""
    printed = "filter (where row_kind = 'subtotal' and derivation is null)"
    return none_of(
        "the printed groups of countries make the total",
        "hold",
        "coherence",
        f"""
        select concat(year, ': groups ', sum(arrivals_persons) {printed}, ' / ', sum(departures_persons) {printed}, ', total ',
            max(arrivals_total_persons), ' / ', max(departures_total_persons)) as detail,
            array_agg(distinct release_key) filter (where row_kind <> 'total') as release_keys
        from {schema}.migration_by_country
        where source_code = '{BUREAU}'
        group by area_code, year
        having sum(arrivals_persons) {printed} <> max(arrivals_total_persons)
            or sum(departures_persons) {printed} <> max(departures_total_persons)
        """,
    )


def _specialties_are_two_levels(schema: str) -> Check:
    """The specialties cover exactly those with tertiary or vocational secondary education (bns.md 8.9)."""
    return none_of(
        "the specialties make tertiary and vocational secondary education",
        "hold",
        "coherence",
        f"""
        with specialty as (
            select area_code, year,
                sum(coalesce(external_arrivals_persons, internal_arrivals_persons)) as arrivals,
                sum(coalesce(external_departures_persons, internal_departures_persons)) as departures,
                array_agg(distinct release_key) as release_keys
            from {schema}.migration_by_specialty where row_kind = 'leaf' group by area_code, year
        ), education as (
            select area_code, year, sum(all_flows_arrivals_persons) as arrivals, sum(all_flows_departures_persons) as departures,
                array_agg(distinct release_key) as release_keys
            from {schema}.migration_by_education where education_code in ('tertiary', 'vocational_secondary') group by area_code, year
        )
        select concat(year, ': specialties ', specialty.arrivals, ' / ', specialty.departures, ', levels ', education.arrivals, ' / ',
            education.departures) as detail, specialty.release_keys || education.release_keys as release_keys
        from specialty join education using (area_code, year)
        where (specialty.arrivals, specialty.departures) is distinct from (education.arrivals, education.departures)
        """,
    )


def _net_migration_is_derived_again(schema: str) -> Check:
    """Population + natural increase + net migration = population a year later: exact in one vintage, else within the bound (bns.md 8.4)."""
    return none_of(
        f"the derived net migration is the published one within {TOLERANCE_PERSONS} persons",
        "hold",
        "coherence",
        f"""
        select concat(derived.area_code, ' ', derived.year, ': derived ', derived.net_migration_persons, ', published ',
            published.all_flows_balance_persons, {_said("is_across")}) as detail,
            array[
                derived.population_start_release_key, derived.population_end_release_key, derived.natural_increase_release_key,
                published.all_flows_release_key
            ] as release_keys
        from {schema}.region_balance as derived
        join {schema}.region_migration as published using (area_code, period_kind, period_start_date)
        cross join lateral (
            select derived.is_across_vintages
                or not {_is_of_edition(schema, "published.all_flows_release_key", "derived.population_edition")} as is_across
        ) as compared
        where derived.is_current and derived.row_kind in ('leaf', 'total')
            and abs(derived.net_migration_persons - published.all_flows_balance_persons) > {_bound("is_across")}
        """,
    )


def _is_of_edition(schema: str, release_key: str, edition: str) -> str:
    """Whether a release is known to be of an edition of the agency; that of a retrieval is not known."""
    return (
        f"exists (select 1 from {schema}.dim_release as told where lpad(to_hex(told.release_key), 16, '0') = {release_key}"
        f" and told.rank_basis = 'agency' and told.edition = {edition})"
    )


def _bound(is_across: str) -> str:
    return f"case when {is_across} then {TOLERANCE_PERSONS} else 0 end"


def _said(is_across: str) -> str:
    return f"case when {is_across} then ', across vintages: within {TOLERANCE_PERSONS}' else ', inside one vintage: exactly' end"


def _external_parts_make_the_republic(schema: str) -> Check:
    """The external parts of the regions make the external balance of the republic: exact in one vintage (bns.md 8.6)."""
    return none_of(
        "the external parts of the regions make the external balance",
        "hold",
        "coherence",
        f"""
        select concat(region.year, ', population of ', region.population_edition, ': regions ', sum(region.external_balance_persons),
            ', external ', max(external.balance_persons), {_said("bool_or(is_across)")}) as detail,
            array_agg(distinct region.population_start_release_key) || array_agg(distinct region.population_end_release_key)
            || array_agg(distinct region.natural_increase_release_key) || array_agg(distinct region.internal_release_key)
            || array_agg(distinct external.arrivals_release_key) || array_agg(distinct external.departures_release_key) as release_keys
        from {schema}.region_balance as region
        join {schema}.migration_balance as external
            on external.area_code = 'KAZ' and external.period_kind = 'year' and external.period_start_date = region.period_start_date
            and external.flows_source_code = '{BUREAU}'
        cross join lateral (
            select region.is_across_vintages
                or not {_is_of_edition(schema, "external.arrivals_release_key", "region.population_edition")}
                or not {_is_of_edition(schema, "external.departures_release_key", "region.population_edition")} as is_across
        ) as compared
        where region.area_kind = 'region'
        group by region.year, region.population_edition
        having count(*) = count(region.external_balance_persons)
            and abs(sum(region.external_balance_persons) - max(external.balance_persons)) > {_bound("bool_or(is_across)")}
        """,
    )


def _matrix_within_internal_moves(schema: str) -> Check:
    """Moves from region to region are part of all internal moves (bns.md 7.13)."""
    return none_of(
        "inter-regional moves are no more than all internal moves",
        "hold",
        "coherence",
        f"""
        select concat(area_code, ' ', year, ': ', interregional_arrivals_persons, ' / ', interregional_departures_persons,
            ' of internal ', internal_arrivals_persons, ' / ', internal_departures_persons) as detail,
            array[internal_release_key, interregional_release_key] as release_keys
        from {schema}.region_migration
        where interregional_arrivals_persons > internal_arrivals_persons or interregional_departures_persons > internal_departures_persons
        """,
    )
