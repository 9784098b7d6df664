"""Flows, population and stocks as SDMX: the current rows of three facts as SDMX-CSV 2.0, and their structure as SDMX-ML 3.0.

A figure that is missing has no OBS_VALUE, and OBS_STATUS says in which way. Labels in Kazakh and Russian are annotations of the codes:
pysdmx knows one language a name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from extractors.source import Redistribution
from reporting.export.copying import dump
from reporting.export.errors import ExportError
from reporting.export.terms import HANDED_OUT
from warehouse.connection import Connection

if TYPE_CHECKING:  # it reads what this module copies
    from reporting.export.read import Read

AGENCY, VERSION = "KOSHI", "1.0"
CONCEPTS, FOLDER, STRUCTURE = "CS_KOSHI", "sdmx", "structure.xml"
# What SDMX takes for the id of a code
CODE = re.compile(r"[A-Za-z0-9_@$\-]+")
FREQUENCIES = {
    "A": ("annual", "year"), "S": ("half-yearly", "half"), "Q": ("quarterly", "quarter"), "M": ("monthly", "month"),
    "_Z": ("not applicable: one day", "instant"), "_O": ("other: a range of months or days", ""),
}  # fmt: skip


@dataclass(frozen=True)
class Dimension:
    """A dimension of a flow: its concept, the column of the fact, and whose member of the star that is; "" for codes in words."""

    concept: str
    name: str
    column: str
    members: str = ""

    @property
    def codelist(self) -> str:
        """The id of its codelist: members of one dimension of the star share one."""
        return f"CL_{(self.members or self.concept).upper()}"


@dataclass(frozen=True)
class Flow:
    """A fact as a dataflow."""

    id: str
    name: str
    fact: str
    dimensions: tuple[Dimension, ...]
    own_attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def key(self) -> list[str]:
        """The concepts that tell its observations apart."""
        return ["FREQ", *(dimension.concept for dimension in self.dimensions), "TIME_PERIOD"]

    @property
    def attributes(self) -> dict[str, tuple[str, str]]:
        """Of each attribute what it is and where it comes from."""
        return {**ATTRIBUTES, **self.own_attributes}

    @property
    def file(self) -> str:
        """Where its data lie."""
        return f"{self.id.lower()}.csv"


def _members(*named: tuple[str, str, str, str]) -> tuple[Dimension, ...]:
    return tuple(Dimension(*each) for each in named)


SEX = ("SEX", "Sex", "sex_key", "sex")
AGE = ("AGE", "Age group", "age_group_key", "age_group")
ETHNICITY = ("ETHNICITY", "Ethnicity", "ethnicity_key", "ethnicity")
LOCALITY = ("LOCALITY", "Urban or rural", "locality_key", "locality")
CUBE = ("SOURCE_TABLE", "Table as its agency publishes it", "cube_key", "cube")
FLOWS = (
    Flow("MIGRATION_FLOWS", "Migration flows", "fct_migration_flow", _members(
        ("REF_AREA", "Area", "area_key", "area"), ("COUNTERPART_AREA", "The other end of the flow", "counterpart_area_key", "area"),
        ("DIRECTION", "Arrival, departure or balance", "direction", ""), ("SCOPE", "External, internal or all", "scope", ""),
        SEX, AGE, ("EDUCATION", "Education", "education_key", "education"), ("SPECIALTY", "Specialty", "specialty_key", "specialty"),
        ETHNICITY, LOCALITY, CUBE,
    )),
    Flow("POPULATION", "Population", "fct_population", _members(
        ("REF_AREA", "Area", "area_key", "area"), SEX, AGE, ETHNICITY, LOCALITY, CUBE,
    )),
    Flow("MIGRANT_STOCKS", "Migrant stocks", "fct_migrant_stock", _members(
        ("REF_AREA", "Area of residence", "residence_area_key", "area"), ("COUNTERPART_AREA", "Area of origin", "origin_area_key", "area"),
        SEX, AGE, CUBE,
    ), {
        "POPULATION_BASIS": ("Who is counted: B foreign-born, C foreign citizens, R refugees added, I imputed", "f.population_basis"),
        "ESTIMATE_KIND": ("Kind of estimate", "f.estimate_kind"),
    }),
)  # fmt: skip
PERIOD = {"FREQ": "Frequency", "TIME_PERIOD": "Period"}
MEASURE = {"OBS_VALUE": "Persons"}
# Of each attribute what it is and where it comes from; f is the fact, r the release, made its origin
ATTRIBUTES = {
    "OBS_STATUS": ("Status of the observation", "f.obs_status"),
    "UNIT_MEASURE": ("Unit", "'PS'"),
    "VALUE_MISSING_REASON": ("Why there is no value", "f.value_missing_reason"),
    "BREAK_KIND": ("Kind of break in the series", "f.break_kind"),
    "DERIVATION": ("How the value was derived; empty: as sourced", "f.derivation"),
    "CAPTURE": ("How the bytes came", "f.capture"),
    "EDITION": ("Edition", "r.edition"),
    "RELEASE": ("Release, 16 hexadecimal digits", "lpad(to_hex(f.release_key), 16, '0')"),
    "LICENCE": ("Licence", "coalesce(made.licence, r.licence)"),
    "ATTRIBUTION": ("How to name the source", "coalesce(made.attribution, r.attribution)"),
}
MANDATORY = ("OBS_STATUS", "UNIT_MEASURE", "CAPTURE", "EDITION", "RELEASE")
WHOLE_YEAR = "p.period_start_date = date_trunc('year', p.period_start_date)::date"
TIME_PERIOD = f"""
case
    when p.period_kind = 'year' and {WHOLE_YEAR} then to_char(p.period_start_date, 'YYYY')
    when p.period_kind = 'half' then to_char(p.period_start_date, 'YYYY') || '-S' || ceil(extract(month from p.period_start_date) / 6.0)
    when p.period_kind = 'quarter' then to_char(p.period_start_date, 'YYYY"-Q"Q')
    when p.period_kind = 'month' then to_char(p.period_start_date, 'YYYY-MM')
    when p.period_kind = 'instant' then p.period_start_date::text
    when extract(day from p.period_start_date) = 1 and extract(day from p.period_end_date + 1) = 1
        then p.period_start_date || '/P' || (
            12 * (extract(year from p.period_end_date + 1) - extract(year from p.period_start_date))
            + extract(month from p.period_end_date + 1) - extract(month from p.period_start_date)
        ) || 'M'
    else p.period_start_date || '/P' || (p.period_end_date - p.period_start_date + 1) || 'D'
end
"""
FREQ = f"""
case
    when p.period_kind = 'year' and not {WHOLE_YEAR} then '_O'
    {" ".join(f"when p.period_kind = '{kind}' then '{code}'" for code, (_, kind) in FREQUENCIES.items() if kind)}
    else '_O'
end
"""
# SDMX takes neither the dot of a table's name nor the plus of regions that are published as one
WORDS = "translate({}::text, '.+', '-_')"


@dataclass(frozen=True)
class Member:
    """A code with its names."""

    code: str
    names: tuple[str, str, str]


@dataclass(frozen=True)
class Copied:
    """What was read for SDMX: the members of each codelist; by flow and class a CSV file of rows, and the datasets that they are of."""

    members: dict[str, list[Member]]
    files: dict[tuple[str, Redistribution], Path]
    datasets: dict[tuple[str, Redistribution], list[str]]


def copy(connection: Connection, read: Read, folder: Path) -> None:
    """Copies the rows of the three facts, and the members that they are about. Rows that may not be handed out are counted."""
    members, files, datasets = dict[str, list[Member]](), dict[tuple[str, Redistribution], Path](), {}
    for flow in FLOWS:
        fact = f"{flow.fact}_all" if f"{flow.fact}_all" in read.relations else flow.fact
        if fact not in read.relations:
            raise ExportError(f"bi.{flow.fact} is not there, and SDMX is made of it: mend the mapping in reporting/export/sdmx.py")
        for dimension in flow.dimensions:
            known = members.setdefault(dimension.codelist, [])
            known += [member for member in _of_dimension(connection, dimension, fact) if member not in known]
        for may, held in _handed_out(connection, read, fact).items():
            files[flow.id, may] = folder / f"{FOLDER}.{flow.file}.{may}.csv"
            datasets[flow.id, may] = sorted({read.releases[key].dataset for key in held})
            _dump(connection, flow, fact, held, files[flow.id, may])
    members["CL_OBS_STATUS"] = _of_dimension(connection, Dimension("OBS_STATUS", "", "", "obs_status"), "")
    for name, found in members.items():
        if len({member.code for member in found}) < len(found):
            raise ExportError(f"{name}: two codes are one once SDMX can take them (reporting/export/sdmx.py, WORDS)")
    read.sdmx = Copied(members, files, datasets)


def _handed_out(connection: Connection, read: Read, fact: str) -> dict[Redistribution, dict[str, set[int]]]:
    """By class the releases of a fact's rows with the periods of these rows; what may not be handed out is counted instead."""
    rows = connection.execute(
        sql.SQL(
            "select lpad(to_hex(f.release_key), 16, '0'), f.period_key, p.period_start_date, p.period_end_date, count(*)"
            " from {} as f join bi.dim_period as p using (period_key) group by 1, 2, 3, 4 order by 1, 2"
        ).format(sql.Identifier("bi", fact))
    ).fetchall()
    found: dict[Redistribution, dict[str, set[int]]] = {}
    for key, period_key, first, last, count in rows:
        release = read.releases[key]
        may = release.may((first, last))
        if may in HANDED_OUT:
            found.setdefault(may, {}).setdefault(key, set()).add(period_key)
        else:
            read.leave_out(fact, may, count, {(first, last)}, {release.dataset})
    return found


def _of_dimension(connection: Connection, dimension: Dimension, fact: str) -> list[Member]:
    if not dimension.members:
        word = sql.SQL(WORDS).format(sql.Identifier(dimension.column))
        rows = connection.execute(
            sql.SQL('select distinct {} collate "C" from {} order by 1').format(word, sql.Identifier("bi", fact))
        ).fetchall()
        return [Member(_code(dimension, code), (code, code, code)) for (code,) in rows]
    code, *names = (sql.Identifier(f"{dimension.members}_{each}") for each in ("code", "name_kk", "name_ru", "name_en"))
    table = sql.Identifier("bi", f"dim_{dimension.members}")
    query = sql.SQL('select {}, {} from {} order by {} collate "C"').format(
        sql.SQL(WORDS).format(code), sql.SQL(", ").join(names), table, code
    )
    return [Member(_code(dimension, row[0]), (row[1], row[2], row[3])) for row in connection.execute(query).fetchall()]


def _code(dimension: Dimension, code: str | None) -> str:
    if code is None or not CODE.fullmatch(code):
        raise ExportError(f"{dimension.concept}: {code!r} is no code that SDMX takes: expected letters, digits, _, @, $ and -")
    return code


def _dump(connection: Connection, flow: Flow, fact: str, held: Mapping[str, set[int]], file: Path) -> None:
    """Copies the rows of these releases and periods, each component a column. Raises `ExportError` where two rows have one key."""
    joins, codes = list[sql.Composable](), list[sql.Composable]()
    pairs = [(key, period) for key in sorted(held) for period in sorted(held[key])]
    for place, dimension in enumerate(flow.dimensions):
        column, concept = sql.Identifier("f", dimension.column), sql.Identifier(dimension.concept)
        if dimension.members:
            alias, key = sql.Identifier(f"d{place}"), sql.Identifier(f"{dimension.members}_key")
            joins.append(
                sql.SQL("join {} as {} on {} = {}.{}").format(sql.Identifier("bi", f"dim_{dimension.members}"), alias, column, alias, key)
            )
            column = sql.SQL("{}.{}").format(alias, sql.Identifier(f"{dimension.members}_code"))  # type: ignore[assignment]
        codes.append(sql.SQL(WORDS + " as {}").format(column, concept))
    attributes = [sql.SQL(asked + " as {}").format(sql.Identifier(name)) for name, (_, asked) in flow.attributes.items()]
    query = sql.SQL(
        'select {} as "FREQ", {}, {} as "TIME_PERIOD", trim_scale(f.value)::text as "OBS_VALUE", {} from {} as f'
        " join bi.dim_period as p using (period_key) join bi.dim_release as r using (release_key)"
        " left join bi.bridge_release_origin as made on f.release_key = made.release_key and f.period_key = made.period_key {}"
        " where (f.release_key, f.period_key) in (select * from unnest({}::bigint[], {}::bigint[]))"
    ).format(
        sql.SQL(FREQ), sql.SQL(", ").join(codes), sql.SQL(TIME_PERIOD), sql.SQL(", ").join(attributes), sql.Identifier("bi", fact),
        sql.SQL(" ").join(joins), sql.Literal([_signed(key) for key, _ in pairs]), sql.Literal([period for _, period in pairs]),
    )  # fmt: skip
    by = sql.SQL(", ").join(sql.SQL('{} collate "C"').format(sql.Identifier(concept)) for concept in flow.key)
    dump(connection, sql.SQL("select * from ({}) as each order by {}").format(query, by), file)


def _signed(key: str) -> int:
    return int.from_bytes(bytes.fromhex(key), "big", signed=True)


def write(read: Read, may: Redistribution, folder: Path) -> list[tuple[Flow, Path, int]]:
    """Writes structure and data of a class into `folder`; returns flow, file and rows of each. No rows, no folder."""
    from pysdmx.io.csv.sdmx20.writer import write as write_csv
    from pysdmx.io.pd import PandasDataset
    from pysdmx.io.xml.sdmx30.writer.structure import write as write_xml
    from pysdmx.model import Organisation
    from pysdmx.model.message import Header

    flows = [flow for flow in FLOWS if (flow.id, may) in read.sdmx.files]
    if not flows:
        return []
    folder.mkdir(parents=True)
    structures = _structures(read, flows)
    header = Header(id=f"KOSHI-{read.name}", prepared=read.published_at, sender=Organisation(id=AGENCY))
    (folder / STRUCTURE).write_text(str(write_xml(structures, header=header)), encoding="utf-8")
    written = []
    for flow in flows:
        frame = _frame(flow, read.sdmx.files[flow.id, may])
        text = str(write_csv([PandasDataset(structure=_as_text(flow), data=frame)]))
        (folder / flow.file).write_text(text, encoding="utf-8")
        written.append((flow, folder / flow.file, len(frame)))
    return written


def _frame(flow: Flow, file: Path) -> Any:
    import pandas as pd  # pysdmx takes frames alone; every value in this one is text

    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    frame = pd.DataFrame(rows, dtype=str)
    if (twice := frame.duplicated(flow.key)).any():
        said = ".".join(frame[twice].iloc[0][flow.key])
        raise ExportError(f"{flow.id}: two current observations of {said}: a dimension is missing in reporting/export/sdmx.py")
    return frame


def _as_text(flow: Flow) -> Any:
    """The components of a flow with every value as text: pysdmx would write a number of another type."""
    from pysdmx.model.dataflow import Component, Components, Role, Schema

    components = [
        Component(each.id, each.required, each.role, each.concept, attachment_level="O" if each.role == Role.ATTRIBUTE else None)
        for each in _components(flow, {})
    ]
    return Schema("dataflow", AGENCY, flow.id, Components(components), VERSION)


def _components(flow: Flow, codelists: dict[str, Any]) -> list[Any]:
    from pysdmx.model import Concept, DataType
    from pysdmx.model.dataflow import Component, Role

    def component(concept: str, name: str, role: Any, *, codes: str = "", kind: Any = None, required: bool = True) -> Any:
        urn = f"urn:sdmx:org.sdmx.infomodel.conceptscheme.Concept={AGENCY}:{CONCEPTS}({VERSION}).{concept}"
        listed = codelists.get(codes)
        return Component(
            concept, required, role, Concept(id=concept, name=name, urn=urn),
            local_codes=listed, local_dtype=None if listed else kind, attachment_level="O" if role == Role.ATTRIBUTE else None,
        )  # fmt: skip

    found = [component("FREQ", PERIOD["FREQ"], Role.DIMENSION, codes="CL_FREQ")]
    found += [component(each.concept, each.name, Role.DIMENSION, codes=each.codelist) for each in flow.dimensions]
    found.append(component("TIME_PERIOD", PERIOD["TIME_PERIOD"], Role.DIMENSION, kind=DataType.PERIOD))
    found.append(component("OBS_VALUE", MEASURE["OBS_VALUE"], Role.MEASURE, kind=DataType.DECIMAL, required=False))
    for concept, (name, _) in flow.attributes.items():
        codes = f"CL_{concept}"
        found.append(component(concept, name, Role.ATTRIBUTE, codes=codes, kind=DataType.STRING, required=concept in MANDATORY))
    return found


def _structures(read: Read, flows: Sequence[Flow]) -> list[Any]:
    from pysdmx.model import ConceptScheme
    from pysdmx.model.dataflow import Components, Dataflow, DataStructureDefinition

    used = {"CL_FREQ", "CL_UNIT_MEASURE", "CL_OBS_STATUS", *(each.codelist for flow in flows for each in flow.dimensions)}
    members = {"CL_FREQ": [Member(code, (name, name, name)) for code, (name, _) in FREQUENCIES.items()]}
    members |= {"CL_UNIT_MEASURE": [Member("PS", ("адам", "человек", "persons"))]} | dict(sorted(read.sdmx.members.items()))
    codelists = {name: _codelist(name, found) for name, found in members.items() if name in used}
    definitions, concepts = list[Any](), dict[str, Any]()
    for flow in flows:
        components = _components(flow, codelists)
        concepts |= {each.id: each.concept for each in components if each.id not in concepts}
        structure = DataStructureDefinition(
            id=f"DSD_{flow.id}", name=flow.name, agency=AGENCY, version=VERSION, components=Components(components)
        )
        definitions += [structure, Dataflow(id=flow.id, name=flow.name, agency=AGENCY, version=VERSION, structure=structure)]
    scheme = ConceptScheme(id=CONCEPTS, name="Concepts", agency=AGENCY, version=VERSION, items=list(concepts.values()))
    return [*codelists.values(), scheme, *definitions]


def _codelist(name: str, members: Sequence[Member]) -> Any:
    from pysdmx.model import Annotation, Code, Codelist

    items = []
    for member in members:
        kk, ru, en = member.names
        other = [Annotation(id=language, type="NAME", text=said) for language, said in (("kk", kk), ("ru", ru)) if said != en]
        items.append(Code(id=member.code, name=en, annotations=other))
    return Codelist(id=name, name=name.removeprefix("CL_").replace("_", " ").capitalize(), agency=AGENCY, version=VERSION, items=items)
