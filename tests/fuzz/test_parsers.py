"""Whatever the bytes are, a parser gives rows that the database takes, or says where the answer is not as known.

`make fuzz N=5000` tries so many answers of each kind, of each dataset, with another seed each time.
"""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.sound import NAMES, answers, check_said, outcome

EXAMPLES = int(os.environ.get("KOSHI_FUZZ") or 30)
# the same answers in every `make test`
each = settings(
    max_examples=EXAMPLES,
    derandomize="KOSHI_FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# What has meaning to a decoder, a figure or the database
TOKENS = (
    b"\x00", b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xff", b'"', b"'", b"|", b",", b";", b"\t", b"\r", b"\n", b"\xef\xbb\xbf", b"\\",
    b"[" * 2_000, b'{"a":' * 2_000, b"]", b"}", b"{}", b"[]", b"null", b"true", b"NaN", b"-Infinity", b"9" * 5_000, b"1e99999999999999999",
    b"-", b"0", b" ", b"\xc2\xa0", b"\xc2\xb9", b"\xd9\xa3", b'"a":1,"a":2,', b"<", b">", b"&l;", b"<!DOCTYPE x>", b"<x/>", b"</row>",
    b'<row r="1048576">', b'<c r="XFD1048576"><v>1</v></c>', b"<v>1</v>", b"<f>A1</f>", b't="s"', b't="d"', b't="b"', b't="inlineStr"',
    b"y" * 5_000,
)  # fmt: skip
Change = tuple[float, float, bytes]
changes = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.one_of(st.just(0.0), st.floats(0, 0.2)),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4), st.just(b"")),
    ),
    min_size=1,
    max_size=3,
)


def mutated(body: bytes, changes: list[Change]) -> bytes:
    """The bytes with parts of them (at, length: shares of the whole) replaced."""
    for at, length, token in changes:
        begin = int(at * len(body))
        body = body[:begin] + token + body[begin + int(length * len(body)) :]
    return body


def inside(body: bytes, part: float, changes: list[Change]) -> bytes:
    """The workbook with one of its parts changed, packed anew."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = sorted(old.namelist())
        chosen = names[int(part * len(names))]
        for name in names:
            new.writestr(name, mutated(old.read(name), changes) if name == chosen else old.read(name))
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_the_sound_answers_are_sound(name: str) -> None:
    count, errors = outcome(name, answers(name))
    assert count >= 2 and not errors


@pytest.mark.parametrize("name", NAMES)
@each
@given(at=st.floats(0, 1, exclude_max=True), body=st.binary(max_size=200))
def test_arbitrary_bytes(name: str, at: float, body: bytes) -> None:
    sound = answers(name)
    changed = int(at * len(sound))
    check_said(outcome(name, (*sound[:changed], body, *sound[changed + 1 :]))[1])


@pytest.mark.parametrize("name", NAMES)
@each
@given(at=st.floats(0, 1, exclude_max=True), changes=changes)
def test_sound_answers_that_were_changed(name: str, at: float, changes: list[Change]) -> None:
    sound = answers(name)
    changed = int(at * len(sound))
    check_said(outcome(name, (*sound[:changed], mutated(sound[changed], changes), *sound[changed + 1 :]))[1])


@pytest.mark.parametrize("name", [name for name in NAMES if answers(name)[0].startswith(b"PK")])
@each
@given(part=st.floats(0, 1, exclude_max=True), changes=changes)
def test_workbooks_that_were_changed_inside(name: str, part: float, changes: list[Change]) -> None:
    check_said(outcome(name, (inside(answers(name)[0], part, changes),))[1])


REAL = {
    "bns.population": "bns/bns_6584_population_by_region_sex_2000_2023_ru.xlsx",
    "undesa.stock_by_destination": "iom/un_desa/undesa_pd_2020_ims_stock_by_sex_and_destination.xlsx",
    "iom.missing_migrants": "iom/iom_mmp/2018-json.json",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_files_that_were_changed(name: str, shared_data: Path) -> None:
    body = (shared_data / REAL[name]).read_bytes()

    @settings(each, max_examples=max(6, EXAMPLES // 20))
    @given(part=st.floats(0, 1, exclude_max=True), changes=changes)
    def of_file(part: float, changes: list[Change]) -> None:
        changed = inside(body, part, changes) if body.startswith(b"PK") else mutated(body, changes)
        check_said(outcome(name, (changed,))[1])

    of_file()
