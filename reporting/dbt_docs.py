"""dbt's documentation of the models as one page and its program, over the publication that readers see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reporting.pages import MARKUP, Kind, clean, render
from warehouse.build import copy_of_manifest, dbt_environment
from warehouse.contracts import variables
from warehouse.fingerprint import core_schema
from warehouse.profile import ROOT, Profile

# the schema that dbt builds a publication in, and the one that readers see it in (warehouse/served.py)
CANDIDATE, READERS = "candidate", "bi"
# between these stands dbt's program, with the models as its data; what is left is a list of icons and an empty place
SCRIPT = '<script defer="defer">', "</script>"
DRAWING = {"d", "fill", "height", "points", "transform", "viewBox", "width", "x", "y"}
MODELS = Kind(
    # dbt's program brings style sheets and a font along
    policy="default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:;"
    " base-uri 'none'; form-action 'none'",
    markup={**MARKUP, **dict.fromkeys(("svg", "g", "path", "polygon", "rect"), DRAWING), "div": {"ui-view", "style"}},
)


class DocsError(RuntimeError):
    """dbt did not write its documentation; the message is dbt's own."""


def build(profile: Profile, target: Path) -> None:
    """Writes `index.html` into `target`: models, columns, types and lineage of the publication that readers see.

    Raises `DocsError` with dbt's message.
    """
    work = profile.state / "dbt_docs"
    project = str(ROOT / "dbt")
    common = ["--project-dir", project, "--profiles-dir", project, "--target", "prod", "--target-path", str(work)]
    common += ["--quiet", "--log-level", "none", "--no-use-colors", "--vars", json.dumps({"core_schema": core_schema()} | variables())]
    with dbt_environment(profile):
        manifest = copy_of_manifest(profile)
        _name_publication(manifest)
        manifest.write(str(work / "manifest.json"))  # the page shows this file
        _invoke(manifest, ["docs", "generate", "--static", "--no-compile", *common])
    program, body = _parted((work / "static_index.html").read_text(encoding="utf-8"))
    target.mkdir(parents=True)
    (target / "dbt_docs.js").write_text(program, encoding="utf-8")
    (target / "index.html").write_text(render("dbt_docs.html.j2", MODELS, body=clean(body, MODELS)), encoding="utf-8")


def _parted(page: str) -> tuple[str, str]:
    """dbt's one file as a program and the body of a page. Text in the data may look like the end of the program: the last one is it."""
    _, start, rest = page.partition(SCRIPT[0])
    program, end, body = rest.rpartition(SCRIPT[1])
    if not (start and end):
        raise DocsError("dbt's documentation has no script where one was: dbt changed its shape, adapt reporting/dbt_docs.py")
    return program, body


def _invoke(manifest: Any, arguments: list[str]) -> None:
    from dbt.cli.main import dbtRunner  # 2.6 s: only those who write the page pay for it

    outcome = dbtRunner(manifest=manifest).invoke(arguments)
    if not outcome.success:
        raise DocsError(f"dbt {' '.join(arguments[:2])}: {outcome.exception or 'failed without a message'}")


def _name_publication(manifest: Any) -> None:
    """The models as readers see them: built as candidates, in `bi` since."""
    for node in manifest.nodes.values():
        if node.schema == CANDIDATE:
            node.schema = READERS
            if getattr(node, "relation_name", None):
                node.relation_name = node.relation_name.replace(f'"{CANDIDATE}"', f'"{READERS}"')
