"""Keys, relations and NOT NULL that clients see, and the views over all relations, whatever columns come, go or are taken back."""

from __future__ import annotations

import psycopg
import pytest

from tests.state import read
from warehouse.connection import connect, reader_url
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.relation import PublicationError
from warehouse.served import serve, show_again

CORE = """
create schema core_ab;
create table core_ab.int_flow (
    series_key bigint not null, period_key bigint not null, release_key bigint not null, snapshot_key bigint not null,
    source_row text not null, area_key bigint not null, direction text not null, value numeric(20,6), remark text
);
insert into core_ab.int_flow values
    (11, 2, 1, 5, '/0/y2022', 7, 'arrival', 17425, null),
    (12, 2, 1, 5, '/0/y2022', 7, 'departure', 24147, null);
"""
BUILT = """
create table {0}.dim_release (
    release_key bigint primary key, source_code text not null, dataset text not null, slice text, edition text, rank text, capture text,
    licence text, attribution text, is_current boolean not null
);
insert into {0}.dim_release values (1, 'bns', 'moves', 'all', '2026', '2026', 'recorded', 'open', 'the bureau', true);
create table {0}.dim_period (
    period_key bigint primary key, period_label text, period_start_date date not null, period_end_date date not null, year int
);
insert into {0}.dim_period values (2, '2022', '2022-01-01', '2022-12-31', 2022);
create table {0}.bridge_release_origin (
    release_key bigint, period_key bigint, licence text, attribution text, primary key (release_key, period_key)
);
create table {0}.dim_area (area_key bigint primary key, area_code {1});
insert into {0}.dim_area values (7, 'KAZ');
create table {0}.citation (dataset text primary key, next_release date);
insert into {0}.citation values ('bns.moves', '2027-01-01');
create table {0}.relationships (
    from_relation text, from_columns text, to_relation text, to_columns text, cardinality text,
    primary key (from_relation, from_columns, to_relation)
);
insert into {0}.relationships values
    ('fct_flow', 'area_key', 'dim_area', 'area_key', 'many-to-one'),
    ('fct_flow_vintage', 'area_key', 'dim_area', 'area_key', 'many-to-one'),
    ('moves', 'area_code', 'dim_area', 'area_code', 'many-to-one');
create table {0}.moves (area_code text primary key, row_kind text not null, persons bigint {2});
insert into {0}.moves values ('KAZ', 'leaf', 17425);
create view {0}.fct_flow as select flow.*, true as is_current from core_ab.int_flow as flow;
comment on table {0}.moves is 'One row is one area. Moves.';
"""
SNAPSHOT = (
    "insert into meta.snapshot values (5, 'bns', 'moves', 'ab', 1, 'manifests/x.json', 'GET', 'https://stat.example/1', '{}', now(), 200,"
    " 'recorded', 'open', 'the bureau')"
)


def _publish(profile: Profile, key: int, code: str = "text not null unique", persons: str = "not null") -> None:
    schema = f"pub_{hex_key(key)}"
    with connect(profile, "koshi_transformer") as connection:
        connection.execute(f"create schema {schema}")
        connection.execute(BUILT.format(schema, code, persons))
    with connect(profile) as connection:
        serve(connection, schema, key)


@pytest.fixture
def first(bare: Profile) -> Profile:
    """A warehouse whose readers see publication 171."""
    with connect(bare) as connection:
        connection.execute(SNAPSHOT)
    with connect(bare, "koshi_transformer") as connection:
        connection.execute(CORE)
    _publish(bare, 171)
    return bare


def _declared(profile: Profile) -> set[tuple[object, ...]]:
    return set(read(profile, "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint where contype = 'f'"
                             " and connamespace = 'bi'::regnamespace"))  # fmt: skip


def _nullable(profile: Profile) -> dict[object, object]:
    rows = read(profile, "select table_name || '.' || column_name, is_nullable from information_schema.columns where table_schema = 'bi'"
                         " and table_name in ('fct_flow', 'moves', 'dim_area')")  # fmt: skip
    return dict(map(tuple, rows))  # type: ignore[arg-type]


BETWEEN = {("bi.fct_flow", "bi.dim_area"), ("bi.moves", "bi.dim_area")}


def _as_reader(profile: Profile, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(reader_url(profile)) as connection:
        return connection.execute(query).fetchall()


def test_readers_see_relations_that_cost_a_publication_nothing(first: Profile) -> None:
    assert _declared(first) == BETWEEN
    # what the server does not enforce has no triggers
    assert read(
        first, "select count(*) from pg_trigger where tgrelid in (select oid from pg_class where relnamespace = 'bi'::regnamespace)"
    ) == [(0,)]
    never_null = {name for name, nullable in _nullable(first).items() if nullable == "NO"}
    assert never_null == {
        "dim_area.area_key", "dim_area.area_code", "moves.area_code", "moves.row_kind", "moves.persons",
        *(f"fct_flow.{name}" for name in ("series_key", "period_key", "release_key", "snapshot_key", "source_row")),
        "fct_flow.area_key", "fct_flow.direction",
    }  # fmt: skip


def test_the_views_over_all_relations_are_what_readers_ask(first: Profile) -> None:
    found = _as_reader(first, "select figure, about, period_label, url, position from bi.provenance where relation = 'fct_flow' order by 1")
    assert found == [
        (17425, "area=KAZ; direction=arrival", "2022", "https://stat.example/1", "/0/y2022"),
        (24147, "area=KAZ; direction=departure", "2022", "https://stat.example/1", "/0/y2022"),
    ]
    key = f"lpad(to_hex({11 ^ 2 ^ 1}), 16, '0')"
    assert _as_reader(first, f"select figure from bi.provenance where provenance_key = {key}") == [(17425,)]
    found = _as_reader(
        first, "select row_count, layer, first_year, datasets, next_release::text, next_release_missing_reason from bi.catalogue"
        " where relation in ('fct_flow', 'moves') order by layer"
    )  # fmt: skip
    assert found == [(2, "fact", 2022, "bns.moves", "2027-01-01", None), (1, "mart", None, None, None, "its rows name no release")]
    assert _as_reader(first, "select grain from bi.catalogue where relation = 'moves'") == [("One row is one area.",)]


def test_columns_that_change_leave_keys_views_and_what_a_person_made_on_them(first: Profile) -> None:
    with connect(first) as connection:
        connection.execute("create schema mine")
        connection.execute("create view mine.where_from as select url, position from bi.provenance")
    _publish(first, 172, code="char(3) not null", persons="")
    assert _declared(first) == BETWEEN
    assert _nullable(first)["moves.persons"] == "YES"
    assert read(first, "select distinct url from mine.where_from") == [("https://stat.example/1",)]
    with connect(first) as connection:
        show_again(connection, 171)
    assert _declared(first) == BETWEEN
    assert _nullable(first)["moves.persons"] == "NO"
    assert _as_reader(first, "select count(*) from bi.provenance") == [(2,)]


def test_a_reader_of_a_view_over_all_is_waited_for_and_not_cut_off(first: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.served.PATIENCE", 0)
    with psycopg.connect(reader_url(first)) as reader:
        reader.execute("select count(*) from bi.catalogue")
        with pytest.raises(PublicationError, match="held for 0 s by bi_reader"):
            _publish(first, 172, code="char(3) not null")
        assert reader.execute("select count(*) from bi.provenance").fetchone() == (2,)
    assert _as_reader(first, "select count(*) from bi.provenance") == [(2,)]


def test_a_server_that_enforces_every_foreign_key_has_none(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.served.NOT_ENFORCED", 10**9)
    with connect(bare, "koshi_transformer") as connection:
        connection.execute(CORE)
    _publish(bare, 171)
    assert _declared(bare) == set()
    assert len(_as_reader(bare, "select from_relation from bi.relationships")) == 3
