"""What a delivery is about is said by its archived question and the declaration kept with it, never by today's source.yml."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors import landing, replay
from extractors import reparse as reparse_module
from extractors.archive import Archive, Request, archive_of
from extractors.bns import parse as bns_parse
from extractors.iom.client import requests as iom_requests
from extractors.replay import catch_up
from extractors.rows import WHOLE, Answered, Parsed
from extractors.source import Dataset, Source, load_source
from extractors.uis import parse as uis_parse
from extractors.uis.client import requests as uis_requests
from extractors.uis.client import version_request
from sample.answer import store
from tests.small import NOTE, arrivals, departures, land_all, population, put, tree
from tests.state import read, state
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import Profile


def test_deliveries_that_say_the_same_in_another_order_make_no_release(bare: Profile) -> None:
    turned = json.loads(tree(arrivals()))[0]
    body = json.dumps([dict(reversed(turned.items()))], ensure_ascii=False).encode()
    spelt = tree({year: f" {value}.0 ".strip() for year, value in arrivals().items()})
    for day, answer in (("2026-02-01", tree(arrivals())), ("2026-03-01", body), ("2026-04-01", spelt)):
        put(bare, "external_arrivals", answer, day)
    landed = land_all(bare, load_source("bns"), "external_arrivals")
    assert [(one.landed, one.unchanged) for one in landed] == [(1, 0), (0, 1), (0, 1)]
    assert [one.known for one in land_all(bare, load_source("bns"), "external_arrivals")] == [True] * 3


INCIDENT = dict.fromkeys(("web_id", "region", "reported_date", "number_dead", "number_missing", "total_dead_and_missing"), "1")
INCIDENT |= dict.fromkeys(("number_of_survivors", "number_of_female", "number_of_male", "number_of_children"), "1")
INCIDENT |= {"country_of_incident": "Kazakhstan", "location_coodinates": "1, 2", "source_quality": "1"}
YEARS = ("2016", "2017", "2018", "2019")


def _iom(years: Sequence[str]) -> Source:
    source = load_source("iom")
    dataset = source.datasets["missing_migrants"]
    changed = dataset.model_copy(update={"request": dataset.request | {"years": list(years)}})
    return source.model_copy(update={"datasets": {"missing_migrants": changed}})


def _deliver(archive: Archive, source: Source, dataset: str, asked: Sequence[Request], bodies: Sequence[bytes], day: int) -> None:
    for number, (request, body) in enumerate(zip(asked, bodies, strict=True), 1):
        store(
            archive, source, dataset, request, body,
            delivered=f"2026-02-{day:02d}T00:00:00+00:00", content_type="application/json", note=NOTE, number=number,
        )  # fmt: skip


def _bns(dataset: str, **changes: object) -> Source:
    source = load_source("bns")
    changed = source.datasets[dataset].model_copy(update={"request": source.datasets[dataset].request | changes})
    return source.model_copy(update={"datasets": {**source.datasets, dataset: changed}})


history = st.lists(
    st.tuples(st.lists(st.sampled_from(YEARS), unique=True, min_size=1), st.integers(0, 3), st.booleans()), min_size=2, max_size=6
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=history, last=st.lists(st.sampled_from(YEARS), unique=True))
def test_whatever_was_declared_when_a_delivery_came_a_replay_gives_the_same_rows(
    bare: Profile,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    deliveries: list[tuple[list[str], int, bool]],
    last: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("declared")
    profile = dataclasses.replace(bare, archive=str(folder / "archive"), journal=str(folder / "journal"))
    _empty(profile)
    for day, (years, dead, is_broken) in enumerate(deliveries, 1):
        source = _iom(years)
        bodies = [json.dumps([INCIDENT | {"web_id": f"{year}.1", "number_dead": str(dead)}]).encode() for year in years]
        if is_broken:
            bodies[0] = b"<html></html>"
        _deliver(archive_of(profile), source, "missing_migrants", iom_requests(source, source.dataset("missing_migrants")), bodies, day)
        land_all(profile, source, "missing_migrants")
    before = _landed_state(profile)

    _empty(profile)
    monkeypatch.setattr(replay, "load_source", lambda code: _iom(last))
    catch_up(profile)
    assert _landed_state(profile) == before


INDICATORS, COUNTRIES, VERSIONS = ("26637", "MENF.5T8", "26540"), ("KAZ", "UZB"), ("20240101-0000be9c", "20250101-0000be9c")
some = st.lists(st.sampled_from(INDICATORS), unique=True, min_size=1)


def _uis(indicators: Sequence[str], countries: Sequence[str]) -> Source:
    source = load_source("uis")
    dataset = source.datasets["inbound_and_net_flow"]
    changed = dataset.model_copy(update={"request": {"indicators": list(indicators), "geo_units": list(countries), "batch": 1}})
    return source.model_copy(update={"datasets": {"inbound_and_net_flow": changed}})


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deliveries=st.lists(st.tuples(some, st.sampled_from(COUNTRIES), st.sampled_from(VERSIONS), st.integers(0, 2)), min_size=2, max_size=5),
    last=some,
)
def test_indicators_countries_and_editions_come_and_go_and_a_replay_gives_the_same_rows(
    bare: Profile,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    deliveries: list[tuple[list[str], str, str, int]],
    last: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("declared")
    profile = dataclasses.replace(bare, archive=str(folder / "archive"), journal=str(folder / "journal"))
    _empty(profile)
    for day, (indicators, country, version, value) in enumerate(deliveries, 1):
        source = _uis(indicators, [country])
        dataset = source.dataset("inbound_and_net_flow")
        asked = [*uis_requests(source, dataset, version), version_request(source)]
        record = {"geoUnit": country, "year": 2019, "value": value, "magnitude": None, "qualifier": None}
        bodies = [
            json.dumps({"hints": [], "records": [{"indicatorId": code} | record], "indicatorMetadata": []}).encode() for code in indicators
        ]
        bodies.append(json.dumps({"version": version}).encode())
        _deliver(archive_of(profile), source, "inbound_and_net_flow", asked, bodies, day)
        land_all(profile, source, "inbound_and_net_flow")
    before = _landed_state(profile)
    assert before["raw.uis_observation"]

    _empty(profile)
    monkeypatch.setattr(replay, "load_source", lambda code: _uis(last, COUNTRIES))
    assert not catch_up(profile).not_at_hand
    assert _landed_state(profile) == before


@pytest.mark.parametrize(
    ("dataset", "change", "body"),
    [
        ("external_arrivals", {"index_id": "1"}, tree(arrivals())),
        ("external_departures", {"terms": ["1"]}, tree(departures())),
        ("population", {"element_id": "1", "sheets": {}, "unit": "?"}, population()),
        ("population", {"interface": "element_csv"}, population()),
    ],
)
def test_a_declaration_that_changes_or_goes_leaves_what_was_delivered_under_it(
    bare: Profile, monkeypatch: pytest.MonkeyPatch, dataset: str, change: dict[str, object], body: bytes
) -> None:
    put(bare, dataset, body, "2026-02-01")
    land_all(bare, load_source("bns"), dataset)
    before = _landed_state(bare)
    assert before["meta.release"]
    gone = load_source("bns").model_copy(update={"datasets": {}})
    for today in (_bns(dataset, **change), gone):
        _empty(bare)
        monkeypatch.setattr(replay, "load_source", lambda code, today=today: today)
        assert not catch_up(bare).not_at_hand
        assert _landed_state(bare) == before


TABLES = (
    "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables"
    " where schemaname in ('raw', 'meta', 'quality') and tablename <> 'schema_version'"
)


def _empty(profile: Profile) -> None:
    """As if the database were lost."""
    with connect(profile) as link:
        tables = link.execute(TABLES).fetchone()
        assert tables
        link.execute(f"truncate {tables[0]} cascade")


def _landed_state(profile: Profile) -> dict[str, list[tuple[object, ...]]]:
    """What landing made; a replay has no gate, so states are not compared."""
    with connect(profile) as link:
        link.execute("update meta.release set state = 'landed'")
    found = state(profile)
    return {name: rows for name, rows in found.items() if name.startswith(("raw.", "meta."))}


def test_a_year_without_incidents_of_which_there_never_was_a_release_is_not_there_yet(bare: Profile) -> None:
    source = _iom(("2018", "2019"))
    questions = iom_requests(source, source.dataset("missing_migrants"))
    for day, bodies in enumerate(([_incidents("2018"), b"[]"], [_incidents("2018"), b""], [_incidents("2018"), _incidents("2019")]), 1):
        _deliver(archive_of(bare), source, "missing_migrants", questions, bodies, day)
    first, second, third = land_all(bare, source, "missing_migrants")
    assert (first.landed, first.not_yet) == (1, ["2019"])
    assert (second.landed, second.unchanged, second.not_yet) == (0, 1, ["2019"])
    assert (third.landed, third.unchanged, third.not_yet) == (1, 1, [])
    # a year that was there and is empty now is no such thing: the gate hears of it
    _deliver(archive_of(bare), source, "missing_migrants", questions, [_incidents("2018"), b"[]"], 4)
    assert land_all(bare, source, "missing_migrants")[-1].landed == 1


def _incidents(year: str) -> bytes:
    return json.dumps([INCIDENT | {"web_id": f"{year}.1"}]).encode()


def _uis_answer(value: int) -> list[bytes]:
    record = {"indicatorId": "26637", "geoUnit": "KAZ", "year": 2019, "value": value, "magnitude": None, "qualifier": None}
    whole = {"hints": [], "records": [record], "indicatorMetadata": []}
    return [json.dumps(whole).encode(), json.dumps({"version": VERSIONS[0]}).encode()]


def test_bytes_that_come_back_under_their_label_keep_releases_of_their_own_when_they_are_read_anew(
    bare: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _uis(["26637"], ["KAZ"])
    asked = [*uis_requests(source, source.dataset("inbound_and_net_flow"), VERSIONS[0]), version_request(source)]
    for day, value in enumerate((5, 6, 5), 1):
        _deliver(archive_of(bare), source, "inbound_and_net_flow", asked, _uis_answer(value), day)
    assert [one.landed for one in land_all(bare, source, "inbound_and_net_flow")] == [1, 1, 1]

    mended = uis_parse.parse

    def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
        parsed = mended(dataset, answers)
        parsed.slices = {WHOLE: [(*row[:4], str(int(str(row[4])) + 100), *row[5:]) for row in parsed.slices[WHOLE]]}
        return parsed

    monkeypatch.setattr(uis_parse, "parse", parse)
    for module in (landing, reparse_module):
        monkeypatch.setattr(module, "parser_fingerprint", lambda code: "0123456789ab")
    with connect(bare, "koshi_loader") as link:
        anew = reparse_module.reparse(link, Journal(bare.journal), archive_of(bare), source, "inbound_and_net_flow")
    assert anew and anew.landed == 3
    found = read(
        bare,
        "select r.delivery, r.parse_number, u.value from meta.release as r join raw.uis_observation as u on u._release_key = r.release_key"
        " order by r.delivery, r.parse_number",
    )
    assert [(parse_number, value) for _, parse_number, value in found] == [
        (1, "5"), (2, "105"), (1, "6"), (2, "106"), (1, "5"), (2, "105"),
    ]  # fmt: skip


def test_what_can_be_read_at_last_is_compared_with_the_release_below(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    source = load_source("bns")
    put(bare, "external_arrivals", tree(arrivals()), "2026-02-01")
    put(bare, "external_arrivals", b"later: " + tree(arrivals()), "2026-03-01")
    assert [one.landed for one in land_all(bare, source, "external_arrivals")] == [1, 1]
    assert read(bare, "select slice from meta.release where row_digest = ''") == [("unreadable",)]

    for module in (landing, reparse_module):
        monkeypatch.setattr(module, "parser_fingerprint", lambda code: "000000000000")
    with connect(bare, "koshi_loader") as link:
        anew = reparse_module.reparse(link, Journal(bare.journal), archive_of(bare), source, "external_arrivals")
    assert anew and (anew.landed, anew.unchanged) == (0, 2), "what still cannot be read is said once"

    mended = bns_parse.PARSERS["taldau_tree"]
    monkeypatch.setitem(
        bns_parse.PARSERS,
        "taldau_tree",
        lambda dataset, answers: mended(dataset, [dataclasses.replace(one, body=one.body.removeprefix(b"later: ")) for one in answers]),
    )
    for module in (landing, reparse_module):
        monkeypatch.setattr(module, "parser_fingerprint", lambda code: "0123456789ab")
    with connect(bare, "koshi_loader") as link:
        anew = reparse_module.reparse(link, Journal(bare.journal), archive_of(bare), source, "external_arrivals")
    assert anew and (anew.landed, anew.unchanged) == (0, 2), "the same rows under another time are no release"
