"""An answer of a website that was read to its end: whole, in chunks, cut, or no answer at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.discovery.website import MOST_OCTETS, Answer, _read
from postroom.providers.errors import ProtocolViolation


def test_a_body_is_read_whole_and_in_chunks() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmail and more"
    assert _read(whole, "h") == Answer(200, "", False, b"mail")
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nma\r\n2\r\nil\r\n0\r\n\r\n"
    assert _read(chunks, "h") == Answer(200, "", False, b"mail")
    assert _read(b"HTTP/1.0 200 OK\r\nContent-Encoding: GZIP\r\n\r\nmail", "h") == Answer(200, "", True, b"mail")


def test_a_redirect_says_where_to() -> None:
    answer = _read(b"HTTP/1.1 302 Found\r\nLocation: https://x.test/a\r\nContent-Length: 0\r\n\r\n", "h")
    assert (answer.status, answer.location) == (302, "https://x.test/a")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MOST_OCTETS,
    ],
)
def test_what_is_no_whole_answer_is_none(octets: bytes) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        _read(octets, "h")
    assert caught.value.server_words == ""


@given(st.binary(max_size=300).map(lambda octets: b"HTTP/1.1 200 OK\r\n" + octets) | st.binary(max_size=300))
def test_no_octets_break_the_reader(octets: bytes) -> None:
    with suppress(ProtocolViolation):
        _read(octets, "h")
