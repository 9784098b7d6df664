"""Great Expectations' Data Docs of the last results, made in one go from a file context and readable without a network."""

from __future__ import annotations

import contextlib
import html
import io
import json
import shutil
from dataclasses import dataclass, field
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
    """One suite's last result, where its pages lie, and the pages of the results before it by their time, the newest first."""

    name: str
    at: datetime
    checks: int
    critical: list[str]
    warnings: list[str]
    result_page: str
    suite_page: str
    earlier: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """In words: it holds, only warnings failed, or something critical did."""
        return FAILED if self.critical else WARNED if self.warnings else HOLDS


def build(profile: Profile, target: Path) -> Path:
    """Writes the Data Docs of the gates' last results into `target` and returns their first page."""
    from expectations import data_context  # imports Great Expectations, 4 s

    folder, files = data_context.results_folder(profile), data_context.keep_last(profile)
    work = profile.state / "data_docs"
    shutil.rmtree(work, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("koshi.css", "data_docs.css", "data_docs.js"):
        shutil.copy(TEMPLATES / name, target / name)
    results = _render(work, folder, files, target) if files else []
    (target / "index.html").write_text(render("data_docs.html.j2", results=results), encoding="utf-8")
    return target / "index.html"


def _render(work: Path, folder: Path, files: list[Path], target: Path) -> list[Result]:
    """Lets Great Expectations render the results; its own first page, which is made by scripts, is not used."""
    import great_expectations as gx

    from expectations import data_context

    results: dict[str, Result] = {}
    with data_context.in_folder(work / "gx") as context:
        for file in files:
            body, page = json.loads(file.read_text(encoding="utf-8")), f"validations/{file.relative_to(folder).with_suffix('.html')}"
            name, at = body["suite_name"], datetime.fromisoformat(body["meta"]["run_id"]["run_time"])
            if name in results:
                results[name].earlier.append((at, page))
            else:
                results[name] = _result(body, at, page)
                asked = [_text(entry["expectation_config"]) for entry in body["results"]]
                context.suites.add(gx.ExpectationSuite(name=name, expectations=[config | {"id": None} for config in asked]))
            copy = work / "validations" / file.relative_to(folder)
            copy.parent.mkdir(parents=True)
            copy.write_text(json.dumps(_text(body)), encoding="utf-8")
        # it prints a remark on each check of gate 2, which looks at several relations on purpose
        with contextlib.redirect_stdout(io.StringIO()):
            context.build_data_docs()
    pages = work / "gx" / "uncommitted" / "data_docs" / "local_site"
    for result in results.values():
        for page in (result.result_page, result.suite_page, *(page for _, page in result.earlier)):
            _write(target / page, page.count("/"), result.name, (pages / page).read_text(encoding="utf-8"))
    return list(results.values())


def _result(body: dict[str, Any], at: datetime, page: str) -> Result:
    failed = [entry["expectation_config"] for entry in body["results"] if not entry["success"]]
    return Result(
        name=body["suite_name"],
        at=at,
        checks=len(body["results"]),
        critical=[config["meta"]["name"] for config in failed if config["severity"] == "critical"],
        warnings=[config["meta"]["name"] for config in failed if config["severity"] != "critical"],
        result_page=page,
        suite_page=f"expectations/{body['suite_name'].replace('.', '/')}.html",
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
