"""How far a row may be handed on."""

from __future__ import annotations

from extractors.source import Redistribution
from reporting.export.terms import Grounds, Release


def test_a_row_is_of_the_strictest_class_that_it_can_rest_on() -> None:
    said: tuple[tuple[str, str, Redistribution], ...] = (
        ("a", "Bureau", "open"),
        ("b", "Bureau", "open"),
        ("c", "Bureau Committee", "unknown"),
        ("u", "Institute", "share-alike"),
        ("m", "Ministry", "quote-only"),
    )
    releases = {key: Release(key, f"s.{key}", frozenset(made.split()), may) for key, made, may in said}
    grounds = Grounds(releases, {"k": frozenset({"a", "b"}), "l": frozenset({"a", "c"})})

    def of(keys: dict[str, str | None], attribution: str | None, **more: bool) -> str:
        return grounds.of(keys, attribution, **more)[0]

    assert of({"k": "a", "l": "u"}, "Bureau; Institute") == "share-alike"
    assert of({"k": "a", "l": "m"}, "Bureau; Ministry") == "quote-only"
    assert of({"k": "a"}, "Bureau; Institute") == "share-alike"  # no key explains the Institute
    assert of({"k": "a"}, "Bureau; Somebody") == "unknown"
    assert of({"k": None}, "Bureau") == "open"  # of several releases, all that the column has
    assert of({"l": None}, "Bureau") == "unknown"
    assert of({"n": None}, "Bureau") == "unknown"  # the column names none anywhere: any release of the Bureau's
    assert of({"k": None}, None) == "open"
    assert of({"l": None}, None) == "unknown"
    assert of({"l": None}, None, has_figures=False) == "open"
    assert of({"k": "z"}, "Bureau") == "unknown"
    assert of({}, None) == "unknown"
