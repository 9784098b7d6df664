"""dbt's documentation of the models as one page, over the publication that readers see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reporting.pages import check, into_head
from warehouse.build import dbt_environment as dbt_environment
from warehouse.fingerprint import core_schema
from warehouse.profile import ROOT, Profile

# the schema that dbt builds a publication in, before it takes the publication's name (warehouse/build.py)
CANDIDATE = "candidate"


class DocsError(RuntimeError):
    """dbt did not write its documentation; the message is dbt's own."""


def build(profile: Profile, publication: str, target: Path) -> None:
    """Writes `index.html` into `target`: models, columns, types and lineage of the publication with that key (16 hexadecimal digits).

    Raises `DocsError` with dbt's message.
    """
    work = profile.state / "dbt_docs"
    project = str(ROOT / "dbt")
    common = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(work)]
    common += ["--quiet", "--log-level", "none", "--no-use-colors", "--vars", json.dumps({"core_schema": core_schema()})]
    with dbt_environment(profile):
        manifest = _invoke(None, ["parse", *common])
        _name_publication(manifest, f"pub_{publication}")
        manifest.write(str(work / "manifest.json"))  # the page shows this file
        _invoke(manifest, ["docs", "generate", "--static", "--no-compile", *common])
    page = into_head((work / "static_index.html").read_text(encoding="utf-8"))
    target.mkdir(parents=True)
    (target / "index.html").write_text(check("dbt docs", page), encoding="utf-8")


def _invoke(manifest: Any, arguments: list[str]) -> Any:
    from dbt.cli.main import dbtRunner  # 2.6 s: only those who write the page pay for it

    outcome = dbtRunner(manifest=manifest).invoke(arguments)
    if not outcome.success:
        raise DocsError(f"dbt {' '.join(arguments[:2])}: {outcome.exception or 'failed without a message'}")
    return outcome.result


def _name_publication(manifest: Any, schema: str) -> None:
    """The models as they stand now: built as candidates, renamed since."""
    for node in manifest.nodes.values():
        if node.schema == CANDIDATE:
            node.schema = schema
            if getattr(node, "relation_name", None):
                node.relation_name = node.relation_name.replace(f'"{CANDIDATE}"', f'"{schema}"')
