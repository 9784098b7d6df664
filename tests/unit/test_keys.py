"""Keys come from content, in Python and in SQL alike."""

from __future__ import annotations

import hashlib

import pytest

from tests.state import read
from warehouse.fingerprint import core_schema
from warehouse.keys import content_key, hex_key
from warehouse.profile import Profile


def test_a_key_is_the_first_eight_bytes_of_the_sha256_of_the_joined_parts() -> None:
    digest = hashlib.sha256(b"area|KAZ").digest()
    assert content_key("area", "KAZ") == int.from_bytes(digest[:8], "big", signed=True)
    assert len(hex_key(content_key("area", "KAZ"))) == 16


def test_a_part_that_holds_the_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="must not hold"):
        content_key("area", "K|Z")


def test_the_macro_of_dbt_computes_the_same_number(profile: Profile) -> None:
    # the seeds hold codes only; the expression is that of dbt/macros/content_key.sql
    expression = "('x' || left(encode(sha256(convert_to('area|' || code, 'UTF8')), 'hex'), 16))::bit(64)::bigint"
    for code, key in read(profile, f"select code, {expression} from {core_schema()}.region"):
        assert key == content_key("area", str(code))
