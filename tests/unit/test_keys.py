"""Keys come from content, in Python and in SQL alike."""

from __future__ import annotations

import hashlib

import jinja2
import pytest

from warehouse.connection import connect
from warehouse.keys import content_key, hex_key, number_of
from warehouse.profile import ROOT, Profile


def test_a_key_is_the_first_eight_bytes_of_the_sha256_of_the_joined_parts() -> None:
    digest = hashlib.sha256(b"area|KAZ").digest()
    assert content_key("area", "KAZ") == int.from_bytes(digest[:8], "big", signed=True)
    assert len(hex_key(content_key("area", "KAZ"))) == 16


@pytest.mark.parametrize("key", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_a_key_in_text_is_the_number_that_it_was(key: int) -> None:
    assert number_of(hex_key(key)) == number_of(key) == key
    assert number_of(None) is None


def test_a_part_that_holds_the_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="must not hold"):
        content_key("area", "K|Z")


@pytest.mark.parametrize(
    ("parts", "words", "folded"),
    [
        (["'area'", "'KAZ'"], ("area", "KAZ"), True),
        (["'area'", "code"], ("area", "KAZ"), False),
        (["'area'", "'K' || 'AZ'"], ("area", "KAZ"), False),
        (["'area'", "'it''s'"], ("area", "it's"), False),
        (["'area'", "'Қазақстан'"], ("area", "Қазақстан"), False),
        (["'cube'", "'bns.population.region'"], ("cube", "bns.population.region"), True),
    ],
)
def test_dbt_computes_the_same_number_and_a_constant_once_a_query(
    bare: Profile, parts: list[str], words: tuple[str, ...], folded: bool
) -> None:
    macro = (ROOT / "dbt/macros/content_key.sql").read_text("utf-8")
    expression = jinja2.Template(macro + "{{ content_key(parts) }}").render(parts=parts).strip()
    with connect(bare) as connection:
        query = f"select {expression} from (values ('KAZ'), ('KAZ')) as t (code)".encode()
        assert connection.execute(query).fetchall() == [(content_key(*words),)] * 2
        plan = connection.execute(b"explain verbose " + query).fetchall()
    assert ("sha256" not in str(plan)) == folded
