"""Messages out of answers with format=raw, as they come."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.errors import ProtocolViolation
from postroom.providers.gmail.raw import RawReader, decoded


def pieces_of(octets: bytes, step: int) -> list[bytes]:
    reader = RawReader()
    pieces = [piece for at in range(0, len(octets), step) for piece in reader.feed(octets[at : at + step])]
    reader.end()
    return pieces


@given(
    raw=st.binary(max_size=200),
    step=st.integers(1, 50),
    padded=st.sampled_from(["=", "", "\\u003d"]),
    indent=st.sampled_from([None, 2]),
    snippet=st.text(max_size=30),
)
def test_a_message_comes_whole_however_the_answer_is_cut(
    raw: bytes, step: int, padded: str, indent: int | None, snippet: str
) -> None:
    answer = json.dumps(
        {"id": "1", "raw_": 'x"raw": "no', "labelIds": ["raw", {"raw": "no"}], "snippet": snippet, "raw": "@", "n": 1},
        indent=indent,
    )
    letters = base64.urlsafe_b64encode(raw).decode().replace("=", padded)
    assert b"".join(pieces_of(answer.replace('"@"', f'"{letters}"').encode(), step)) == raw
    if padded != "\\u003d":
        assert decoded(letters) == raw


def test_a_large_message_comes_in_pieces_of_a_mebibyte_at_most() -> None:
    raw = bytes(range(256)) * 12_000
    answer = json.dumps({"raw": base64.urlsafe_b64encode(raw).decode()}).encode()
    pieces = pieces_of(answer, 70_000)
    assert b"".join(pieces) == raw
    assert len(pieces) == 3 and max(map(len, pieces)) <= 1024 * 1024


def test_little_of_it_is_held() -> None:
    reader = RawReader()
    list(reader.feed(b'{"raw": "'))
    for _ in range(100):
        for piece in reader.feed(b"QUJD" * 25_000):
            assert len(piece) <= 1024 * 1024
        assert len(reader._letters) + len(reader._buffer) < 1_600_000


@pytest.mark.parametrize(
    "answer",
    [
        b'{"raw": "QUJD',  # cut off
        b"{}",
        b"",
        b'{"raw": null}',
        b'{"raw": "QUJ!"}',
        b'{"raw": "QUJDR"}',
        b'{"raw": "QU\\nJD"}',
        b'{"x": {"raw": "QUJD"}}',
        b'{"x": "' + b"y" * 300_000,
        b"\0" * 300_000,
        b"<html>",
    ],
)
def test_what_is_no_message_is_refused(answer: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        pieces_of(answer, 10_000)
