"""What columns mean stands in the database, once for each of them: `bi.columns`, `bi.catalogue`, `bi.relationships`, `bi.citation`."""

from __future__ import annotations

import re
from collections import Counter

import yaml
from psycopg import sql

from expectations.intake import Intake
from tests.golden.conftest import Reader
from warehouse import meaning
from warehouse.profile import ROOT, Profile

# What clients see of a column
SEEN = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'bi'::regnamespace and c.relkind in ('r', 'v')
"""


def test_each_column_of_readers_has_one_row_of_its_type(published: Reader) -> None:
    seen = {(name, column): kind for name, column, kind, _ in published.execute(SEEN).fetchall()}
    rows = published.execute('select relation, "column", type from bi.columns').fetchall()
    assert {(name, column): kind for name, column, kind in rows} == seen
    assert len(rows) == len(seen)
    described = published.execute("select relation, \"column\" from bi.columns where coalesce(description, '') = ''").fetchall()
    assert described == []


def test_each_measure_has_a_unit_in_its_row_and_in_its_comment(published: Reader) -> None:
    said = {(name, column): text for name, column, _, text in published.execute(SEEN).fetchall()}
    rows = published.execute("select relation, \"column\", unit, aggregation, over from bi.columns where role = 'measure'").fetchall()
    assert len({column for _, column, *_ in rows}) > 50
    assert [(name, column) for name, column, unit, *_ in rows if not unit] == []
    assert [(name, column) for name, column, unit, *_ in rows if f"Unit: {unit}." not in str(said[name, column])] == []
    # what is added up says over what
    assert [(name, column) for name, column, _, aggregation, over in rows if (aggregation == "sum") is not bool(over)] == []
    assert {role for (role,) in published.execute("select distinct role from bi.columns")} == {
        "key", "label", "measure", "flag", "attribute", "provenance",
    }  # fmt: skip
    other = published.execute(
        "select count(*) from bi.columns where role <> 'measure' and (unit, aggregation) is distinct from (null, null)"
    )
    assert other.fetchone() == (0,)


def test_each_column_has_a_label_in_three_languages_and_no_label_is_left_over(published: Reader) -> None:
    rows = published.execute('select distinct "column", label_kk, label_ru, label_en from bi.columns').fetchall()
    assert [column for column, *labels in rows if not all(labels)] == []
    assert set(meaning.labels()) == {column for column, *_ in rows}
    # a label that two columns of one relation share tells nobody which is which
    repeated = published.execute(
        'select relation, label, array_agg("column" order by "column") from bi.columns'
        " cross join lateral unnest(array[label_kk, label_ru, label_en]) as label"
        " where relation !~ '_(all|vintage)$' group by 1, 2 having count(distinct \"column\") > 1"
    ).fetchall()
    assert repeated == []


def test_each_relation_has_one_row_with_its_rows_years_and_datasets(published: Reader) -> None:
    seen = {name for name, *_ in published.execute(SEEN).fetchall()}
    rows = published.execute("select relation, row_count, grain, layer, variant from bi.catalogue").fetchall()
    assert Counter(name for name, *_ in rows) == Counter(dict.fromkeys(seen, 1))
    assert [name for name, _, grain, *_ in rows if not re.fullmatch(r"One row is .+\.", str(grain))] == []
    assert {layer for *_, layer, _ in rows} == {"dimension", "bridge", "fact", "mart", "catalogue"}
    assert {"default", "all", "vintage"} <= {variant for *_, variant in rows}
    for name, count, *_ in rows:
        if count is not None:
            asked = published.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("bi", str(name))))
            assert asked.fetchone() == (count,), name
    found = published.execute(
        "select row_count, first_year, last_year, sources, datasets, captures, status, next_release is null, next_release_missing_reason,"
        " publication_number from bi.catalogue where relation = 'migration_balance'"
    ).fetchone()
    assert found == (
        35, 1991, 2025, "bns, cisstat", "bns.external_arrivals, bns.external_departures, bns.population, cisstat.external_flows",
        "reconstructed", "not stated", True, "no source of it declares one", 1,
    )  # fmt: skip


def test_each_relationship_holds_and_clients_see_it(published: Reader) -> None:
    rows = published.execute("select from_relation, from_columns, to_relation, to_columns, cardinality from bi.relationships").fetchall()
    assert len(rows) > 200
    for name, columns, to, keys, cardinality in rows:
        of, at = ([sql.Identifier(each) for each in str(listed).split(", ")] for listed in (columns, keys))
        found = published.execute(
            sql.SQL(
                "select count(*) filter (where not exists (select from {to} as t where ({at}) = ({f}))),"
                " (select count(*) - count(distinct ({at})) from {to} as t)"
                " from (select distinct {of} from {name}) as f where num_nulls({of}) = 0"
            ).format(
                to=sql.Identifier("bi", str(to)), name=sql.Identifier("bi", str(name)),
                of=sql.SQL(", ").join(of), f=sql.SQL(", ").join(sql.SQL("f.{}").format(column) for column in of),
                at=sql.SQL(", ").join(sql.SQL("t.{}").format(key) for key in at),
            )
        ).fetchone()  # fmt: skip
        assert found == (0, 0), (name, columns, to)
        assert cardinality in ("many-to-one", "one-to-one")
    declared = published.execute(
        "select conrelid::regclass::text, (select string_agg(attname, ', ' order by at) from unnest(conkey) with ordinality as k (n, at)"
        "  join pg_attribute as a on a.attrelid = conrelid and a.attnum = k.n), confrelid::regclass::text"
        " from pg_constraint where contype = 'f' and connamespace = 'bi'::regnamespace"
    ).fetchall()
    tables = {name for (name,) in published.execute("select tablename from pg_tables where schemaname = 'bi'").fetchall()}
    assert {tuple(str(each).removeprefix("bi.") for each in row) for row in declared} == {
        (name, columns, to) for name, columns, to, *_ in rows if name in tables
    }
    facts = published.execute("select distinct relation from bi.columns where relation ~ '^fct_' and \"column\" ~ '_key$'").fetchall()
    assert {name for name, *_ in rows} >= {name for (name,) in facts}


def test_what_a_contract_requires_is_never_null_for_clients(published: Reader) -> None:
    rows = published.execute(
        "select c.relname, array_agg(a.attname::text) from pg_class as c"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attnotnull"
        " where c.relnamespace = 'bi'::regnamespace and c.relkind = 'r' group by 1"
    ).fetchall()
    never_null = {str(name): set(map(str, columns)) for name, columns in rows if isinstance(columns, list)}
    declared = [
        model
        for file in sorted((ROOT / "dbt" / "models").glob("*/**/_*.yml"))
        for model in yaml.safe_load(file.read_text("utf-8")).get("models", [])
    ]
    asked = {model["name"]: [each["name"] for each in model["columns"] if {"type": "not_null"} in each.get("constraints", [])]
             for model in declared if model["name"] in never_null and model.get("columns")}  # fmt: skip
    assert sum(map(len, asked.values())) > 400
    assert {name: set(columns) - never_null[name] for name, columns in asked.items() if set(columns) - never_null[name]} == {}


def test_each_dataset_of_the_publication_has_a_ready_citation(published: Reader, bundled: tuple[Profile, dict[str, Intake]]) -> None:
    rows = published.execute("select * from bi.citation").fetchall()
    datasets = published.execute("select distinct source_code || '.' || dataset from bi.dim_release where is_current").fetchall()
    assert {row[0] for row in rows} == {name for (name,) in datasets} == set(bundled[1])
    cited = published.execute(
        "select citation_en, redistribution, captures from bi.citation where dataset = 'uis.students_from_kazakhstan'"
    ).fetchone()
    assert cited is not None
    assert str(cited[0]).startswith("UNESCO Institute for Statistics. ")
    assert [
        part for part in ("CC BY-SA 3.0 IGO", "The answers are reconstructed from figures at hand. ") if part not in str(cited[0])
    ] == []
    assert cited[1:] == ("share-alike", "reconstructed")
    texts = published.execute("select citation_kk, citation_ru, citation_en from bi.citation").fetchall()
    assert [text for row in texts for text in row if "{" in str(text) or "None" in str(text)] == []
    # figures that another agency made carry its name beside that of the one that delivered them
    both = published.execute("select attribution from bi.citation where dataset = 'bns.external_arrivals'").fetchone()
    assert both is not None
    assert "CIS Stat" in str(both[0])
    assert "stat.gov.kz" in str(both[0])
