"""Requests to the bureau: Taldau's tree of an index, and the files of stat.gov.kz (bns.md 2 and 3)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.source import Dataset, Source, SourceError

ELEMENT_FILES = {"workbook": "file/ru/", "element_csv": "csv/file/ru/", "element_json": "json/file/ru/"}


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery, one for each question that is answered."""
    return transport.answers(questions(source, dataset))


def requests(source: Source, dataset: Dataset) -> list[Request]:
    """What a live delivery asks: every declared question, in that order."""
    return list(questions(source, dataset).values())


def questions(source: Source, dataset: Dataset) -> dict[str, Request]:
    """The declared questions, by year where there is one a year. Raises `SourceError` for an interface that the bureau does not have."""
    wanted = dataset.request
    interface = wanted["interface"]
    if interface == "taldau_tree":
        return {interface: _tree(source, dataset)}
    if interface in ELEMENT_FILES:
        element = f"{source.base_urls['stat']}/api/iblock/element/{wanted['element_id']}"
        return {interface: Request("GET", f"{element}/{ELEMENT_FILES[interface]}")}
    if interface == "region_table":
        return {year: _listing(source, dataset, (("year", year),)) for year in wanted["years"]}
    if interface == "region_matrix":
        return {interface: _listing(source, dataset, ())}
    if interface == "printed":
        # no interface to ask: the request names what was read
        return {interface: Request("READ", f"printed:///{wanted['reading']}")}
    known = ", ".join(("taldau_tree", *ELEMENT_FILES, "region_table", "region_matrix", "printed"))
    raise SourceError(f"bns: unknown interface {interface!r}; known are {known}")


def _listing(source: Source, dataset: Dataset, params: tuple[tuple[str, str], ...]) -> Request:
    """The page that lists spreadsheets: their element ids are new with each release, and none is known for these tables."""
    return Request("GET", f"{source.base_urls['stat']}{dataset.request['page']}", params=(*params, ("type", "spreadsheets")))


def _tree(source: Source, dataset: Dataset) -> Request:
    """The root row of an index: an empty `p_parent_id` asks for the republic alone, all periods at once (captured 2026)."""
    wanted = dataset.request
    form = (
        ("p_parent_id", ""),
        ("p_index_id", wanted["index_id"]),
        ("p_keyword", ""),
        ("p_period_id", wanted["period_type"]),
        ("p_measure_id", wanted["measure_id"]),
        ("p_term_id", wanted["terms"][0]),
        ("p_terms", ",".join(wanted["terms"])),
        ("p_dicIds", ",".join(wanted["dictionaries"])),
        ("idx", "0"),
        ("filter", '[{"property":null,"value":null}]'),
        ("id", ""),
    )
    return Request("POST", f"{source.base_urls['taldau']}/ru/NewIndex/GetIndexTreeData", form=form)
