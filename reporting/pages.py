"""Self-contained pages: no request leaves the site, and no foreign script runs. Our templates, a whitelist of markup, a browser policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from warehouse.wording import counted, trimmed

TEMPLATES = Path(__file__).parent / "templates"
# what a browser may take from the folder of the page, and from nowhere else: no script or style that stands in a page itself
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
# a policy that only a header can give: nobody shows the page inside another
FRAMING = "frame-ancestors 'none'"
ANYWHERE = {"class", "id", "title", "hidden", "role", "aria-hidden", "aria-controls", "aria-current", "aria-expanded", "data-toggle",
            "aria-label", "lang", "tabindex"}  # fmt: skip
PLAIN = """
b br button caption code dd details div dl dt em footer h1 h2 h3 h4 h5 h6 header hr i label li main nav ol p pre section small span
strong sub summary sup table tbody tfoot thead tr ul
"""
MARKUP: Mapping[str, set[str]] = {
    **{name: set() for name in PLAIN.split()},
    "*": ANYWHERE,
    "a": {"href", "hreflang"},
    "input": {"type", "name", "checked"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "time": {"datetime"},
}
# their text is no text of the page
UNSEEN = {"footer", "iframe", "noscript", "object", "script", "style", "template", "title"}


@dataclass(frozen=True)
class Kind:
    """What the pages of a kind may hold and load: a policy for the browser, and tags with their attributes (`*`: those of any tag)."""

    policy: str = POLICY
    markup: Mapping[str, set[str]] = field(default_factory=lambda: MARKUP)


REPORT = Kind()


def render(template: str, kind: Kind = REPORT, **values: object) -> str:
    """The page of a template.

    Whatever stands in the data is shown as text, never as markup; a value that is not given is an error. The body holds what is on the
    whitelist of its kind and nothing else, whoever wrote it.
    """
    head, start, body = _templates().get_template(template).render(policy=kind.policy, **values).partition("<body>")
    return f"{head}{start}\n{clean(body, kind)}\n</body>\n</html>\n"


@cache
def _templates() -> Environment:
    """The templates, compiled once: the site for readers has hundreds of pages."""
    folder = FileSystemLoader(TEMPLATES)
    loader = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    loader.filters["figure"] = figure
    loader.filters["trimmed"] = trimmed
    loader.globals["counted"] = counted
    return loader


def clean(html: str, kind: Kind = REPORT) -> Markup:
    """The markup that is on the whitelist, read as browsers read it and written anew; of any other tag the text stays."""
    allowed = {name: set(attributes) for name, attributes in kind.markup.items()}
    unseen = UNSEEN - set(allowed)
    cleaned = nh3.clean(
        html, tags=set(allowed) - {"*"}, attributes=allowed, clean_content_tags=unseen, url_schemes={"http", "https"}, link_rel=None
    )
    return Markup(cleaned.strip())  # noqa: S704 # nosec B704 - this is where markup is made safe


def figure(value: object) -> str:
    """A number with thousands separated and without zeros at its end; a time without a midnight; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return str(value).replace("T00:00:00+00:00", "")
    text = f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text
