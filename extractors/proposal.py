"""A folder for a new source, proposed from one of its answers: flat records, and the contract of their staging.

What an answer shows is written down; what only a person can know stands there as what is true until then, with `FIXME` beside it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extractors.decode import decode_json, decode_table, escaped, member_of
from extractors.records.answer import EDITION
from extractors.rows import ContractError
from extractors.source import SourceError
from warehouse.profile import ROOT

NUMBER = re.compile(r"-?\d+(\.\d+)?")
FORMS = {"year": r"(19|20)\d\d", "month": r"(19|20)\d\d-\d\d", "day": r"(19|20)\d\d-\d\d-\d\d"}
# Texts of a column that tells indicators apart
KINDS = 12
# Shares of the texts of a column that must be what it is taken for
MOST, HALF = 0.9, 0.5


@dataclass
class Seen:
    """What an answer is: where its records lie, their fields with the texts of each, and what stands beside them."""

    form: str
    texts: dict[str, list[str]]
    count: int
    at: str = ""
    member: str = ""
    delimiter: str = ","
    beside: dict[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


def look(body: bytes) -> Seen:
    """What the answer is. Raises `SourceError` for one that holds no list of records, with what was looked for."""
    try:
        if body.startswith(b"PK\x03\x04"):
            members = [name for name in zipfile.ZipFile(io.BytesIO(body)).namelist() if name.endswith(".csv")]
            if len(members) != 1:
                raise SourceError(
                    f"expected a ZIP with one .csv, found {', '.join(members) or 'none'}: unpack it, and name `member` by hand"
                )
            return _csv(member_of(body, members[0]), members[0])
        return _json(body) if body.lstrip()[:1] in (b"[", b"{") else _csv(body)
    except (ContractError, zipfile.BadZipFile) as error:
        raise SourceError(f"the answer cannot be read as JSON, CSV or a ZIP with a CSV: {error}") from error


def _csv(body: bytes, member: str = "") -> Seen:
    first = body.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    delimiter = max(",;\t|", key=first.count)
    header, lines = decode_table(body, delimiter)
    rows = [cells for _, cells in lines]
    return Seen("csv", {name: [row[at] for row in rows] for at, name in enumerate(header)}, len(rows), "", member, delimiter)


def _json(body: bytes) -> Seen:
    document = decode_json(body)
    lists = sorted(_lists(document), key=lambda found: -len(found[1]))
    if not lists:
        raise SourceError("the answer holds no list of objects, and no list of lists with a header: expected one of records")
    at, found = lists[0]
    if isinstance(found[0], dict):
        names = {name: None for record in found for name in record}
        texts = {name: [_text(record.get(name)) for record in found] for name in names}
        optional = frozenset(name for name in names if any(name not in record for record in found))
        return Seen("json", texts, len(found), at, beside=dict(_beside(document, at)), optional=optional)
    texts = {name: [_text(row[place]) for row in found[1:]] for place, name in enumerate(found[0])}
    return Seen("table", texts, len(found) - 1, at, beside=dict(_beside(document, at)))


def _lists(document: Any, at: str = "") -> Iterator[tuple[str, list[Any]]]:
    """The lists of records in a document, with their places."""
    if isinstance(document, list) and document and all(isinstance(each, dict) for each in document):
        yield at, document
    elif isinstance(document, list) and len(document) > 1 and all(isinstance(each, list) for each in document):
        if all(isinstance(name, str) for name in document[0]) and len({len(each) for each in document}) == 1:
            yield at, document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from _lists(value, f"{at}/{escaped(key)}")


def _beside(document: Any, at: str, here: str = "") -> Iterator[tuple[str, str]]:
    """What stands beside the list, by place."""
    if isinstance(document, dict):
        for key, value in document.items():
            place = f"{here}/{escaped(key)}"
            if at != place and at.startswith(f"{place}/"):
                yield from _beside(value, at, place)
            elif at != place:
                yield place, _text(value)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


@dataclass
class Roles:
    """What the fields of an answer are taken for: columns by field, and the parts of the contract."""

    columns: dict[str, str]
    period: str = ""
    form: str = "year"
    ends: list[tuple[str, str, list[str]]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    indicator: str = ""
    gaps: list[str] = field(default_factory=list)


def roles(seen: Seen, root: Path) -> Roles:
    """What each field is taken for. Raises `SourceError` where no field holds periods, or none figures: that is not regular."""
    found, systems = Roles(_columns(seen.texts)), _systems(root)
    known = {name: [text.strip() for text in texts if text.strip()] for name, texts in seen.texts.items()}
    known = {name: texts for name, texts in known.items() if texts and not any(text[0] in "[{" or text in YES_OR_NO for text in texts)}
    found.period = next((name for name, texts in known.items() if _form(texts)), "")
    found.form = _form(known.pop(found.period, [])) or "year"
    areas = {name: codes for name, texts in known.items() if (codes := _codes(texts, systems))}
    found.ends = _ends(areas, known, systems)
    for name, texts in known.items():
        if name in areas:
            continue
        if _share(texts, NUMBER.fullmatch) >= HALF and not re.search(r"(?i)(^|_)(id|index|no|nr)$", name):
            found.figures.append(name)
            found.gaps += [text for text in sorted({*texts}) if not NUMBER.fullmatch(text) and text not in found.gaps]
        elif 1 < len({*texts}) <= KINDS and not found.indicator:
            found.indicator = name
    if not found.period or not found.figures:
        lacking, there = "figures" if found.period else "periods (years, months or days)", ", ".join(seen.texts)
        raise SourceError(f"no field of the answer holds {lacking}; there are {there}. Write the folder by hand: docs/add-a-source.md")
    if len(found.figures) > 1:
        found.indicator = ""
    return found


def _codes(texts: list[str], systems: dict[str, set[str]]) -> str:
    """The system that most of these texts are codes of areas in; empty if there is none."""
    return next((codes for codes, known in systems.items() if _share(texts, known.__contains__) >= MOST), "")


def _ends(areas: dict[str, str], known: dict[str, list[str]], systems: dict[str, set[str]]) -> list[tuple[str, str, list[str]]]:
    """At most two fields that say areas, each with its system and the texts that are none of its codes; codes go before names.

    A field that says an area again (`coo_name` beside `coo_iso`) is known by the beginning of its name.
    """
    order, taken = list(systems), dict[str, str]()
    unknown = {name: sorted({*known[name]} - systems[codes]) for name, codes in areas.items()}
    for name in sorted(areas, key=lambda name: (order.index(areas[name]), len(unknown[name]))):
        taken.setdefault(name.partition("_")[0], name)
    names = [name for name in areas if name in [*taken.values()][:2]]
    return [(name, areas[name], unknown[name]) for name in names]


def _form(texts: list[str]) -> str:
    """How all of these periods are spelled; empty if they are none."""
    return next((form for form, spelled in FORMS.items() if all(re.fullmatch(spelled, text) for text in texts)), "")


def _share(texts: list[str], is_so: Any) -> float:
    """The share of the texts of which it is so."""
    return sum(bool(is_so(text)) for text in texts) / len(texts)


def _systems(root: Path) -> dict[str, set[str]]:
    """The codes of areas by system, the surest first."""
    with (root / "dbt/seeds/area.csv").open(encoding="utf-8", newline="") as file:
        areas = list(csv.DictReader(file))
    with (root / "dbt/seeds/area_alias.csv").open(encoding="utf-8", newline="") as file:
        names = {row["alias"] for row in csv.DictReader(file) if row["scheme"] == "un_name"}
    known = {name: {row[f"{name}_code"] for row in areas if row[f"{name}_code"]} for name in ("iso3", "iso2")}
    return known | {"un_name": names}


def _columns(fields: Any) -> dict[str, str]:
    """A column for each field: its name in small letters, or a number where that is none."""
    found: dict[str, str] = {}
    for number, name in enumerate(fields, 1):
        column = re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()).strip("_")[:50]
        column = column if re.match(r"[a-z]", column) else f"field_{number}"
        found[name] = column if column not in found.values() else f"{column}_{number}"
    return found


def _quoted(text: str) -> str:
    """A text as YAML takes it wherever it stands."""
    return text if re.fullmatch(r"[A-Za-z_][\w ]*", text) and text.lower() not in YES_OR_NO else json.dumps(text, ensure_ascii=False)


YES_OR_NO = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def _listed(pairs: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_quoted(key)}: {_quoted(value)}" for key, value in pairs.items()) + "}"


def written(source: str, dataset: str, seen: Seen, found: Roles) -> str:
    """The text of `source.yml`."""
    return "\n".join([*_head(source), *_dataset(source, dataset), *_records(seen, found), *_staging(found, seen), ""])


def _labels(text: str, of: str) -> str:
    return f"{{kk: {_quoted(text)}, ru: {_quoted(text)}, en: {_quoted(text)}}} # FIXME: {of} in Kazakh, Russian and English"


def _head(source: str) -> Iterator[str]:
    yield from (f"name: {_labels(source, 'the agency')}", "base_urls:")
    yield f"  api: https://{source}.invalid # FIXME: where the agency answers, without the path"
    yield "licence: unknown # FIXME: as the agency names it"
    yield "terms_url: unknown # FIXME: where the agency says so"
    yield f"attribution: {_quoted(source)} # FIXME: how the agency wants to be named"


def _dataset(source: str, dataset: str) -> Iterator[str]:
    yield from ("datasets:", f"  {dataset}:", f"    title: {_labels(dataset, 'the dataset')}")
    yield from (f"    shape: {source}_{dataset}", "    slices: delivered whole")
    yield "    redistribution: unknown # FIXME: open, share-alike, quote-only; unknown if nobody says"
    yield from ("    request:", "      base: api", f"      path: /{dataset} # FIXME: the address below the base, and its `params`")


def _records(seen: Seen, found: Roles) -> Iterator[str]:
    many = found.figures if len(found.figures) > 1 else []
    ends = [name for name, *_ in found.ends]
    kept = [name for name in seen.texts if name in {found.period, found.indicator, *ends, *found.figures} - {*many}]
    rest = [name for name in seen.texts if name not in {*kept, *many}]
    yield from ("    records:", f"      form: {seen.form}")
    if seen.at:
        yield f"      at: {_quoted(seen.at)}"
    if seen.member:
        yield f"      member: {_quoted(seen.member)}"
    if seen.delimiter != ",":
        yield f"      delimiter: {_quoted(seen.delimiter)}"
    yield f"      fields: {_listed({name: found.columns[name] for name in kept if name not in seen.optional})}"
    if optional := {name: found.columns[name] for name in kept if name in seen.optional}:
        yield f"      optional: {_listed(optional)}"
    if many:
        yield f"      unpivot: {{fields: [{', '.join(map(_quoted, many))}], name: indicator, value: value}}"
    if rest:
        yield f"      ignored: [{', '.join(map(_quoted, rest))}] # FIXME: name as a field what a figure is about"
    yield f"      figures: [{'value' if many else found.columns[found.figures[0]]}]"
    count = next((place for place, text in seen.beside.items() if text == str(seen.count)), "")
    edition = next((place for place, text in seen.beside.items() if len(text) > 4 and EDITION.fullmatch(text)), "")
    if count:
        yield f"      count: {_quoted(count)} # FIXME: it says {seen.count}, as many as there are; else move it to `beside`"
    if edition:
        yield f"      edition: {_quoted(edition)} # FIXME: the agency's date of the figures; else move it to `beside`"
    if others := [place for place in seen.beside if place not in (count, edition)]:
        yield f"      beside: [{', '.join(map(_quoted, others))}] # FIXME: nothing of it says that a part is missing"


def _staging(found: Roles, seen: Seen) -> Iterator[str]:
    many = len(found.figures) > 1
    yield from ("    staging:", "      counted: unknown # FIXME: who or what is counted")
    for end, (name, codes, unknown) in zip(("area", "counterpart"), found.ends, strict=False):
        role = "the area that a figure is of" if end == "area" else "the other end"
        what = f"; `also: {{TEXT: CODE}}` for what is not known there: {', '.join(unknown[:20])}" if unknown else ""
        yield f"      {end}: {{column: {found.columns[name]}, codes: {codes}}} # FIXME: whether this is {role}{what}"
    if not found.ends:
        yield "      area: {always: KAZ} # FIXME: the column that says the area, or the one area of all rows"
    at = " or, for a stock, add `at: 12-31`, the day that it is of" if found.form == "year" else ""
    yield f"      period: {{column: {found.columns[found.period]}, form: {found.form}}} # FIXME: right for a flow{at}"
    if many:
        yield "      indicator: indicator"
    elif found.indicator:
        yield f"      indicator: {found.columns[found.indicator]} # FIXME: whether this is what tells the indicators apart"
    yield "      indicators:"
    texts = found.figures if many else sorted({text.strip() for text in seen.texts.get(found.indicator, []) if text.strip()}) or ["figure"]
    for name, code in _columns(texts).items():
        yield f"        {code}:"
        if name != code:
            yield f"          text: {_quoted(name)}"
        yield f"          title: {_labels(name, 'the indicator')}"
        yield "          unit: persons # FIXME: persons are whole, and not negative unless `signed: true`"
    yield f"      value: {'value' if many else found.columns[found.figures[0]]}"
    if found.gaps:
        yield f"      gaps: {_listed(dict.fromkeys(found.gaps, 'not_available'))} # FIXME: why a figure is not there"
    yield "      estimate_kind: observed # FIXME: observed, estimated or derived"


def readme(source: str, dataset: str, seen: Seen) -> str:
    """The text of the folder's README."""
    return f"""# {source}

`source.yml` was proposed from an answer with {seen.count:,} records in {len(seen.texts)} fields.
FIXME: what the agency counts, its traps and identities, with references.

```console
make check-source SOURCE={source}
make contracts
make record SOURCE={source} DATASET={dataset} FILE=answer CAPTURE=recorded
```
"""


def propose(source: str, dataset: str, body: bytes, root: Path | None = None) -> list[str]:
    """Writes `extractors/<source>` from an answer; returns its files. Raises `SourceError` for one that is there, or no flat records."""
    root = root or ROOT
    for what, name in (("source", source), ("dataset", dataset)):
        if not re.fullmatch(r"[a-z][a-z_]{0,23}", name):
            raise SourceError(f"{what} {name!r}: expected small letters and _, a letter first, at most 24")
    folder = root / "extractors" / source
    if folder.exists():
        raise SourceError(f"{folder} is there already: a further dataset is added to its source.yml (docs/add-a-dataset.md)")
    seen = look(body)
    text = written(source, dataset, seen, roles(seen, root))
    folder.mkdir()
    (folder / "source.yml").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(readme(source, dataset, seen), encoding="utf-8")
    return [f"extractors/{source}/{name}" for name in ("source.yml", "README.md")]
