"""Keys made from content, never from sequences (law 1)."""

from __future__ import annotations

import hashlib

SEPARATOR = "|"


def content_key(*parts: str) -> int:
    """A signed 64-bit key: the first 8 bytes of the sha256 of the parts joined by `|`.

    The dbt macro `content_key` computes the same number in SQL. A part that holds the separator is refused,
    so that two different lists of parts can never spell the same string. Raises `ValueError`.
    """
    for part in parts:
        if SEPARATOR in part:
            raise ValueError(f"a key part must not hold {SEPARATOR!r}: {part!r}")
    digest = hashlib.sha256(SEPARATOR.join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def hex_key(key: int) -> str:
    """The key as 16 hexadecimal digits, for names of schemas and files."""
    return f"{key & 0xFFFFFFFFFFFFFFFF:016x}"


def number_of(key: int | str | None) -> int | None:
    """The key as facts have it, of one that a mart may have as text (`hex_key`). Raises `ValueError` for what is no hexadecimal number."""
    return int.from_bytes(bytes.fromhex(key), "big", signed=True) if isinstance(key, str) else key
