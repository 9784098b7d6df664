"""What lies beside the figures: datapackage.json, the DCAT catalogue, what is not included, and the digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extractors.source import Redistribution, load_source, source_codes
from reporting.export.meaning import Citation
from reporting.export.read import Column, Read, Table
from reporting.export.terms import HANDED_OUT, Made, Period, Release, declared, spans
from warehouse.wording import counted

KINDS = {
    "smallint": "integer", "integer": "integer", "bigint": "integer", "numeric": "number", "double precision": "number", "real": "number",
    "boolean": "boolean", "date": "date", "timestamp with time zone": "datetime",
}  # fmt: skip
MEDIA = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".duckdb": "application/vnd.duckdb",
    ".xml": "application/vnd.sdmx.structure+xml;version=3.0.0",
    ".json": "application/json",
}
SDMX_CSV = "application/vnd.sdmx.data+csv;version=2.0.0"
TITLE = "Koshi: migration flows and diaspora indicators for Kazakhstan"
CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
SUMS, NOT_INCLUDED, CITATION, CATALOGUE, PACKAGE = "SHA256SUMS", "NOT_INCLUDED", "CITATION", "catalog.jsonld", "datapackage.json"
# CITATION by language: how its file is called, and its words
CITED: Mapping[str, Mapping[str, str]] = {
    "en": {
        "file": CITATION,
        "title": TITLE,
        "publication": "Publication {} ({}) of {}",
        "open": "Whoever hands these files on names the sources of what is handed on, as below.",
        "share-alike": "Who hands on these files or what is made of them does so under the same licence, and names the sources as below.",
        "cite": "cite", "licence": "licence", "terms": "terms",
    },
    "kk": {
        "file": f"{CITATION}.kk",
        "title": "Koshi: Қазақстан бойынша көші-қон ағындары мен диаспора көрсеткіштері",
        "publication": "Жарияланым {} ({}), {}",
        "open": "Бұл файлдарды әрі қарай таратушы таратылған деректің дереккөздерін төмендегідей атайды.",
        "share-alike": "Бұл файлдарды не олардан жасалғанды таратушы сол лицензияны сақтайды және дереккөздерін төмендегідей атайды.",
        "cite": "сілтеме", "licence": "лицензия", "terms": "шарттары",
    },
    "ru": {
        "file": f"{CITATION}.ru",
        "title": "Koshi: миграционные потоки и показатели диаспоры Казахстана",
        "publication": "Публикация {} ({}) от {}",
        "open": "Кто передаёт эти файлы дальше, называет источники переданного, как указано ниже.",
        "share-alike": "Кто передаёт эти файлы или сделанное из них, сохраняет ту же лицензию и называет источники, как указано ниже.",
        "cite": "ссылка", "licence": "лицензия", "terms": "условия",
    },
}  # fmt: skip
# NOT_INCLUDED by language, likewise
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "en": {
        "file": NOT_INCLUDED,
        "lead": "Rows of these relations are in no file of this export: what they rest on may be quoted with its reference, or nobody\n"
        "says how far it may be handed on. `bi` and its charts show them; ask the agency before you hand them on.",
        "rows": "Rows left out", "count": "{:,} rows", "of": " of {}", "together": "together", "rest": "rest on",
        "nobody": "what is not known",
        "none": "none", "what": "What may not be handed out", "part": "in part",
        "others": "figures of {}, which another agency made",
        "redistribution": "redistribution", "reference": "reference", "licence": "licence", "terms": "terms", "agency": "agency",
        "quote-only": "quote-only", "unknown": "unknown",
    },
    "kk": {
        "file": f"{NOT_INCLUDED}.kk",
        "lead": "Бұл кестелердің мына жолдары экспорттың ешбір файлында жоқ: олар негізделген деректі сілтемемен ғана келтіруге болады\n"
        "немесе қаншалықты таратуға болатынын ешкім айтпаған. Олар `bi` ішінде және суреттерде бар; таратпас бұрын агенттіктен сұраңыз.",
        "rows": "Енгізілмеген жолдар", "count": "{} жол", "of": ", {}", "together": "бірге", "rest": "негізі:", "nobody": "белгісіз",
        "none": "жоқ", "what": "Таратуға болмайтындар", "part": "бір бөлігі", "others": "{} сандары, оларды басқа агенттік жасаған",
        "redistribution": "тарату", "reference": "сілтеме", "licence": "лицензия", "terms": "шарттары", "agency": "агенттік",
        "quote-only": "тек сілтемемен келтіруге болады", "unknown": "белгісіз",
    },
    "ru": {
        "file": f"{NOT_INCLUDED}.ru",
        "lead": "Этих строк нет ни в одном файле экспорта: то, на чём они основаны, можно цитировать со ссылкой, или никто не\n"
        "говорит, как далеко это можно передавать. Они есть в `bi` и на картинках; прежде чем передавать их, спросите ведомство.",
        "rows": "Невошедшие строки", "count": "строк: {}", "of": ", {}", "together": "вместе", "rest": "основаны на",
        "nobody": "не известно чём",
        "none": "нет", "what": "Что передавать нельзя", "part": "частично", "others": "числа за {}, сделанные другим ведомством",
        "redistribution": "распространение", "reference": "ссылка", "licence": "лицензия", "terms": "условия", "agency": "ведомство",
        "quote-only": "только цитировать", "unknown": "не известно",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Digest:
    """What is said of a file's bytes."""

    size: int
    sha256: str


def digest(file: Path) -> Digest:
    """Size and sha256 of a file."""
    with file.open("rb") as content:
        return Digest(file.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON as people read it."""
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def datapackage(read: Read, may: Redistribution, tables: Sequence[Table], folder: Path) -> dict[str, Any]:
    """The package of one class: a resource a CSV file, with types, units and licences."""
    cited = [read.cited(name, may) for name in sorted({name for table in tables for name in table.datasets})]
    return {
        "name": f"koshi-{may}",
        "title": TITLE,
        "version": f"{read.number}",
        "created": f"{read.published_at:%Y-%m-%dT%H:%M:%SZ}",
        **({"licenses": _licences(cited), "sources": _sources(cited)} if cited else {}),
        "resources": [_resource(read, table, folder) for table in tables],
    }


def _resource(read: Read, table: Table, folder: Path) -> dict[str, Any]:
    relation = table.relation
    path = f"{relation.mart}/{relation.name}.csv"
    found, cited = digest(folder / path), [read.cited(name, table.may) for name in table.datasets]
    schema: dict[str, Any] = {"fields": [_field(column) for column in relation.columns], "missingValues": [""]}
    if relation.is_default and relation.key:
        schema["primaryKey"] = list(relation.key)
    return {
        "name": relation.name,
        "path": path,
        "format": "csv",
        "mediatype": MEDIA[".csv"],
        "encoding": "utf-8",
        "description": relation.remark,
        "bytes": found.size,
        "hash": f"sha256:{found.sha256}",
        **({"licenses": _licences(cited), "sources": _sources(cited)} if cited else {}),
        "schema": schema,
    }


def _field(column: Column) -> dict[str, Any]:
    kind = KINDS.get(column.written.partition("(")[0], "string")
    said: dict[str, Any] = {"name": column.name, "type": kind}
    said |= {"format": "any"} if kind == "datetime" else {}
    said |= {"title": column.labels[2]} if column.labels[2] else {}
    said |= {"description": column.description} if column.description else {}
    return said | ({"unit": column.unit} if column.unit else {})


def _licences(cited: Iterable[Citation]) -> list[dict[str, str]]:
    return _with_paths((each.licence, each.terms_url) for each in cited)


def _sources(cited: Iterable[Citation]) -> list[dict[str, str]]:
    return _with_paths((each.citation, each.terms_url) for each in cited)


def _with_paths(said: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Each once; what stands where an address is wanted and is none is left away."""
    return [{"title": title} | ({"path": path} if path.startswith("http") else {}) for title, path in dict.fromkeys(said)]


def catalogue(read: Read, titles: Mapping[str, tuple[str, Sequence[str], Sequence[Path]]], root: Path) -> dict[str, Any]:
    """The catalogue of an export in DCAT; `titles` are description, datasets and files by the folder of each of its datasets."""
    return {
        "@context": CONTEXT,
        "@id": "",
        "@type": "dcat:Catalog",
        "dct:title": {"@value": TITLE, "@language": "en"},
        "dct:identifier": read.name,
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": "The Koshi maintainers"},
        "dct:issued": {"@value": f"{read.published_at:%Y-%m-%dT%H:%M:%SZ}", "@type": "xsd:dateTime"},
        "dcat:dataset": [
            {
                "@id": f"{folder}/",
                "@type": "dcat:Dataset",
                "dct:title": {"@value": folder.rpartition("/")[2], "@language": "en"},
                "dct:description": {"@value": description, "@language": "en"},
                "dct:license": [each["title"] for each in _licences(_cited(read, folder, datasets))],
                "dct:source": [each["title"] for each in _sources(_cited(read, folder, datasets))],
                "dcat:distribution": [_distribution(file, root) for file in files],
            }
            for folder, (description, datasets, files) in titles.items()
        ],
    }


def _cited(read: Read, folder: str, datasets: Iterable[str]) -> list[Citation]:
    """The citations of what a folder holds, whose path begins with its class."""
    may = next(may for may in HANDED_OUT if folder.partition("/")[0] == may)
    return [read.cited(name, may) for name in datasets]


def _distribution(file: Path, root: Path) -> dict[str, Any]:
    path = file.relative_to(root).as_posix()
    media = SDMX_CSV if file.suffix == ".csv" and file.parent.name == "sdmx" else MEDIA[file.suffix]
    said = {"@type": "dcat:Distribution", "dcat:downloadURL": {"@id": path}, "dcat:mediaType": media}
    if file.suffix == ".duckdb":  # equal rows, not equal bytes: SHA256SUMS has its digest
        return said
    found = digest(file)
    checksum = {"spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"}, "spdx:checksumValue": found.sha256}
    return said | {"dcat:byteSize": found.size, "spdx:checksum": checksum}


def citation(read: Read, may: Redistribution, datasets: Iterable[str], language: str) -> str:
    """What who takes the files of a class must know: how its datasets are cited, and under which licence, in an agency's own words."""
    words = CITED[language]
    lines = [words["title"], words["publication"].format(read.number, read.key, f"{read.published_at:%Y-%m-%d}"), "", words[may], ""]
    for cited in (read.cited(name, may) for name in datasets):
        lines += [f"{cited.dataset}: {cited.titles[language]}", f"  {words['cite']}: {cited.citations[language]}"]
        lines += [f"  {words['licence']}: {cited.licence}"]
        lines += [f"  {words['terms']}: {cited.terms_url}"] if cited.terms_url else []
    return "\n".join(lines) + "\n"


def not_included(read: Read, language: str) -> str:
    """What no file holds, and whom to ask for it: the rows of each relation that are left out, and what may not be handed out at all."""
    words = LEFT_OUT[language]
    lines = [*words["lead"].split("\n"), "", words["rows"]]
    for (relation, may), rows in sorted(read.left_out.items()):
        of = words["of"].format(years) if (years := spans(read.left_years[relation, may], words["together"])) else ""
        rest = ", ".join(sorted(read.rest_on[relation])) or words["nobody"]
        count = counted(rows, "row") if language == "en" else words["count"].format(rows)
        lines.append(f"  {relation}: {count}{of}, {words[may]}; {words['rest']} {rest}")
    if not read.left_out:
        lines.append(f"  {words['none']}")
    lines += ["", words["what"]]
    known = declared()
    for name in sorted({release.dataset for release in read.releases.values()} | known.keys()):
        releases = [release for release in read.releases.values() if release.dataset == name]
        lines += _own(read.citations[name], releases, known[name].redistribution if name in known else "unknown", language)
        lines += _of_others(name, releases, words)
    return "\n".join(lines) + "\n"


def _own(cited: Citation, releases: Sequence[Release], may: Redistribution, language: str) -> list[str]:
    """What a dataset has of its agency that may not be handed out: all of it, or what some of its releases hold."""
    words, classes = LEFT_OUT[language], {release.own.may for release in releases} or {may}
    lines, what = list[str](), f"{cited.dataset}: {cited.titles[language]}"
    if len(classes) == 1 and not classes & {*HANDED_OUT}:
        lines += _kept(what, classes.pop(), cited.citations[language], cited.licence, words)
    else:
        for made in sorted({release.own for release in releases if release.own.may not in HANDED_OUT}, key=str):
            lines += _kept(f"{what}, {words['part']}", made.may, made.attribution, made.licence, words)
    if lines:
        lines += [f"    {words['terms']}: {cited.terms_url}"] if cited.terms_url else []
        lines += [f"    {words['agency']}: {address}" for address in _addresses(cited.dataset)]
    return lines


def _of_others(name: str, releases: Sequence[Release], words: Mapping[str, str]) -> list[str]:
    """What a dataset has of other agencies that may not be handed out."""
    others: dict[Made, set[Period]] = {}
    for period, made in ((period, made) for release in releases for period, made in release.others.items()):
        others.setdefault(made, set()).add(period)
    lines = list[str]()
    for made, periods in sorted(others.items(), key=str):
        if made.may not in HANDED_OUT:
            what = f"{name}: {words['others'].format(spans(periods, words['together']))}"
            lines += _kept(what, made.may, made.attribution, made.licence, words)
    return lines


def _kept(what: str, may: Redistribution, reference: str, licence: str, words: Mapping[str, str]) -> list[str]:
    said = (("redistribution", words[may]), ("reference", reference), ("licence", licence))
    return [f"  {what}", *(f"    {words[key]}: {text}" for key, text in said)]


def _addresses(name: str) -> list[str]:
    code = name.partition(".")[0]
    return sorted(url for url in load_source(code).base_urls.values() if url.startswith("http")) if code in source_codes() else []


def sums(root: Path) -> str:
    """The digests of all files below a folder, as `sha256sum --check` reads them."""
    files = sorted(file for file in root.rglob("*") if file.is_file() and file.name != SUMS)
    return "".join(f"{digest(file).sha256}  {file.relative_to(root).as_posix()}\n" for file in files)
