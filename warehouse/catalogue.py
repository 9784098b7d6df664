"""The two relations of `bi` that are views of all the others: what is there (`catalogue`), and where each figure came from (`provenance`).

They cost a publication nothing: what they count and join is counted and joined when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from warehouse.relation import Relation, Shape

# The text key of a fact row: the keys that tell it apart, bit by bit in one, as 16 hexadecimal digits. A fact has an index on it.
PROVENANCE_KEY = "lpad(to_hex({0}series_key # {0}period_key # {0}release_key), 16, '0')"
RELEASE_KEY = "release_key"
# Columns of facts that tell rows apart and are no keys
TOLD_APART = ("direction", "scope", "measure")

PROVENANCE = (
    "One row is one fact row: the release, the archived answer and the place in it that the figure was read at. A row of a mart finds its"
    " facts by release_key, period and the members in `about`; `python pipeline.py trace` does it."
)
CATALOGUE = "One row is one relation of this schema: what a row of it is, how many there are, of which years and datasets."
# Of each column the type and what it says
Columns = Mapping[str, tuple[str, str]]
PROVENANCE_COLUMNS: Columns = {
    "provenance_key": (
        "text",
        "Key of the fact row: its series_key, period_key and release_key, combined bit by bit (#), as 16 hexadecimal digits.",
    ),
    "relation": ("text", "The fact that has the row; rows of earlier vintages are in the relation _vintage."),
    "about": ("text", "Members of the dimensions that the figure is about, as dimension=code, joined by `; `."),
    "period_label": ("text", "Period of the figure."),
    "period_start_date": ("date", "First day of the period."),
    "period_end_date": ("date", "Last day of the period."),
    "figure": ("numeric", "The figure, in the unit of the fact; NULL where there is none."),
    "derivation": ("text", "How the figure follows from what stands at the position; NULL: it stands there as it is."),
    "source_code": ("text", "Source."),
    "dataset": ("text", "Dataset."),
    "edition": ("text", "The agency's label of the vintage."),
    "is_current": ("boolean", "Whether the release is the latest vintage of its slice."),
    "release_key": ("text", "Release, as 16 hexadecimal digits: what marts call release_key."),
    "snapshot_key": ("text", "Archived answer, as 16 hexadecimal digits."),
    "position": ("text", "Where in the answer the figure stands: a JSON pointer, a cell, a line; several joined by `; `."),
    "method": ("text", "How the question was put: GET or POST."),
    "url": ("text", "Address that was asked."),
    "request": ("text", "What was asked there: parameters and form, as JSON."),
    "retrieved_at": ("timestamp with time zone", "When the answer came."),
    "sha256": ("text", "Digest of the bytes; they lie in the archive below snapshots/, under its first two digits and itself."),
    "manifest": ("text", "File of the archive that says all that is known of the answer."),
    "capture": ("text", "How the bytes came here: live, recorded, reconstructed or transcribed."),
    "licence": ("text", "Licence of the figure, of the agency that made it."),
    "attribution": ("text", "How to name the agency that made it."),
}
CATALOGUE_COLUMNS: Columns = {
    "relation": ("text", "Name of the relation."),
    "layer": ("text", "dimension, bridge, fact, mart or catalogue."),
    "variant": ("text", "default: what a plain query adds up; all: rows of every kind and agency; vintage: of every vintage; latest."),
    "grain": ("text", "What one row is."),
    "description": ("text", "What the relation has, and how to use it."),
    "row_count": ("bigint", "Rows, counted when asked; NULL for this relation."),
    "first_year": ("integer", "First year of its figures; NULL where rows have no year."),
    "last_year": ("integer", "Last year of its figures; NULL where rows have no year."),
    "sources": ("text", "Sources of its figures, joined by `, `; NULL where rows name no release."),
    "datasets": ("text", "Datasets of its figures, as source.dataset, joined by `, `; NULL where rows name no release."),
    "captures": ("text", "How the bytes behind its figures came here, joined by `, `."),
    "status": ("text", "provisional in part: its source calls a row so; not stated: none; NULL where rows do not say."),
    "next_release": ("date", "The first day on which a source of it says that it publishes again; NULL where none says so."),
    "next_release_missing_reason": ("text", "Why next_release is NULL."),
    "publication_number": ("integer", "Number of the publication that readers see."),
    "published_at": ("timestamp with time zone", "When it was published here."),
}
TEXTS: Mapping[str, tuple[str, Columns]] = {
    "provenance": (PROVENANCE, PROVENANCE_COLUMNS),
    "catalogue": (CATALOGUE, CATALOGUE_COLUMNS),
}
# What the views join: where one is not served, neither view is
JOINED = ("dim_release", "dim_period", "bridge_release_origin", "citation")


def definitions(shape: Shape) -> dict[str, str]:
    """The views over these relations, each after those that it reads."""
    facts = [relation for relation in shape.values() if relation.is_fact]
    if not facts or any(name not in shape for name in JOINED):
        return {}
    provenance = " union all ".join(_provenance(shape, fact) for fact in facts)
    counted = " union all ".join(_counted(each, *variant) for each in shape.values() if not each.view for variant in variants(each))
    more = " union all ".join(_said(name, remark, "null::bigint") for name, (remark, _) in TEXTS.items())
    return {"provenance": provenance, "catalogue": _OF_ALL.format(counted=f"{counted} union all {more}")}


def variants(relation: Relation) -> Iterator[tuple[str, str, str]]:
    """Of each relation that readers see of this one its name, its variant and what is said of it."""
    yield relation.name, "latest" if relation.name.endswith("_latest") else "default", relation.plain_remark
    for name, _, remark in relation.views():
        yield name, name.removeprefix(f"{relation.name}_"), remark


def layer(name: str) -> str:
    """The layer of a relation, by its name."""
    known = {"dim_": "dimension", "bridge_": "bridge", "fct_": "fact"}
    catalogue = (*TEXTS, "columns", "relationships", "citation")
    return "catalogue" if name in catalogue else next((said for start, said in known.items() if name.startswith(start)), "mart")


def grain(remark: str) -> str:
    """The first sentence of what is said of a relation."""
    return remark.partition(". ")[0].rstrip(".") + "."


def _literal(text: Any) -> str:
    return sql.Literal(text).as_string()


def _text_key(column: str) -> str:
    return f"lpad(to_hex({column}), 16, '0')"


def _provenance(shape: Shape, fact: Relation) -> str:
    """Where the rows of a fact came from, those of earlier vintages among them."""
    members, joins = list[str](), list[str]()
    for column in [name for name in fact.names if name.endswith("_key") and name not in ("period_key", "release_key")]:
        stem = column.removesuffix("_key")
        if dimension := dimension_of(stem, shape):
            members.append(f"{_literal(stem + '=')} || {stem}.{dimension}_code")
            joins.append(f"left join bi.dim_{dimension} as {stem} on fact.{column} = {stem}.{dimension}_key")
    members += [f"{_literal(column + '=')} || fact.{column}" for column in TOLD_APART if column in fact.names]
    derivation = "fact.derivation" if "derivation" in fact.names else "null::text"
    return f"""
select
    {PROVENANCE_KEY.format("fact.")} as provenance_key, {_literal(fact.name)}::text as relation,
    concat_ws('; ', {", ".join(members)}) as about, period.period_label, period.period_start_date, period.period_end_date,
    fact.value::numeric as figure, {derivation} as derivation,
    of.source_code, of.dataset, of.edition, of.is_current,
    {_text_key("of.release_key")} as release_key, {_text_key("fact.snapshot_key")} as snapshot_key, fact.source_row as position,
    answer.method, answer.url, answer.request::text as request, answer.retrieved_at, answer.sha256, answer.manifest, answer.capture,
    coalesce(made.licence, of.licence) as licence, coalesce(made.attribution, of.attribution) as attribution
from bi.{fact.widest} as fact
join bi.dim_release as of on fact.release_key = of.release_key
left join bi.dim_period as period on fact.period_key = period.period_key
left join bi.bridge_release_origin as made on fact.release_key = made.release_key and fact.period_key = made.period_key
left join meta.snapshot as answer on fact.snapshot_key = answer.snapshot_key
{" ".join(joins)}
"""


def dimension_of(stem: str, shape: Shape, names: Mapping[str, str] | None = None) -> str | None:
    """The dimension whose members a column with this stem has: `departure_area` has areas; `names` are other names of dimensions."""
    words = stem.split("_")
    for end in ("_".join(words[at:]) for at in range(len(words))):
        name = (names or {}).get(end, end)
        if f"dim_{name}" in shape and {f"{name}_key", f"{name}_code"} <= {*shape[f"dim_{name}"].names}:
            return name
    return None


def _said(name: str, remark: str, rows: str, variant: str = "default", of: str = "") -> str:
    said = [name, layer(name.removesuffix(f"_{variant}")), variant, grain(remark), remark]
    columns = ("relation", "layer", "variant", "grain", "description")
    texts = ", ".join(f"{_literal(text)}::text as {column}" for text, column in zip(said, columns, strict=True))
    return f"select {texts}, {rows} as row_count" + (of or ", null::integer as first_year, null::integer as last_year,"
                                                          " null::boolean as is_provisional, null::text[] as release_keys")  # fmt: skip


def _counted(relation: Relation, name: str, variant: str, remark: str) -> str:
    """A relation with what its own rows say."""
    kinds, here = dict(relation.columns), f"bi.{name}"
    years = (
        f"from {here}" if kinds.get("year") == "integer"
        else f"from bi.dim_period where period_key in (select period_key from {here})" if "period_key" in kinds else ""
    )  # fmt: skip
    first, last = (f"(select {each}(year) {years})" if years else "null::integer" for each in ("min", "max"))
    provisional = f"(select coalesce(bool_or(is_provisional), false) from {here})" if "is_provisional" in kinds else "null::boolean"
    keys = [column for column in relation.names if column.endswith(RELEASE_KEY)]
    if relation.is_fact:  # an index finds each release
        found = f"exists (select from {here} as f where f.release_key = r.release_key)"
        releases = f"select {_text_key('r.release_key')} from bi.dim_release as r where {found}"
    elif keys and name != "dim_release":
        keyed = f"select distinct key from {here}, unnest(array[{', '.join(keys)}]) as key where key is not null"
        releases = f"select {_text_key('key') if kinds[keys[0]] == 'bigint' else 'key'} from ({keyed}) as each_key"
    else:
        releases = ""
    of = f", {first} as first_year, {last} as last_year, {provisional} as is_provisional"
    of += f", array({releases}) as release_keys" if releases else ", null::text[] as release_keys"
    return _said(name, remark, f"(select count(*) from {here})", variant, of)


_OF_ALL = """
select
    each.relation, each.layer, each.variant, each.grain, each.description, each.row_count, each.first_year, each.last_year,
    of.sources, of.datasets, of.captures,
    case when each.is_provisional then 'provisional in part' when not each.is_provisional then 'not stated' end as status,
    of.next_release,
    case
        when each.release_keys is null then 'its rows name no release'
        when of.next_release is null then 'no source of it declares one'
    end as next_release_missing_reason,
    shown.number as publication_number, shown.published_at
from ({counted}) as each
left join lateral (
    select
        string_agg(distinct r.source_code, ', ') as sources,
        string_agg(distinct r.source_code || '.' || r.dataset, ', ') as datasets,
        string_agg(distinct r.capture, ', ') as captures,
        min(c.next_release) as next_release
    from bi.dim_release as r left join bi.citation as c on c.dataset = r.source_code || '.' || r.dataset
    where lpad(to_hex(r.release_key), 16, '0') = any(each.release_keys)
) as of on true
left join (select number, published_at from meta.publication where is_current) as shown on true
"""
