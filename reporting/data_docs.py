"""Great Expectations' Data Docs of the last results, made in one go from a file context and readable without a network."""

from __future__ import annotations

import contextlib
import html
import io
import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reporting.pages import MARKUP, TEMPLATES, Kind, clean, render
from warehouse.profile import Profile

# its footer asks readers for their addresses
FOREIGN = Kind(markup={name: attributes for name, attributes in MARKUP.items() if name != "footer"})
ESCAPED = ("kwargs", "exception_message")
FAILED, WARNED, HOLDS = "critical failure", "warning", "holds"


@dataclass(frozen=True)
class Result:
    """One suite's last result, and where its pages lie."""

    name: str
    at: datetime
    checks: int
    critical: list[str]
    warnings: list[str]
    result_page: str
    suite_page: str

    @property
    def status(self) -> str:
        """In words: it holds, only warnings failed, or something critical did."""
        return FAILED if self.critical else WARNED if self.warnings else HOLDS


def build(profile: Profile, target: Path) -> Path:
    """Writes the Data Docs of the profile's kept results into `target` and returns their first page."""
    from expectations.validation import kept_results  # imports Great Expectations, 4 s

    work = profile.state / "data_docs"
    shutil.rmtree(work, ignore_errors=True)
    files = sorted(kept_results(profile).glob("*.json"))
    results = _render(work, {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}) if files else []
    target.mkdir(parents=True)
    for name in ("koshi.css", "data_docs.css", "data_docs.js"):
        shutil.copy(TEMPLATES / name, target / name)
    pages = work / "gx" / "uncommitted" / "data_docs" / "local_site"
    for result in results:
        for page in (result.result_page, result.suite_page):
            _write(target / page, page.count("/"), result.name, (pages / page).read_text(encoding="utf-8"))
    (target / "index.html").write_text(render("data_docs.html.j2", results=results), encoding="utf-8")
    return target / "index.html"


def _render(work: Path, kept: dict[str, dict[str, Any]]) -> list[Result]:
    """Lets Great Expectations render every kept result; its own first page, which is made by scripts, is not used."""
    import great_expectations as gx

    work.mkdir(parents=True)
    context = gx.get_context(mode="file", project_root_dir=str(work))
    # it prints a remark on each check of gate 2, which looks at several relations on purpose
    with contextlib.redirect_stdout(io.StringIO()):
        results = [_put(context, name, body) for name, body in kept.items()]
        context.build_data_docs()
    return results


def _put(context: Any, name: str, body: dict[str, Any]) -> Result:
    import great_expectations as gx
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier, ValidationResultIdentifier

    for entry in body["results"]:
        entry["expectation_config"].pop("id", None)  # identities of a context that is gone
    result = expectationSuiteValidationResultSchema.load(_text(body) | {"suite_name": name})
    context.suites.add(gx.ExpectationSuite(name=name, expectations=[entry.expectation_config.to_domain_obj() for entry in result.results]))
    at = datetime.fromisoformat(body["meta"]["run_id"]["run_time"])
    suite, run = ExpectationSuiteIdentifier(name=name), RunIdentifier(run_name="last", run_time=at)
    key = ValidationResultIdentifier(expectation_suite_identifier=suite, run_id=run, batch_identifier="rows")
    context.validation_results_store.set(key, result)
    failed = [entry["expectation_config"] for entry in body["results"] if not entry["success"]]
    folder = name.replace(".", "/")
    return Result(
        name=name,
        at=at,
        checks=len(body["results"]),
        critical=[config["meta"]["name"] for config in failed if config["severity"] == "critical"],
        warnings=[config["meta"]["name"] for config in failed if config["severity"] != "critical"],
        result_page=f"validations/{folder}/last/{at:%Y%m%dT%H%M%S.%fZ}/rows.html",
        suite_page=f"expectations/{folder}.html",
    )


def _text(value: Any) -> Any:
    """The same with every text escaped, but for those that Great Expectations escapes itself."""
    if isinstance(value, dict):
        return {key: each if key in ESCAPED else _text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_text(each) for each in value]
    return html.escape(value) if isinstance(value, str) else value


def _write(file: Path, depth: int, suite: str, found: str) -> None:
    """What Great Expectations' page shows, in a page of ours: its scripts, styles and images, and whom they would call, stay behind."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render("data_docs_of_suite.html.j2", suite=suite, up="../" * depth, found=clean(found, FOREIGN)), encoding="utf-8")
