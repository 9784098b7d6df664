"""What columns mean and how a dataset is cited: what `bi` itself says of both, else what its comments and `source.yml` say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extractors.source import Source, load_source, source_codes
from warehouse.connection import Connection

LANGUAGES = ("kk", "ru", "en")


@dataclass(frozen=True)
class Citation:
    """How one dataset is named, and under which terms its figures stand."""

    dataset: str
    titles: Mapping[str, str]
    citations: Mapping[str, str]
    licence: str
    terms_url: str

    @property
    def title(self) -> str:
        """Its title in English."""
        return self.titles["en"]

    @property
    def citation(self) -> str:
        """Its citation in English."""
        return self.citations["en"]


def of_columns(connection: Connection) -> dict[tuple[str, str], tuple[str, tuple[str, str, str]]]:
    """Unit and labels (kk, ru, en) of each column, by relation and column; nothing where `bi` has no `columns`."""
    if connection.execute("select to_regclass('bi.columns')").fetchone() == (None,):
        return {}
    rows = connection.execute('select relation, "column", unit, label_kk, label_ru, label_en from bi.columns').fetchall()
    return {(relation, column): (unit or "", (kk or "", ru or "", en or "")) for relation, column, unit, kk, ru, en in rows}


def citations(connection: Connection) -> dict[str, Citation]:
    """The citation of each dataset that readers see and of each that is declared, by `source.dataset`."""
    declared = {f"{code}.{name}": (source, dataset) for code, source in _sources() for name, dataset in source.datasets.items()}
    said: dict[str, tuple[list[str], list[str]]] = {}
    rows = connection.execute(
        "select source_code || '.' || dataset, licence, attribution from bi.dim_release"
        " union select r.source_code || '.' || r.dataset, b.licence, b.attribution"
        " from bi.bridge_release_origin as b join bi.dim_release as r using (release_key)"
    ).fetchall()
    for name, licence, attribution in sorted(rows, key=str):  # not by the database's idea of an alphabet
        licences, attributions = said.setdefault(name, ([], []))
        licences += [licence] * (bool(licence) and licence not in licences)
        attributions += [attribution] * (bool(attribution) and attribution not in attributions)
    if connection.execute("select to_regclass('bi.citation')").fetchone() == (None,):
        ready = dict[str, dict[str, str]]()
    else:
        rows = connection.execute("select dataset, citation_kk, citation_ru, citation_en from bi.citation").fetchall()
        ready = {name: dict(zip(LANGUAGES, said, strict=True)) for name, *said in rows}
    found = {}
    for name in sorted(declared.keys() | said.keys()):
        source, dataset = declared.get(name, (None, None))
        licences, attributions = said.get(name, ([source.licence], [source.attribution]) if source else ([], []))
        found[name] = Citation(
            name,
            dataset.title.model_dump() if dataset else dict.fromkeys(LANGUAGES, name),
            ready.get(name) or dict.fromkeys(LANGUAGES, "; ".join(attributions)),
            "; ".join(licences),
            source.terms_url if source else "",
        )
    return found


def _sources() -> list[tuple[str, Source]]:
    return [(code, load_source(code)) for code in source_codes()]
