"""Pages that call nobody: our templates, other people's pages stripped of what they would load, and a policy for the browser."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from warehouse.wording import counted, trimmed

TEMPLATES = Path(__file__).parent / "templates"
# the browser itself refuses whatever is not of this site, should a page still ask for it
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
SCRIPTS = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
STYLES = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
LINKS = re.compile(r"<(?:link|img)\b[^>]*>", re.IGNORECASE)
FOOTERS = re.compile(r"<footer\b.*?</footer>", re.DOTALL | re.IGNORECASE)
# what a browser loads without being asked; an anchor is followed only by a person
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*\b(?:src|data)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b[^>]*\bhref\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""",
    re.IGNORECASE,
)


class OfflineError(RuntimeError):
    """A page would load something from another machine; the message names the page and the address."""


def render(template: str, **values: object) -> str:
    """The page of a template.

    Whatever stands in the data is shown as text, never as markup; a value that is not given is an error.
    """
    folder = FileSystemLoader(TEMPLATES)
    loader = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    loader.filters["figure"] = figure
    loader.filters["trimmed"] = trimmed
    loader.globals["counted"] = counted
    return check(template, loader.get_template(template).render(policy=POLICY, **values))


def figure(value: object) -> str:
    """A number with thousands separated and without zeros at its end; a time without a midnight; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return str(value).replace("T00:00:00+00:00", "")
    text = f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def loaded(html: str) -> list[str]:
    """The addresses of other machines that a browser would load for the page by itself."""
    return sorted({next(filter(None, groups)) for groups in LOADED.findall(html)})


def stripped(html: str) -> str:
    """The page without its scripts, styles, images and footer; its text and tables stay."""
    for pattern in (SCRIPTS, STYLES, LINKS, FOOTERS):
        html = pattern.sub("", html)
    return html


def into_head(html: str, *tags: str) -> str:
    """The page with the policy and the tags at the beginning of its head. Raises `OfflineError` if it has no head."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    found = re.search(r"<head\b[^>]*>", html, re.IGNORECASE)
    if not found:
        raise OfflineError("the page has no <head>: its maker changed its shape, adapt reporting/pages.py")
    return html[: found.end()] + policy + "".join(tags) + html[found.end() :]


def check(name: str, html: str) -> str:
    """The page, if it loads nothing from another machine; else raises `OfflineError`."""
    if addresses := loaded(html):
        raise OfflineError(f"{name} would load {', '.join(addresses)}: strip it in reporting, or bring a local copy")
    return html
