"""Each fact, column and text of the dbt project stands in one place."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from warehouse import contracts, fingerprint
from warehouse.profile import ROOT

DBT = ROOT / "dbt"
MODELS = sorted((DBT / "models").rglob("*.sql"))
DESCRIBED = sorted([*(DBT / "models").rglob("*.yml"), *(DBT / "seeds").rglob("*.yml")])
CONTRACTS = {one.view for one in contracts.contracts(ROOT)}
QUESTIONS = sorted((ROOT / "reporting" / "questions").glob("*.sql"))


def _declared(kind: str) -> list[dict[str, Any]]:
    """What the YAML files declare of this kind."""
    return [entry for file in DESCRIBED for entry in (yaml.safe_load(file.read_text("utf-8")).get(kind) or [])]


def test_a_text_that_recurs_is_a_docs_block() -> None:
    """An anchored list is one list: YAML gives its alias the same object."""
    models = [*_declared("models"), *_declared("seeds")]
    lists = {id(model["columns"]): model["columns"] for model in models if "columns" in model}
    texts = Counter(column["description"] for columns in lists.values() for column in columns)
    assert [text for text, uses in texts.items() if uses > 1 and not text.startswith("{{ doc(")] == []
    blocks = re.findall(r"{% docs (\w+) %}", (DBT / "models" / "docs" / "columns.md").read_text("utf-8"))
    assert Counter(blocks) == Counter({block: 1 for text in texts for block in re.findall(r"doc\('(\w+)'\)", text)})


def test_a_public_fact_has_the_columns_of_its_core_fact_and_no_list_of_its_own() -> None:
    for file in sorted((DBT / "models" / "star" / "facts").glob("_*.yml")):
        core, public = yaml.safe_load(file.read_text("utf-8"))["models"]
        assert (core["name"], public["name"]) == (f"int{file.stem}", f"fct{file.stem}")
        assert public["columns"] is core["columns"]
        assert public["description"] == core["description"]


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_a_model_says_only_what_its_folder_cannot(file: Path) -> None:
    text = file.read_text("utf-8")
    if re.search(r"\bmaterialized\s*=", text):
        assert file.stem in ("dim_country", "dim_region")  # two views among tables
    assert re.findall(r"\b(schema|alias|contract|unique_key|on_schema_change|incremental_strategy|tags)\s*=", text) == []


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_no_model_ends_in_a_select_that_repeats_a_list(file: Path) -> None:
    """The last select names columns of one relation only to name them again: `select a, b from final`."""
    last = file.read_text("utf-8").rpartition("\n)\n")[2]
    listed = re.fullmatch(r"\s*select\s+(?:\*|[\w,\s]+?)\s+from \w+\s*(?:order by [\w\s,]+)?;?\s*", last)
    assert listed is None, f"{file.name} ends in {last.strip()[:80]!r}"


def test_what_is_written_from_contracts_is_as_they_say() -> None:
    """`make contracts` was run after the last change of a block `staging`, and nothing of one that is gone is left."""
    found = contracts.contracts(ROOT)
    assert {one.of: contracts.differing(ROOT, one) for one in found} == {one.of: [] for one in found}
    assert contracts.variables(ROOT) == {}
    written = {file.stem for file in MODELS if f"Written by `{contracts.COMMAND}`" in file.read_text("utf-8")}
    assert written == CONTRACTS


@pytest.mark.parametrize("view", [file.stem for file in MODELS if "staging" in file.parts and file.stem not in CONTRACTS])
def test_each_staging_view_feeds_a_fact_and_the_periods(view: str) -> None:
    """dbt knows what a model depends on before it knows its graph, so the names stand in the text; those of contracts in vars.yml."""
    readers = {file.stem for file in (DBT / "models" / "core").glob("*.sql") if f"'{view}'" in file.read_text("utf-8")}
    assert "release_period" in readers
    assert len(readers) > 1


def test_no_two_nodes_have_one_name() -> None:
    names = [file.stem for file in MODELS] + [file.stem for file in (DBT / "seeds").glob("*.csv")]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_each_question_is_an_exposure_of_the_relations_that_it_reads() -> None:
    exposures = {entry["name"]: entry for entry in _declared("exposures")}
    page = set(exposures.pop("page")["depends_on"])
    assert sorted(exposures) == [f"question_{file.stem}" for file in QUESTIONS]
    for file in QUESTIONS:
        text, exposure = file.read_text("utf-8"), exposures[f"question_{file.stem}"]
        read = {re.sub(r"_(all|latest|vintage)$", "", name) for name in re.findall(r"\bbi\.(\w+)", text)}
        assert exposure["description"] == text.splitlines()[0].removeprefix("--").strip()
        assert set(exposure["depends_on"]) == {f"ref('{name}')" for name in read} <= page


def test_the_overview_names_what_readers_see() -> None:
    overview = (DBT / "models" / "docs" / "overview.md").read_text("utf-8")
    public = [
        file.stem for folder in ("star", "marts") for file in (DBT / "models" / folder).rglob("*.sql") if "intermediate" not in file.parts
    ]
    assert len(public) > 30
    assert [name for name in public if f"`{name}`" not in overview] == []


def test_a_description_belongs_to_the_code_of_a_publication_and_not_to_that_of_core(tmp_path: Path) -> None:
    """Readers get changed words with the next publication; facts are not made anew for them."""
    words, guide = tmp_path / "dbt" / "models" / "docs" / "columns.md", tmp_path / "dbt" / "README.md"
    words.parent.mkdir(parents=True)
    found = []
    for text in ("a", "b"):
        words.write_text(text, encoding="utf-8")
        guide.write_text(text, encoding="utf-8")
        found.append([fingerprint._fingerprint(tmp_path, parts) for parts in (fingerprint.CODE, fingerprint.CORE)])
    (code, core), (other_code, other_core) = found
    assert code != other_code
    assert core == other_core
    words.unlink()
    assert fingerprint._fingerprint(tmp_path, fingerprint.CODE) == fingerprint._fingerprint(tmp_path, fingerprint.CORE)  # no README in it
