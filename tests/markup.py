"""What may stand in a page of the reports, told by a parser that is not the product's."""

from __future__ import annotations

from html.parser import HTMLParser

# markup in every place where a careless page would let it become some: text, an attribute, a script, a style, a link, an entity
HOSTILE = (
    """</td></script></style></title>"'><svg onload="document.title='XSS_RAN'"><img src=x onerror="document.title='XSS_RAN'">"""
    """<script>document.title='XSS_RAN'</script><b>bold</b><a href="javascript:document.title='XSS_RAN'">link</a>"""
    """<style>body{display:none}</style><base href="http://192.0.2.1/">&lt;svg onload=1&gt;{{constructor.constructor('1')()}}"""
)
TEXT = """
a b body br button caption code dd details div dl dt em footer h1 h2 h3 h4 h5 h6 head header hr html i input label li link main meta nav ol
p pre section small span strong summary table tbody td th thead time title tr ul script
"""
OURS = {"koshi.css", "data_docs.css", "data_docs.js", "dbt_docs.js", "data:,"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inside: str = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag in TEXT.split(), f"<{tag}> stands in the page, at {self.getpos()}"
        strange = {name for name in given if name.startswith("on") or name in ("style", "srcdoc", "formaction", "ping", "target")}
        assert not strange, f"<{tag}> has {strange}, at {self.getpos()}"
        if tag in ("script", "link"):
            loaded = given.get("src") or given.get("href") or ""
            assert loaded.rpartition("/")[2] in OURS and not loaded.startswith(("/", "http")), f"the page loads {loaded!r}"
        elif "href" in given:
            assert given["href"].partition(":")[0] in ("http", "https") or ":" not in given["href"].partition("#")[0], given["href"]
        assert "src" not in given or tag == "script", f"<{tag}> loads {given}"
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        assert self.inside not in ("script", "style") or not data.strip(), f"a script or a style stands in the page: {data[:80]!r}"


def is_plain(page: str) -> None:
    """Raises `AssertionError` if the page holds a tag, a handler, a style or a script that is none of ours, or loads from elsewhere."""
    assert "XSS_RAN" not in page.partition("</title>")[0]
    _Page().feed(page)
