"""The reports: what the page says, that it calls nobody, and what is not shown as markup."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from expectations import data_context
from reporting import airflow_home, data_docs, dbt_docs, pages, serve, site
from reporting.published import Answer, Published, answer, published
from tests import small
from tests.markup import HOSTILE, is_plain
from warehouse.profile import Profile


def _plain(folder: Path) -> None:
    """Every page holds the markup of reports and nothing else, and has a policy that lets nothing run or load that stands in a page."""
    found = sorted(folder.rglob("*.html"))
    assert found
    for file in found:
        page = file.read_text(encoding="utf-8")
        policy = page.partition('<meta http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
        assert policy.startswith("default-src &#39;none&#39;; script-src &#39;self&#39;; style-src"), file
        assert "unsafe-eval" not in policy, file
        if file.parent.name == site.MODELS:  # dbt's own icons stand in it, and what it shows comes from our code alone
            assert page.count("<script") == 1
        else:
            assert "unsafe" not in policy, file
            is_plain(page)


def test_before_the_first_publication_the_page_says_so(profile: Profile) -> None:
    html = site.build(profile).read_text(encoding="utf-8")
    assert "Nothing is published yet" in html
    assert "No release is rejected" in html


@pytest.mark.slow
def test_the_page_tells_what_was_published_and_what_was_not(settled: Profile) -> None:
    """One good delivery, then one whose arrivals are below zero: gate 1 rejects it by name, and readers see what they saw."""
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: -5}, text=HOSTILE), "2026-03-01")
    _, end = small.run(settled)
    assert end.outcome == "nothing new"
    found = published(settled)
    assert (found.number, found.captures) == (1, ["reconstructed"])
    assert {row["dataset"] for row in found.releases} == set(small.DATASETS)
    assert [(row["dataset"], row["state"]) for row in found.not_published] == [("external_arrivals", "rejected")]
    assert "no value below 0" in found.not_published[0]["reason"]
    assert {row["expectation"] for row in found.failed if row["outcome"] == "reject"} == {
        "no value below 0",
        "every area is readable",
        "no year differs from the years beside it by a factor of 8",
    }
    # four years of arrivals and of departures
    assert {"name": "fct_migration_flow", "current": 8, "vintages": 8} in found.facts

    page = site.build(settled, "http://127.0.0.1:1/")
    html = page.read_text(encoding="utf-8")
    assert "Publication 1" in html
    assert found.not_published[0]["release"] in html
    assert 'href="http://127.0.0.1:1/"' in html
    _plain(page.parent)
    models = (page.parent / "dbt_docs" / "dbt_docs.js").read_text(encoding="utf-8")
    assert '\\"schema\\": \\"bi\\"' in models or '"schema": "bi"' in models


def _kept(suite: str, name: str, *, success: bool, severity: str = "critical") -> dict[str, Any]:
    """A result as Great Expectations 1.24 stores it, with one expectation."""
    config = {"type": "expect_column_values_to_be_null", "kwargs": {"batch_id": "rows", "column": "value_issue"},
              "meta": {"name": name, "dimension": "accuracy", "outcome": "reject"},
              "id": None, "description": name, "severity": severity}  # fmt: skip
    result = {"element_count": 3, "unexpected_count": 0 if success else 1, "unexpected_percent": 0.0,
              "partial_unexpected_list": [] if success else ["<b>not a number</b>"], "partial_unexpected_counts": []}  # fmt: skip
    return {
        "success": success,
        "results": [{"success": success, "expectation_config": config, "result": result, "meta": {},
                     "exception_info": {"raised_exception": False, "exception_traceback": None, "exception_message": None}}],
        "suite_name": suite, "suite_parameters": {}, "id": None,
        "statistics": {"evaluated_expectations": 1, "successful_expectations": int(success), "unsuccessful_expectations": int(not success),
                       "success_percent": 100.0 * success},
        "meta": {"great_expectations_version": "1.24.1", "batch_spec": {"query": "select 1"},
                 "active_batch_definition": {"datasource_name": "warehouse", "data_connector_name": "fluent", "data_asset_name": "rows",
                                             "batch_identifiers": {}},
                 "run_id": {"run_name": None, "run_time": "2026-01-15T00:00:00+00:00"}},
    }  # fmt: skip


def _keep(profile: Profile, body: dict[str, Any], day: int = 15) -> None:
    """Puts the result where the gates do."""
    body["meta"]["run_id"] = {"run_name": "gate", "run_time": f"2026-01-{day}T00:00:00+00:00"}
    folder = data_context.results_folder(profile) / body["suite_name"].replace(".", "/") / "gate" / f"202601{day}T000000.000000Z"
    folder.mkdir(parents=True)
    (folder / "rows.json").write_text(json.dumps(body), encoding="utf-8")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Data Docs of three suites: one holds, one warns, one fails."""
    profile = Profile("sample", "", "", tmp_path, "unused")
    _keep(profile, _kept("bns.good", "every value is readable", success=True))
    _keep(profile, _kept("bns.doubtful", "no value above 9", success=False, severity="warning"))
    _keep(profile, _kept("publication", "the parts make the whole", success=False))
    return data_docs.build(profile, tmp_path / "site" / "data_docs")


def test_data_docs_show_every_suite_and_what_does_not_hold(docs: Path) -> None:
    html = docs.read_text(encoding="utf-8")
    for word in ("bns.good", "holds", "bns.doubtful", "warning", "publication", "critical failure", "the parts make the whole"):
        assert word in html
    _plain(docs.parent)


def test_data_docs_pages_keep_their_text_and_lose_what_they_would_load(docs: Path) -> None:
    page = next(docs.parent.glob("validations/publication/gate/*/rows.html")).read_text(encoding="utf-8")
    assert "the parts make the whole" in page
    assert page.count("<script") == 1
    assert "&lt;b&gt;not a number&lt;/b&gt;" in page
    assert "newsletter" not in page
    assert "data_docs.js" in page


def test_data_docs_without_results_say_so(tmp_path: Path) -> None:
    page = data_docs.build(Profile("sample", "", "", tmp_path, "unused"), tmp_path / "docs")
    assert "No result is kept" in page.read_text(encoding="utf-8")


def test_the_last_results_of_each_suite_are_kept_and_those_of_a_person_are_his(tmp_path: Path) -> None:
    profile = Profile("sample", "", "", tmp_path, "unused")
    for day in range(10, 12 + data_context.KEPT):
        _keep(profile, _kept("bns.often", "every value is readable", success=day % 2 == 0), day)
    by_hand = data_context.results_folder(profile) / "bns" / "often" / "__none__" / "20260301T000000.000000Z" / "rows.json"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_text("{}", encoding="utf-8")
    html = data_docs.build(profile, tmp_path / "site").read_text(encoding="utf-8")
    days = [day for day in range(10, 20) if f"202601{day}T" in html]
    assert days == list(range(12, 12 + data_context.KEPT))
    pages = list((tmp_path / "site").rglob("rows.html"))
    assert len(pages) == data_context.KEPT
    assert by_hand.exists()


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://cdn.example/x.js"></script>', "<link rel=stylesheet href=//fonts.example/a.css>", "<p onclick=run()>",
        '<img alt="" src="http://count.example/1.gif">', "<style>a { background: url('https://x.example/a.png') }</style>",
        '<p style="background: url(//x.example)">', "<svg onload=run()>", "<form action=//x.example><button formaction=//x.example>",
        '<a href="javascript:run()">', '<a href="data:text/html,x">', "<iframe srcdoc='<script>run()</script>'></iframe>",
        "<math><mi//xlink:href=//x.example>", "<meta http-equiv=refresh content='0;url=//x.example'>", "<base href=//x.example>",
        "<object data=//x.example></object>", "<svg><style><img src=//x.example></style>", "<table background=//x.example></table>",
        "<input onfocus=run() autofocus>", "<details ontoggle=run() open>", "<noscript><p title='</noscript><svg onload=run()>'>",
    ],
)  # fmt: skip
def test_of_other_peoples_markup_only_what_is_on_the_whitelist_is_left(markup: str) -> None:
    left = pages.clean(f"before {markup}<b>bold</b></p></svg></style></form></iframe></noscript></object> after")
    assert left.startswith("before")
    assert "example" not in left and "run()" not in left and "javascript" not in left
    is_plain(f"<title></title>{left}")


def test_data_is_text_and_never_markup() -> None:
    row = dict.fromkeys(("state", "source", "dataset", "slice", "edition", "release", "reason", "severity", "gate", "subject",
                         "expectation", "outcome", "observed", "rule", "first_row", "example", "dimension"), HOSTILE)  # fmt: skip
    figures = {"checks": 1, "passed": 0, "critical": 1, "warnings": 0, "rows": 1}
    found = Published(number=1, published_at=datetime(2026, 1, 15, tzinfo=UTC), key=HOSTILE, code=HOSTILE, pinned=HOSTILE)
    found.answers = [Answer(HOSTILE, HOSTILE, [HOSTILE], [(HOSTILE,)]), Answer(HOSTILE, HOSTILE, [], [], HOSTILE)]
    found.not_published, found.failed = [row], [row]
    found.quarantined, found.dimensions = [row | figures], [row | figures]
    page = site.render(found, Profile("sample", "", "", Path("unused"), "unused"))
    is_plain(page)
    assert "&lt;script&gt;document.title='XSS_RAN'&lt;/script&gt;&lt;b&gt;bold&lt;/b&gt;" in page
    assert "&amp;lt;svg onload=1&amp;gt;" in page, "an entity is text as well"


def test_hostile_text_is_text_in_data_docs(tmp_path: Path) -> None:
    """Wherever a result may carry what an agency said: the check's name, values, whole rows, what was observed, an error."""
    profile = Profile("sample", "", "", tmp_path, "unused")
    body = _kept("bns.hostile", HOSTILE, success=False)
    query = {"type": "unexpected_rows_expectation", "kwargs": {"batch_id": "rows", "unexpected_rows_query": "select 1 from {batch}"},
             "meta": {"name": HOSTILE, "dimension": "validity"}, "id": None, "description": HOSTILE, "severity": "warning"}  # fmt: skip
    said = {"observed_value": HOSTILE, "unexpected_count": 1, "details": {"unexpected_rows": [{"label": HOSTILE}]},
            "partial_unexpected_list": [HOSTILE]}  # fmt: skip
    body["results"][0]["result"]["partial_unexpected_list"] = [HOSTILE, {"value": HOSTILE}]
    calm = {"raised_exception": False, "exception_traceback": None, "exception_message": None}
    loud = {"raised_exception": True, "exception_traceback": HOSTILE, "exception_message": HOSTILE}
    body["results"] += [
        {"success": False, "expectation_config": query, "result": said, "meta": {}, "exception_info": calm},
        {"success": False, "expectation_config": query | {"description": "raises"}, "result": {}, "meta": {}, "exception_info": loud},
    ]
    _keep(profile, body)
    docs = data_docs.build(profile, tmp_path / "site")
    _plain(docs.parent)
    page = next(docs.parent.glob("validations/**/rows.html")).read_text(encoding="utf-8")
    assert page.count("&lt;svg onload=") >= 3
    assert "&amp;lt;script" not in page, "escaped twice"
    assert "<b>bold" not in page


def test_dbts_program_is_a_file_of_its_own_whatever_stands_in_its_data() -> None:
    page = f'<html><head>{dbt_docs.SCRIPT[0]}var a = "</script><svg onload=1>";</script></head><body><div ui-view></div></body></html>'
    program, body = dbt_docs._parted(page)
    assert program == 'var a = "</script><svg onload=1>";'
    assert pages.clean(body, dbt_docs.MODELS) == '<div ui-view=""></div>'
    with pytest.raises(dbt_docs.DocsError, match=r"adapt reporting/dbt_docs\.py"):
        dbt_docs._parted("<html><script src=other.js></script></html>")


def test_findings_on_the_page_have_no_zeros_at_the_end_of_numbers() -> None:
    row = {"state": "held", "source": "bns", "dataset": "population", "slice": "2024", "edition": "2024", "release": "0",
           "severity": "critical", "gate": "gate 2", "subject": "any", "expectation": "any", "outcome": "hold"}  # fmt: skip
    found = Published(not_published=[row | {"reason": "found 17216.000000"}], failed=[row | {"observed": "found 0.500000"}])
    found.dimensions = [{"dimension": "accuracy", "gate": "gate 2", "checks": 1, "passed": 0, "critical": 1, "warnings": 0}]
    html = site.render(found, Profile("sample", "", "", Path("unused"), "unused"))
    assert "found 17216<" in html and "found 0.5<" in html


def test_figures_are_set_for_readers() -> None:
    shown = {Decimal("2292055.000000"): "2,292,055", Decimal("0.0"): "0", Decimal("-6.70"): "-6.7", 1200: "1,200"}
    assert {value: pages.figure(value) for value in shown} == shown
    assert pages.figure("retrieved 2026-01-15T00:00:00+00:00") == "retrieved 2026-01-15"


def test_a_question_that_the_publication_cannot_answer_is_told(profile: Profile) -> None:
    found = answer(profile, "-- How many?\nselect 1 from bi.no_such_mart;")
    assert (found.question, found.rows) == ("How many?", [])
    assert "no_such_mart" in found.problem


def test_a_question_reads_only(profile: Profile) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        answer(profile, "-- No question\ncreate table bi.x (a int)")


def test_reports_are_served_on_loopback_only(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("here", encoding="utf-8")
    with serve.reports(tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=5) as response:  # noqa: S310
            assert response.read() == b"here"
            assert response.headers["Content-Security-Policy"] == f"{pages.POLICY}; frame-ancestors 'none'"
        (tmp_path / "dbt_docs").mkdir()
        (tmp_path / "dbt_docs" / "index.html").write_text("models", encoding="utf-8")
        with urllib.request.urlopen(f"{address}dbt_docs/index.html", timeout=5) as response:  # noqa: S310
            assert response.headers["Content-Security-Policy"].startswith(dbt_docs.MODELS.policy)


def test_airflow_is_closed_and_quiet(tmp_path: Path) -> None:
    settings = airflow_home.service(Profile("sample", "", "", tmp_path, "unused"), 1234)
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert ("scheduler", "--skip-serve-logs") in serve.SERVICES
