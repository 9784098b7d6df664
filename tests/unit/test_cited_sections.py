"""What code, data and documents cite as a reason can be read in this repository: each cited section exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "docs" / "sources"
FOLDERS = ("dags", "dbt", "docs", "expectations", "extractors", "reporting", "sample", "tests", "warehouse")
SUFFIXES = {".py", ".sql", ".yml", ".csv", ".md"}

_SECTION = r"(?<!\w)(?:\d+|[a-g])(?:\.\d+)*(?!\w)"
# a document with its sections: `bns.md 8.4, 8.6 and 8.7`; a whole document is named by its path, and links are checked as such
_DOCUMENT = "|".join(sorted(path.stem for path in SOURCES.glob("[a-z]*.md")))
CITED = re.compile(rf"(?<!\]\()(?<![\w\[/])(docs/sources/)?({_DOCUMENT})\.md((?:(?: |, | and ){_SECTION})*)")
DECISION = re.compile(r"\bdecisions? (\d+)\b")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# a reason that names a place in no document
NAMELESS = re.compile(r"\b(?:dossier|[Tt]raps? \d|[Ii]dentit(?:y|ies) \d)")


def _texts() -> list[tuple[Path, str]]:
    paths = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "pipeline.py"]
    for folder in FOLDERS:
        paths += [path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    ours = [path for path in paths if not {"archive", "target", "logs"} & set(path.relative_to(ROOT).parts) and path != Path(__file__)]
    return [(path, path.read_text(encoding="utf-8")) for path in ours]


def _sections(document: str) -> set[str]:
    path = SOURCES / f"{document}.md"
    return set(re.findall(rf"^##+ ({_SECTION}) ", path.read_text(encoding="utf-8"), re.MULTILINE)) if path.exists() else set()


def test_each_cited_section_exists() -> None:
    known = {path.stem: _sections(path.stem) for path in SOURCES.glob("*.md")}
    missing, cited = [], 0
    for path, text in _texts():
        for match in CITED.finditer(text):
            path_to_it, document, named = match.groups()
            sections = re.findall(_SECTION, named)
            cited += 1
            missing += [f"{path.relative_to(ROOT)}: {document}.md {one}" for one in sections if one not in known.get(document, set())]
            if not sections and not path_to_it:
                missing.append(f"{path.relative_to(ROOT)}: {document}.md without a section")
    assert missing == []
    assert cited > 300  # 217 origin codes of UIS, and all others: the pattern finds them


def test_no_reason_points_outside_the_repository() -> None:
    assert [f"{path.relative_to(ROOT)}: {match.group()}" for path, text in _texts() for match in NAMELESS.finditer(text)] == []


def test_each_cited_decision_and_linked_page_exists() -> None:
    numbers = {int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md")}
    missing = []
    for path, text in _texts():
        where = path.relative_to(ROOT)
        if where.parts[0] != "tests":  # journals of tests hold decisions that nobody made
            missing += [f"{where}: decision {found}" for found in DECISION.findall(text) if int(found) not in numbers]
        if path.suffix == ".md":
            missing += [f"{where}: {link}" for link in LINK.findall(text) if not (path.parent / link).exists()]
    assert missing == []


def test_each_law_names_its_tests_and_each_named_file_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    laws = re.findall(r"^\d\. \*\*.*(?:\n   .*)*", page.partition("## Laws")[2].partition("\n## ")[0], re.MULTILINE)
    assert len(laws) == 8
    assert [law[:60] for law in laws if "`tests/" not in law] == []
    named = {
        name
        for _, text in _texts()
        for name in re.findall(r"`((?:tests|docs|warehouse|extractors|reporting)/[\w/]+\.(?:py|md|yml))`", text)
    }
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_readers_of_the_warehouse_are_told_the_whole_path() -> None:
    # these seeds' sources are column `code_source` of bi: outside the repository a bare name of a file says nothing
    for seed in ("area", "area_group", "region_succession"):
        text = (ROOT / "dbt" / "seeds" / f"{seed}.csv").read_text(encoding="utf-8")
        assert text.count("classifications.md") == text.count("docs/sources/classifications.md") > 0
