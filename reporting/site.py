"""The reports as a folder of plain pages: what was published, the Data Docs, the models. It needs no network to be read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from reporting import data_docs, dbt_docs, gallery, pages
from reporting.gallery.declared import texts
from reporting.published import Published, published
from warehouse import folders
from warehouse.locks import locked
from warehouse.profile import Profile
from warehouse.steps import note, step
from warehouse.wording import one_line

MODELS = "dbt_docs"


def folder(profile: Profile) -> Path:
    """Where the site of the profile lies; `index.html` is its first page."""
    return profile.state / "site"


def build(profile: Profile, airflow_url: str | None = None) -> Path:
    """Writes the site anew and returns its first page.

    Readers of the old site see it until the new one stands. `airflow_url` (else `KOSHI_AIRFLOW_URL`) is where Airflow answers.
    """
    with locked(profile, "reports", wait=True):
        return _build(profile, airflow_url)


def _build(profile: Profile, airflow_url: str | None) -> Path:
    from expectations import data_context  # imports Great Expectations, 4 s

    found = published(profile)
    target, scratch = folder(profile), profile.state / f"site.{os.getpid()}.new"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    data_context.store(profile)
    data_docs.build(profile, scratch / "data_docs")
    if found.number is not None:
        dbt_docs.build(profile, scratch / MODELS)
        _for_readers(profile, scratch)
    shutil.copy(pages.TEMPLATES / "koshi.css", scratch / "koshi.css")
    page = render(found, profile, airflow_url or os.environ.get("KOSHI_AIRFLOW_URL"), _languages(scratch))
    (scratch / "index.html").write_text(page, encoding="utf-8")
    folders.replace(target, scratch)
    return target / "index.html"


def _for_readers(profile: Profile, site: Path) -> None:
    """Writes the pages in three languages beside the others. What keeps it from that is named; the rest of the site stands alone."""
    if gallery.unwanted():
        return
    from reporting.gallery import build  # what draws takes a second to import

    made = site / "readers.new"
    try:
        with step("gallery"):
            build.build(profile, made)
    except (RuntimeError, ValueError, OSError, psycopg.Error) as error:
        note(f"the site in three languages was not made: {one_line(str(error))}")
    else:
        for part in made.iterdir():
            part.rename(site / part.name)
    shutil.rmtree(made, ignore_errors=True)


def _languages(site: Path) -> dict[str, str]:
    return {language: name for language, name in texts().languages.items() if (site / language / "index.html").exists()}


def in_languages(profile: Profile) -> dict[str, str]:
    """The languages that the site for readers has pages in, with their names; each has a folder of the site."""
    return _languages(folder(profile))


def exists(profile: Profile) -> bool:
    """Whether there is a first page."""
    return (folder(profile) / "index.html").exists()


def refresh(profile: Profile) -> Path:
    """Writes the first page anew, where a run has published nothing: what became of each dataset is new. Returns the page.

    Where there is no site yet, it is built.
    """
    page = folder(profile) / "index.html"
    if not exists(profile):
        return build(profile)
    scratch = page.with_suffix(f".{os.getpid()}.new")
    scratch.write_text(render(published(profile), profile, os.environ.get("KOSHI_AIRFLOW_URL"), _languages(page.parent)), encoding="utf-8")
    scratch.replace(page)
    return page


def render(found: Published, profile: Profile, airflow_url: str | None = None, languages: Mapping[str, str] | None = None) -> str:
    """The first page as HTML; `languages` are those that the site for readers has pages in, with their names."""
    return pages.render(
        "page.html.j2",
        p=found,
        profile=profile.name,
        make="make LIVE=1" if profile.is_live else "make",
        airflow_url=airflow_url,
        languages=languages or {},
        written=datetime.now(UTC),
    )  # fmt: skip


def policy(path: str) -> str:
    """What a browser may do with the page at that path of the site."""
    return (dbt_docs.MODELS if path.startswith(f"/{MODELS}/") else pages.REPORT).policy
