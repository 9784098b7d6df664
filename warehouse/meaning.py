"""The statement of meaning of what readers see: `bi.columns`, `bi.relationships`, `bi.citation`, made of what models and sources declare.

What a column is follows from its name by one convention (`ROLES`); a model says only what the convention cannot know: unit, aggregation,
the dimensions over which a sum is right, the concept. Labels in three languages are in `dbt/models/docs/column_labels.csv`, one row a name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from psycopg import sql

from warehouse import catalogue
from warehouse.connection import Connection
from warehouse.profile import ROOT
from warehouse.relation import PublicationError, Relation, Shape, built_shape

LABELS = "dbt/models/docs/column_labels.csv"
LANGUAGES = ("kk", "ru", "en")
# The role of a column whose name is like this; the first that fits
ROLES = (
    (
        "provenance",
        r"(^|_)(release_key|snapshot_key|provenance_key|edition|capture|captures|sources|licence|attribution|derivation|code_source)$",
    ),
    (
        "provenance",
        r"^(source_row|position|url|request|method|sha256|manifest|retrieved_at|published_at|printed_by|printed_at|content_hash)$",
    ),
    ("key", r"_(key|code|id)$"),
    ("label", r"(^|_)(name|label)(_(kk|ru|en))?$"),
    ("flag", r"^(is|has)_"),
    ("attribute", r"^(latitude|longitude|tolerance|row_count|figure)$"),
)
# Types of what is measured, unless the name says that it is something else; whole numbers are years and orders, unless they have a unit
MEASURED = r"^(bigint|numeric|double precision)"
# Other names under which a mart has a member of a dimension
MEMBERS = dict.fromkeys(
    ("counterpart", "origin", "residence", "partner", "host", "destination", "before", "after", "group", "member"), "area"
)
# How far figures may be handed on, from the widest to the narrowest
HANDED_ON = ("open", "share-alike", "quote-only", "unknown")
# The key of a release, as a number and as text
RELEASE = ("release_key", "release_code")
PERIOD = ("period_kind", "period_start_date", "period_end_date")

CAPTURED = {
    "reconstructed": {
        "kk": "Жауаптар қолда бар деректер бойынша қалпына келтірілген.",
        "ru": "Ответы воссозданы по имеющимся данным.",
        "en": "The answers are reconstructed from figures at hand.",
    },
    "transcribed": {
        "kk": "Баспадан көшірілген.",
        "ru": "Переписано из печатного издания.",
        "en": "Transcribed from print.",
    },
}
CITED = {
    "kk": "{source}. {title}. {edition}Алынған күні: {retrieved}. {captured}Лицензия: {licence}. {attribution}",
    "ru": "{source}. {title}. {edition}Получено: {retrieved}. {captured}Лицензия: {licence}. {attribution}",
    "en": "{source}. {title}. {edition}Retrieved: {retrieved}. {captured}Licence: {licence}. {attribution}",
}
EDITION = {"kk": "Басылым: {}. ", "ru": "Издание: {}. ", "en": "Edition: {}. "}

# name: what a row is, the key, and of each column the type and what it says
TABLES: Mapping[str, tuple[str, tuple[str, ...], catalogue.Columns]] = {
    "columns": (
        "One row is one column of one relation of this schema: what it is, and whether it may be added up.",
        ("relation", "column"),
        {
            "relation": ("text", "Name of the relation."),
            "column": ("text", "Name of the column."),
            "position": ("integer", "Place of the column in the relation, from 1."),
            "type": ("text", "Type of the column."),
            "role": ("text", "key, label, measure, flag, attribute or provenance."),
            "unit": ("text", "What a measure counts; NULL for what is no measure."),
            "decimals": ("integer", "Digits that a measure shows behind the point; NULL for what is no measure."),
            "aggregation": ("text", "sum, over the dimensions in `over` alone, or none; NULL for what is no measure."),
            "over": (
                "text",
                "Dimensions over which a sum is right, joined by `, `; over any other one member is to be chosen. NULL: none.",
            ),
            "concept": ("text", "Whom a measure counts, from which length of stay, and whom it is known to miss; NULL: not stated."),
            "label_kk": ("text", "Label in Kazakh."),
            "label_ru": ("text", "Label in Russian."),
            "label_en": ("text", "Label in English."),
            "description": ("text", "What the column holds."),
        },
    ),
    "relationships": (
        "One row is one relation between two relations of this schema: from columns of the one to the key of the other.",
        ("from_relation", "from_columns", "to_relation"),
        {
            "from_relation": ("text", "The relation whose rows refer to another."),
            "from_columns": ("text", "Its columns that do, joined by `, `."),
            "to_relation": ("text", "The relation that is referred to."),
            "to_columns": ("text", "Its columns that are referred to, joined by `, `, in the same order."),
            "cardinality": ("text", "many-to-one or one-to-one."),
        },
    ),
    "citation": (
        "One row is one dataset of this publication: how to cite it, and how far its figures may be handed on.",
        ("dataset",),
        {
            "dataset": ("text", "Dataset, as source.dataset."),
            "title_kk": ("text", "Title in Kazakh."),
            "title_ru": ("text", "Title in Russian."),
            "title_en": ("text", "Title in English."),
            "citation_kk": ("text", "Ready citation in Kazakh."),
            "citation_ru": ("text", "Ready citation in Russian."),
            "citation_en": ("text", "Ready citation in English."),
            "licence": ("text", "Licence of the figures, of all who made them."),
            "attribution": ("text", "How to name those who made them."),
            "terms_url": ("text", "Where the terms are stated."),
            "redistribution": (
                "text",
                "How far the figures may be handed on: open with the attribution, share-alike under the same licence, quote-only single"
                " figures, unknown if nobody says.",
            ),
            "edition": ("text", "The agency's label of the latest release; of several slices that of the highest rank."),
            "retrieved_at": ("timestamp with time zone", "When the last of the answers came."),
            "captures": ("text", "How the bytes came here, joined by `, `."),
            "next_release": ("date", "The day on which the source says that it publishes again; NULL where it does not say."),
        },
    ),
}
# A publication has these anew; the others are as the code has them
OF_RELEASES = ("citation",)

_CITED = """
select r.source_code || '.' || r.dataset, r.source_code, r.dataset,
    string_agg(distinct by.licence, '; '), string_agg(distinct by.attribution, '; '),
    (array_agg(r.edition order by r.rank desc, r.release_key))[1],
    (select max(s.retrieved_at) from meta.release_snapshot as rs join meta.snapshot as s using (snapshot_key)
        where rs.release_key = any(array_agg(r.release_key))),
    array_agg(distinct r.capture), array_agg(distinct r.edition), bool_or(by.is_other)
from {0}.dim_release as r, lateral (
    select r.licence, r.attribution, false as is_other
    union all
    select made.licence, made.attribution, true from {0}.bridge_release_origin as made where made.release_key = r.release_key
) as by
where r.is_current group by 1, 2, 3 order by 1
"""


def write(connection: Connection, schema: str, manifest: Any) -> None:
    """Puts the tables of meaning into a built schema; without dbt's manifest only what follows from its releases.

    Raises `PublicationError` for a measure whose concept is no docs block, and for a model without what it must say.
    """
    filled: dict[str, list[tuple[Any, ...]]] = {"citation": citations(connection, schema)}
    if manifest is not None:
        shape = built_shape(connection, schema) | _own()
        filled |= {"columns": list(_columns(shape, manifest)), "relationships": list(_relationships(shape, manifest))}
    for name, rows in filled.items():
        remark, key, columns = TABLES[name]
        table = sql.Identifier(schema, name)
        listed = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, (kind, _) in columns.items())
        keyed = sql.SQL(", ").join(map(sql.Identifier, key))
        connection.execute(sql.SQL("create table {} ({}, primary key ({}))").format(table, listed, keyed))
        connection.execute(sql.SQL("comment on table {} is {}").format(table, sql.Literal(remark)))
        for column, (_, text) in columns.items():
            connection.execute(sql.SQL("comment on column {}.{} is {}").format(table, sql.Identifier(column), sql.Literal(text)))
        with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(table)) as copy:
            for row in rows:
                copy.write_row(row)


def _own() -> Shape:
    """The relations of the catalogue, before they are made."""
    told = {name: (remark, key, columns) for name, (remark, key, columns) in TABLES.items()}
    told |= {name: (remark, (), columns) for name, (remark, columns) in catalogue.TEXTS.items()}
    return {
        name: Relation(
            name, tuple((column, kind) for column, (kind, _) in columns.items()), key, remark,
            tuple((column, text) for column, (_, text) in columns.items()), view="" if key else "of all",
        )
        for name, (remark, key, columns) in told.items()
    }  # fmt: skip


@cache
def labels(root: Path = ROOT) -> dict[str, dict[str, str]]:
    """Of each column name its label by language."""
    with (root / LABELS).open(encoding="utf-8", newline="") as file:
        return {row["column"]: {language: row[language] for language in LANGUAGES} for row in csv.DictReader(file)}


def role_of(name: str, kind: str, meta: Mapping[str, Any]) -> str:
    """The role of a column: what its model states, else by the convention."""
    if stated := meta.get("role"):
        return str(stated)
    by_name = next((role for role, pattern in ROLES if re.search(pattern, name)), None)
    is_measure = "unit" in meta or (by_name is None and re.match(MEASURED, kind))
    return "measure" if is_measure else by_name or "attribute"


def decimals_of(kind: str, meta: Mapping[str, Any]) -> int | None:
    """The digits behind the point that a measure shows: as stated, else those of its type; None if neither says."""
    if "decimals" in meta:
        return int(meta["decimals"])
    scale = re.match(r"numeric\(\d+,(\d+)\)", kind)
    return int(scale[1]) if scale else 0 if kind in ("bigint", "integer", "smallint") else None


def _columns(shape: Shape, manifest: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of `bi.columns`: each column of each relation, under each name that readers see it by."""
    blocks = {block.name: block.block_contents for block in manifest.docs.values()}
    for relation in shape.values():
        node = manifest.nodes.get(f"model.koshi.{relation.name}")
        said = dict(relation.remarks)
        rows = []
        for position, (name, kind) in enumerate(relation.columns, 1):
            declared = node.columns.get(name) if node else None
            meta = dict(declared.meta) if declared else {}
            rows.append((position, name, kind, meta, declared.description.strip() if declared else said.get(name, "")))
        for shown, *_ in catalogue.variants(relation):
            for position, name, kind, meta, description in rows:
                yield (shown, name, position, kind, *_meant(relation.name, name, kind, meta, blocks), description)


def _meant(relation: str, name: str, kind: str, meta: Mapping[str, Any], blocks: Mapping[str, str]) -> tuple[Any, ...]:
    role, concept = role_of(name, kind, meta), meta.get("concept")
    if concept is not None and concept not in blocks:
        raise PublicationError(
            f"{relation}.{name}: the concept {concept!r} is no docs block of dbt/models/docs: write one, or name another"
        )
    label = labels().get(name, {}) | dict(meta.get("label") or {})
    named = tuple(label.get(language) for language in LANGUAGES)
    if role != "measure":
        return (role, None, None, None, None, blocks[concept] if concept else None, *named)
    over = ", ".join(meta.get("over") or ()) or None
    aggregation = str(meta.get("aggregation") or "none")
    return role, meta.get("unit"), decimals_of(kind, meta), aggregation, over, blocks[concept] if concept else None, *named


def _relationships(shape: Shape, manifest: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of `bi.relationships`: what facts and dimensions declare, and the members, periods and releases that marts name."""
    for relation in shape.values():
        ends = _declared_ends(relation, manifest) if relation.is_dimension or relation.is_fact else _ends_of_mart(relation, shape)
        for columns, to, keys in sorted(set(ends)):
            if to not in shape or to == relation.name:
                continue
            cardinality = "one-to-one" if set(columns) == set(relation.key) else "many-to-one"
            for shown, *_ in catalogue.variants(relation):
                yield shown, ", ".join(columns), to, ", ".join(keys), cardinality


Ends = Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]


def _declared_ends(relation: Relation, manifest: Any) -> Ends:
    """What tests and constraints of dbt declare of a fact or a dimension."""
    unique = f"model.koshi.{relation.name}"
    for node in manifest.nodes.values():
        test = getattr(node, "test_metadata", None)
        if test and test.name == "keys_resolve" and node.attached_node == unique:
            for key in test.kwargs["dimensions"]:
                yield (key["column"],), _name_in(key["to"]), (key["field"],)
    for name, column in manifest.nodes[unique].columns.items():
        for constraint in column.constraints:
            if constraint.type == "foreign_key":
                yield (name,), _name_in(constraint.to), tuple(constraint.to_columns)
    if relation.is_fact:
        yield ("release_key",), "dim_release", ("release_key",)


def _name_in(reference: str) -> str:
    return str(re.findall(r"\w+", reference.removeprefix("ref"))[-1])


def _ends_of_mart(relation: Relation, shape: Shape) -> Ends:
    """What the columns of a mart are by their names: codes of members, periods, releases."""
    kinds = dict(relation.columns)
    if catalogue.layer(relation.name) != "mart":
        return
    for name, kind in kinds.items():
        if name.endswith("_code") and (dimension := catalogue.dimension_of(name.removesuffix("_code"), shape, MEMBERS)):
            yield (name,), f"dim_{dimension}", (f"{dimension}_code",)
        key = next((column for column, other in shape["dim_release"].columns if column in RELEASE and other == kind), None)
        if name.endswith("release_key") and key:
            yield (name,), "dim_release", (key,)
    if set(PERIOD) <= set(kinds):
        yield PERIOD, "dim_period", PERIOD


@cache
def _declared(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Of each source what its `source.yml` declares."""
    return {file.parent.name: yaml.safe_load(file.read_text("utf-8")) for file in sorted((root / "extractors").glob("*/source.yml"))}


def citations(connection: Connection, schema: str) -> list[tuple[Any, ...]]:
    """The rows of `bi.citation` for the releases of a built schema. One that is no longer declared is cited by its code."""
    found = []
    rows = connection.execute(sql.SQL(_CITED).format(sql.Identifier(schema))).fetchall()
    for of, source, dataset, licence, attribution, edition, retrieved, captures, editions, has_others in rows:
        declared = _declared().get(source, {})
        said = declared.get("datasets", {}).get(dataset, {})
        titles = {language: " ".join(str(said.get("title", {}).get(language, of)).split()) for language in LANGUAGES}
        names = {language: " ".join(str(declared.get("name", {}).get(language, source)).split()) for language in LANGUAGES}
        cited = {
            language: CITED[language].format(
                source=names[language], title=titles[language], retrieved=f"{retrieved:%Y-%m-%d}" if retrieved else "?", licence=licence,
                attribution=attribution, edition="" if edition.startswith("retrieved ") else EDITION[language].format(edition),
                captured="".join(f"{CAPTURED[capture][language]} " for capture in captures if capture in CAPTURED),
            )
            for language in LANGUAGES
        }  # fmt: skip
        found.append((
            of, *titles.values(), *cited.values(), licence, attribution, declared.get("terms_url"), _narrowest(said, editions, has_others),
            edition, retrieved, ", ".join(captures), said.get("next_release"),
        ))  # fmt: skip
    return found


def _narrowest(said: Mapping[str, Any], editions: list[str], has_others: bool) -> str | None:
    """How far all may be handed on that these editions of a dataset hold; None for one that declares nothing."""
    if "redistribution" not in said:
        return None
    of_editions = said.get("redistribution_of_editions", {})
    found = [str(of_editions.get(edition, said["redistribution"])) for edition in editions]
    return max(found + [str(said.get("redistribution_of_others", "unknown"))] * has_others, key=HANDED_ON.index)
