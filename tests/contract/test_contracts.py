"""A regular dataset gets its staging view from its contract, and its figures reach readers with nothing else written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

import pipeline
from expectations import places
from expectations.intake import take_in
from expectations.settle import settle
from extractors.source import Source, SourceError, load_source
from tests import flat, small
from tests.faults.test_flat_records import deliver
from tests.flat import CODE, LABELS, NAME
from tests.state import read
from warehouse import build, contracts
from warehouse.fingerprint import core_schema
from warehouse.profile import Profile, load

RECORDS: dict[str, Any] = {
    "form": "json", "at": "/items", "fields": {"year": "period", "to": "host", "from": "from", "mark": "flag"},
    "unpivot": {"fields": ["refugees", "stateless"], "name": "category", "value": "persons"}, "figures": ["persons"],
}  # fmt: skip
ONE = {key: value for key, value in RECORDS.items() if key != "unpivot"}
ONE |= {"fields": RECORDS["fields"] | {"refugees": "persons"}, "ignored": ["stateless"]}
STAGING: dict[str, Any] = {
    "counted": "persons of concern", "area": {"column": "host", "codes": "iso3", "also": {"UKN": "_U"}},
    "counterpart": {"column": "from", "codes": "iso2"}, "period": {"column": "period", "at": "12-31"}, "indicator": "category",
    "indicators": {name: {"title": LABELS, "unit": "persons"} for name in ("refugees", "stateless")},
    "value": "persons", "gaps": {"..": "suppressed"}, "status": {"column": "flag", "codes": {"e": "E"}}, "estimate_kind": "observed",
    "breaks": {"2025": "definition"},
    "dropped": [{"column": "host", "texts": ["World's"], "because": "a sum of others' figures"}],
}  # fmt: skip
MONTHS: dict[str, Any] = STAGING | {
    "area": {"column": "host", "codes": "un_name", "also": {"the rest": "W1"}}, "counterpart": None,
    "period": {"column": "period", "form": "month"}, "indicator": "",
    "indicators": {"rate": {"title": LABELS, "unit": "percent", "signed": True}}, "unit": {"column": "flag", "text": "%"},
    "status": None, "dropped": [],
}  # fmt: skip
DAYS: dict[str, Any] = MONTHS | {
    "area": {"always": "KAZ"}, "period": {"column": "period", "form": "day"}, "unit": None, "gaps": {},
    "sex": {"column": "flag", "codes": {"w": "F", "": "_T"}},
}  # fmt: skip


def content(**contracts_of: dict[str, Any]) -> dict[str, Any]:
    """The source with a dataset for each contract."""
    found = flat.declared(RECORDS)
    [declared] = found["datasets"].values()
    found["datasets"] = {name: declared | {"staging": staging} for name, staging in contracts_of.items()}
    for name, staging in contracts_of.items():
        if len(staging["indicators"]) == 1:
            found["datasets"][name] |= {"records": ONE, "shape": f"{CODE}_{name}"}
    return found


def record(year: object = "2024", to: str = "KAZ", come: str = "UA", mark: str | None = None, **figures: object) -> dict[str, object]:
    return {"year": year, "to": to, "from": come, "mark": mark, "refugees": 1, "stateless": None} | figures


def land(profile: Profile, source: Source, day: int, *items: dict[str, object], name: str = NAME) -> tuple[str, str]:
    """The verdict on a delivery of that day, and why."""
    deliver(profile, source, {"items": items}, day, name=name)
    [verdict] = take_in(profile, CODE, name).verdicts
    return verdict.state, verdict.said


def command(*words: str) -> tuple[int, str]:
    """Exit code and output of a command, which reads the tree anew as a new process does."""
    flat.forget()
    done = CliRunner().invoke(pipeline.app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code, done.output


def test_the_walk_of_the_guide_ends_with_figures_that_readers_see(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """docs/add-a-source.md and docs/add-a-dataset.md, command by command; only the publication is made without Airflow."""
    good = (
        record(refugees=7, stateless=".."),
        record("2025", mark="e", refugees="0", stateless=2),
        record(to="UKN", refugees="3.0"),
        record(to="World's", refugees="a sum", come="all"),
    )
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({"items": good[:2]}), encoding="utf-8")
    for variable, value in (("DATABASE", profile.database), ("JOURNAL", profile.journal), ("ARCHIVE", profile.archive)):
        monkeypatch.setenv(f"KOSHI_{variable}", value)
    profile = load()
    with flat.standing_in(monkeypatch, flat.grown(tmp_path / "tree")):
        tree = tmp_path / "tree"
        view = f"dbt/models/staging/{CODE}/stg_{CODE}__{NAME}"
        code, said = command("new-source", CODE, "--from", str(answer), "--dataset", NAME)
        assert (code, said.split()[:5]) == (
            0, [f"extractors/{CODE}/source.yml", f"extractors/{CODE}/README.md", "dbt/vars.yml", f"{view}.sql", f"{view}.yml"],
        )  # fmt: skip
        file = tree / f"extractors/{CODE}/source.yml"
        proposed = yaml.safe_load(file.read_text("utf-8"))["datasets"][NAME]
        assert (proposed["records"]["at"], proposed["records"]["unpivot"]["fields"]) == ("/items", ["refugees", "stateless"])
        assert (proposed["staging"]["area"]["codes"], proposed["staging"]["counterpart"]["codes"]) == ("iso3", "iso2")
        # every FIXME is named by file and line, and nothing else is missing
        marked = [number for number, line in enumerate(file.read_text("utf-8").splitlines(), 1) if "FIXME" in line]
        code, said = command("check-source", CODE)
        assert (code, len(marked) > 10, f"{len(marked) + 1} places to write" in said) == (1, True, True), said
        assert all(f"extractors/{CODE}/source.yml:{number} " in said for number in marked)
        # what a person decides, and two further datasets
        decided = content(moves=STAGING, months=MONTHS, days=DAYS)
        file.write_text(yaml.safe_dump(decided, allow_unicode=True, sort_keys=False), encoding="utf-8")
        (tree / f"extractors/{CODE}/README.md").write_text("# Flatland\n", encoding="utf-8")
        code, said = command("check-source", CODE)
        assert (code, "6 places to write" in said, "`make contracts` writes it" in said) == (1, True, True), said
        further = [f"dbt/models/staging/{CODE}/stg_{CODE}__{name}.{kind}" for name in ("months", "days") for kind in ("sql", "yml")]
        code, said = command("contracts")
        assert (code, {*said.split()}) == (0, {"dbt/vars.yml", f"{view}.sql", *further})
        assert command("contracts") == (0, "everything is as the contracts say\n")
        assert command("check-source", CODE) == (0, f"{CODE} is known everywhere\n")
        # one that is written by hand, and forgotten everywhere, keeps nobody else from readers
        decided["datasets"]["forgotten"] = flat.declared()["datasets"][NAME] | {"shape": f"{CODE}_forgotten"}
        file.write_text(yaml.safe_dump(decided, allow_unicode=True, sort_keys=False), encoding="utf-8")
        code, said = command("check-source", CODE)
        assert (code, "6 places to write" in said, said.count("(for forgotten)")) == (1, True, 6), said
        code, said = command("record", CODE, NAME, str(answer), "--capture", "recorded", "--retrieved", "2026-01-31T00:00:00Z")
        assert (code, "accepted" in said) == (0, True), said
        flat.forget()
        source = load_source(CODE)
        assert land(profile, source, 1, *good) == ("accepted", "")
        percent = {"to": " the   REST", "mark": "%"}
        assert land(profile, source, 1, record("2024-02", refugees="-0.125", **percent), name="months") == ("accepted", "")
        leap = (record("2024-02-29", mark="w"), record("2024-03-01", mark=""))
        assert land(profile, source, 1, *leap, name="days") == ("accepted", "")
        with pytest.raises(places.MissingPlaceError, match=rf"^{CODE}\.forgotten: "):
            take_in(profile, CODE, "forgotten")
        small.fill(profile)
        assert [take_in(profile, "bns", name).became for name in small.DATASETS] == ["taken"] * 3
        settled = settle(profile)
        assert settled.outcome == "published", settled
        shown = {str(name) for (name,) in read(profile, "select dataset from meta.release where state = 'published'")}
        assert shown == {NAME, "months", "days", *small.DATASETS}
        seen = read(
            profile,
            "select source_row, area.area_code, other.area_code, indicator_code, indicator_name_en, unit, period_kind,"
            " period_start_date::text, sex_code, estimate_kind, value::int, obs_status, value_missing_reason, break_kind,"
            " cube_code, universe from bi.fct_area_indicator join bi.dim_area as area using (area_key)"
            " join bi.dim_area as other on other.area_key = counterpart_area_key join bi.dim_indicator using (indicator_key)"
            " join bi.dim_period using (period_key) join bi.dim_sex using (sex_key) join bi.dim_cube using (cube_key) "
            " where cube_code = 'flatland.moves' order by source_row",
        )
        cube, unit, kind = (f"{CODE}.{NAME}", "persons of concern"), ("Flatland", "persons"), ("_T", "observed")
        assert [row[0] for row in seen] == [f"/items/{at}/{name}" for at in range(3) for name in ("refugees", "stateless")]
        figures = [(*row[1:4], *row[7:8], *row[10:14]) for row in seen]
        refugees, stateless = f"{CODE}.{NAME}.refugees", f"{CODE}.{NAME}.stateless"
        assert figures == [
            ("KAZ", "UKR", refugees, "2024-12-31", 7, "A", None, None),
            ("KAZ", "UKR", stateless, "2024-12-31", None, "Q", "suppressed", None),
            ("KAZ", "UKR", refugees, "2025-12-31", 0, "E", None, "definition"),
            ("KAZ", "UKR", stateless, "2025-12-31", 2, "E", None, "definition"),
            ("_U", "UKR", refugees, "2024-12-31", 3, "A", None, None),
            ("_U", "UKR", stateless, "2024-12-31", None, "O", "not_available", None),
        ]
        assert {(*row[4:7], *row[8:10], *row[14:]) for row in seen} == {(*unit, "instant", *kind, *cube)}
        view = f"{core_schema()}.stg_{CODE}__{NAME}"
        assert read(profile, f"select distinct source_row, dropped_because from {view} where dropped_because is not null order by 1") == [
            (f"/items/3/{name}", "a sum of others' figures") for name in ("refugees", "stateless")
        ]
        others = read(
            profile,
            "select cube_code, source_row, area.area_code, other.area_code, period_kind, period_start_date::text, period_end_date::text,"
            " sex_code, value::text, indicator_code, unit from bi.fct_area_indicator join bi.dim_area as area using (area_key)"
            " join bi.dim_area as other on other.area_key = counterpart_area_key join bi.dim_indicator using (indicator_key)"
            " join bi.dim_period using (period_key) join bi.dim_sex using (sex_key) join bi.dim_cube using (cube_key)"
            " where cube_code <> 'flatland.moves' and value is not null order by 1, 2",
        )
        assert others == [
            (
                "flatland.days",
                "/items/0",
                "KAZ",
                "_Z",
                "instant",
                "2024-02-29",
                "2024-02-29",
                "F",
                "1.000000",
                "flatland.days.rate",
                "percent",
            ),
            (
                "flatland.days",
                "/items/1",
                "KAZ",
                "_Z",
                "instant",
                "2024-03-01",
                "2024-03-01",
                "_T",
                "1.000000",
                "flatland.days.rate",
                "percent",
            ),
            (
                "flatland.months",
                "/items/0",
                "W1",
                "_Z",
                "month",
                "2024-02-01",
                "2024-02-29",
                "_T",
                "-0.125000",
                "flatland.months.rate",
                "percent",
            ),
        ]
        for day, (name, wrong, said) in enumerate(
            (
                ("months", record("2024-13", **percent), "found '2024-13', expected a month YYYY-MM"),
                ("months", record("2024-02", to="the rest", mark="persons"), "found 'persons', expected %"),
                ("months", record("2024-03", refugees="12.345", **percent), "found '12.345', expected no mark before three digits"),
                ("days", record("2023-02-29", mark="w"), "found '2023-02-29', expected a day YYYY-MM-DD"),
                ("days", record("2023-02-28", mark="m"), "found sex 'm', expected w or nothing"),
            ),
            2,
        ):
            state, reason = land(profile, source, day, wrong, name=name)
            assert (state, said in reason) == ("rejected", True), reason
        # the one row that is wrong rejects the release, by name and with what was expected
        for day, (wrong, said) in enumerate(
            [
                (record("2023", to="kaz"), "found 'kaz', expected an ISO 3166 alpha-3 code of seed area, UKN"),
                (record("2023", come="UKR"), "found counterpart 'UKR', expected an ISO 3166 alpha-2 code of seed area"),
                (record("2023", come=""), "found counterpart NULL, expected an ISO 3166 alpha-2 code of seed area"),
                (record("2023-24"), "found '2023-24', expected a year YYYY"),
                (record("2023", refugees="many"), "found 'many', expected a plain number or .. or nothing"),
                (record("2023", refugees="1,234"), "found '1,234', expected a plain number or .. or nothing"),
                (record("2023", refugees="1.234"), "found '1.234', expected whole persons"),
                (record("2023", refugees=-1), "found '-1', expected no negative number"),
                (record("2023", mark="z"), "found mark 'z', expected e or nothing"),
                (record("2024"), "one row for each area_code, counterpart_area_code, indicator_code, sex_code, year"),
            ],
            2,
        ):
            state, reason = land(profile, source, day, *good, wrong)
            assert (state, said in reason) == ("rejected", True), reason


def test_each_place_of_a_contract_is_named_when_it_is_gone(bare: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    view = f"dbt/models/staging/{CODE}/stg_{CODE}__{NAME}"
    with flat.written(monkeypatch, tmp_path, content(moves=STAGING, other=STAGING)):
        contracts.write()
        for name in (f"{view}.sql", f"{view}.yml", contracts.VARS):
            file = tmp_path / name
            whole = file.read_text("utf-8")
            for spoilt in (None, whole.replace("persons of concern", "somebody").replace(CODE, "elsewhere")):
                file.unlink() if spoilt is None else file.write_text(spoilt, encoding="utf-8")
                flat.forget()
                lacking = places.of_source(bare, CODE)
                assert {missing.file for missing in lacking} == {name}
                assert NAME in next(iter(lacking.values()))
                with pytest.raises(places.MissingPlaceError, match=rf"^{CODE}\.{NAME}: .*{name}"):
                    places.check(bare, CODE, NAME)
                # dbt is called without it, and with the other where that stands
                called = contracts.variables().get("contracts", [])
                assert [entry["dataset"] for entry in called if entry["source"] == CODE] == ([] if name == contracts.VARS else ["other"])
            file.write_text(whole, encoding="utf-8")
        flat.forget()
        assert (places.of_source(bare, CODE), contracts.variables()) == ({}, {})
    # without the contract it is a dataset that has to be written by hand
    with flat.written(monkeypatch, tmp_path, flat.declared(RECORDS)):
        assert {missing.file for missing in places.of_source(bare, CODE)} >= {
            f"expectations/suites/{CODE}.py", "dbt/seeds/cube.csv", "dbt/models/core/release_period.sql",
        }  # fmt: skip
    (tmp_path / "extractors" / CODE / "source.yml").unlink()
    with flat.standing_in(monkeypatch, tmp_path), pytest.raises(SourceError, match="no source 'flatland'"):
        places.of_source(bare, CODE)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"area": {"column": "host", "always": "KAZ"}}, "column or always"),
        ({"value": "personen"}, "'personen' is no column of records"),
        ({"period": {"column": "period", "at": "02-29"}}, "a day that every year has"),
        ({"indicator": ""}, "the column that tells the indicators apart"),
        ({"gaps": {"{{ x }}": "suppressed"}}, "no braces"),
        ({"gaps": {"..": "zero"}}, "gaps"),
        ({"breaks": {"20": "census"}}, "is no year"),
        ({"estimate_kind": "guessed"}, "estimate_kind"),
    ],
)
def test_a_contract_that_cannot_be_meant_is_refused(spoilt: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Source.model_validate({"code": CODE, **content(moves=STAGING | spoilt)})


def test_what_is_not_as_its_contract_says_keeps_nothing_else_from_being_built(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of three datasets one file each is missing: `check-source` names it, and dbt has the project without them."""
    with flat.written(monkeypatch, tmp_path, content(moves=STAGING, nosql=STAGING, noyml=STAGING, novars=STAGING)):
        contracts.write()
        folder = tmp_path / f"dbt/models/staging/{CODE}"
        (folder / f"stg_{CODE}__nosql.sql").unlink()
        (folder / f"stg_{CODE}__noyml.yml").unlink()
        variables = tmp_path / contracts.VARS
        said = yaml.safe_load(variables.read_text("utf-8"))
        said["vars"]["contracts"] = [entry for entry in said["vars"]["contracts"] if entry["dataset"] != "novars"]
        variables.write_text(yaml.safe_dump(said), encoding="utf-8")
        flat.forget()
        lacking = places.of_source(profile, CODE)
        assert {missing.file: lacks for missing, lacks in lacking.items()} == {
            f"dbt/models/staging/{CODE}/stg_{CODE}__nosql.sql": ["nosql"],
            f"dbt/models/staging/{CODE}/stg_{CODE}__noyml.yml": ["noyml"],
            "dbt/vars.yml": ["novars"],
        }
        nodes = build.graph(profile).nodes.values()
        views = {node.name: node.relation for node in nodes if node.name.startswith(f"model.koshi.stg_{CODE}")}
        assert sorted(views.values()) == [f"stg_{CODE}__moves"]
        read_by = {(node.relation, views[parent]) for node in nodes for parent in node.parents if node.is_in("core") and parent in views}
        assert read_by == {(fact, view) for fact in ("int_area_indicator", "release_period") for view in views.values()}
