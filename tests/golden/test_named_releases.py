"""Every check of gate 2 names the releases that a failing row rests on, and dbt's graph leads to some releases and not to all."""

from __future__ import annotations

import pytest

from expectations.gate2 import BuiltByDbt
from expectations.intake import Intake
from expectations.suites.publication import suite
from warehouse.build import build_publication
from warehouse.candidate import Candidate
from warehouse.connection import connect
from warehouse.fingerprint import core_schema
from warehouse.keys import number_of
from warehouse.profile import Profile
from warehouse.publication import status

FLOWS = {"external_arrivals", "external_departures"}
ONE_YEAR = "period_kind = 'year' and year = 2020"
MEMBER = "(select {0}_key from {{schema}}.dim_{0} where {0}_code = '{1}')"
MORE_MEN = f"update {{core}}.int_population set value = value + 1 where sex_key = {MEMBER.format('sex', 'M')}"
# the archive has no population by locality in one edition: men and women stand for town and country
MORE_TOWNSPEOPLE = (
    f"update {{core}}.int_population set sex_key = {MEMBER.format('sex', '_T')},"
    f" value = value + case when sex_key = {MEMBER.format('sex', 'M')} then 1 else 0 end,"
    f" locality_key = case when sex_key = {MEMBER.format('sex', 'M')} then {MEMBER.format('locality', 'U')}"
    f" else {MEMBER.format('locality', 'R')} end where sex_key <> {MEMBER.format('sex', '_T')}"
)
# Of each check: what spoils a publication so that it fails, and the datasets that a failing row must name
SPOILED: dict[str, tuple[str, set[str]]] = {
    "both flows hold the same years": (
        f"update {{schema}}.migration_balance set departures_persons = null where {ONE_YEAR}", FLOWS,
    ),
    "the balance is arrivals less departures": (
        f"update {{schema}}.migration_balance set balance_persons = balance_persons + 1 where {ONE_YEAR}", FLOWS,
    ),
    "a range is the sum of its years": (
        "update {schema}.migration_balance set arrivals_persons = arrivals_persons + 1 where period_kind = 'range'", FLOWS,
    ),
    "men and women make all, in every edition": (MORE_MEN, {"population"}),
    "urban and rural make all, in every edition": (MORE_TOWNSPEOPLE, {"population"}),
    "the republic does not jump by more than 5 % in a year": (
        f"update {{schema}}.migration_balance set population_end_persons = 2 * population_end_persons where {ONE_YEAR}", {"population"},
    ),
    "the balance of all flows of the republic is its external balance": (
        "update {schema}.region_migration set all_flows_balance_persons = all_flows_balance_persons + 1 where row_kind = 'total'",
        FLOWS | {"net_migration"},
    ),
    "the countries make the external flows": (
        "update {schema}.migration_by_country set arrivals_persons = arrivals_persons + 1 where row_kind = 'total'",
        FLOWS | {"external_by_country"},
    ),
    "the printed groups of countries make the total": (
        "update {schema}.migration_by_country set arrivals_total_persons = arrivals_total_persons + 1", {"external_by_country"},
    ),
    "the partners and the other countries of CIS Stat make its total": (
        "update {schema}.migration_by_country set arrivals_total_persons = arrivals_total_persons + 1 where source_code = 'cisstat'",
        {"external_flows"},
    ),
    "the specialties make tertiary and vocational secondary education": (
        "update {schema}.migration_by_specialty set external_arrivals_persons = external_arrivals_persons + 1 where row_kind = 'leaf'",
        {"flows_by_specialty", "all_flows_by_education"},
    ),
    "the derived net migration is the published one within 15 persons": (
        "update {schema}.region_migration set all_flows_balance_persons = all_flows_balance_persons + 1000 where row_kind = 'leaf'",
        {"population", "natural_increase", "net_migration"},
    ),
    "the external parts of the regions make the external balance": (
        "update {schema}.migration_balance set balance_persons = balance_persons + 1000",
        FLOWS | {"population", "natural_increase", "internal_by_region"},
    ),
    "inter-regional moves are no more than all internal moves": (
        "update {schema}.region_migration set interregional_arrivals_persons = internal_arrivals_persons + 1"
        " where interregional_arrivals_persons is not null and row_kind = 'leaf'",
        {"internal_by_region", "internal_matrix"},
    ),
    "the net flow of students is inbound less outbound, in every edition": (
        "update {core}.int_area_indicator set value = value + 1 where release_key in"
        " (select release_key from {schema}.dim_release where dataset = 'inbound_and_net_flow')",
        {"inbound_and_net_flow", "outbound_totals"},
    ),
    "students by host and what is not attributed make their total": (
        "update {schema}.students_by_host set total_students = total_students + 1", {"students_from_kazakhstan", "outbound_totals"},
    ),
    "students by origin and what is not attributed make their total": (
        "update {schema}.students_by_origin set total_students = total_students + 1",
        {"students_to_kazakhstan", "inbound_and_net_flow"},
    ),
    "both tables of an edition give a residence the same stock of migrants": (
        "update {core}.int_migrant_stock set value = value + 1 where release_key in"
        " (select release_key from {schema}.dim_release where dataset = 'stock_by_destination')",
        {"stock_by_destination", "stock_by_destination_and_origin"},
    ),
    "residences make the total of an origin": (
        "update {schema}.migrant_stock set persons = persons + 1 where residence_code = 'WLD' and sex_code = '_T'",
        {"stock_by_destination_and_origin"},
    ),
}  # fmt: skip


def test_every_check_that_can_hold_a_release_is_tried_here() -> None:
    assert set(SPOILED) == {check.name for check in suite("schema").checks if check.outcome == "hold"}


@pytest.fixture(scope="module")
def candidate(bundled: tuple[Profile, dict[str, Intake]]) -> Candidate:
    """The candidate that was published, built once more: what was published is dropped."""
    key = status(bundled[0])["current"][0]
    with connect(bundled[0]) as connection:
        rows = connection.execute("select release_key, is_current from meta.publication_release where publication_key = %s", [key])
        found = Candidate(key, tuple((int(release), bool(current)) for release, current in rows.fetchall()))
    build_publication(bundled[0], found, is_whole=True)
    return found


@pytest.fixture(scope="module")
def judge() -> BuiltByDbt:
    """The judge, with the graph that it reads once."""
    return BuiltByDbt()


@pytest.mark.parametrize("name", SPOILED)
def test_a_failing_row_names_all_its_releases(bundled: tuple[Profile, dict[str, Intake]], candidate: Candidate, name: str) -> None:
    check = next(check for check in suite(candidate.schema).checks if check.name == name)
    spoil, datasets = SPOILED[name]
    with connect(bundled[0]) as connection:
        assert connection.execute(check.offenders).fetchall() == []
        connection.execute(spoil.format(schema=candidate.schema, core=core_schema()))
        cursor = connection.execute(check.offenders)
        position = [column.name for column in cursor.description or ()].index("release_keys")
        rows = [[number_of(key) for key in row[position]] for row in cursor.fetchall()]
        known = dict(connection.execute("select release_key, dataset from meta.release").fetchall())
        connection.rollback()
    assert rows
    assert any({known.get(key, "a release without a name") for key in keys} == datasets for keys in rows)
    assert all({known.get(key) for key in keys} <= datasets for keys in rows)


@pytest.mark.parametrize("name", SPOILED)
def test_the_graph_leads_from_a_check_to_some_releases_and_not_to_all(
    bundled: tuple[Profile, dict[str, Intake]], candidate: Candidate, judge: BuiltByDbt, name: str
) -> None:
    check = next(check for check in suite(candidate.schema).checks if check.name == name)
    reads, datasets = judge.rests_on(bundled[0], candidate, judge.relations_of(bundled[0], candidate, check))
    with connect(bundled[0]) as connection:
        rows = connection.execute("select distinct dataset from meta.release where release_key = any(%s)", [list(reads)]).fetchall()
    read = {dataset for (dataset,) in rows}
    assert SPOILED[name][1] <= read <= {dataset.split(".")[1] for dataset in datasets}
    assert reads < set(candidate.release_keys)
