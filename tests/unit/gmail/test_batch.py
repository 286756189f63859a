"""Answers to batches: read part by part, however they are cut, and believed where they answer what was asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.errors import ProtocolViolation
from postroom.providers.gmail.batch import BatchReader, Part, compose, content_type

TYPE = 'multipart/mixed; boundary="batch_x-1"'


def a_part(number: object, status: str = "200 OK", body: str = "{}", name: str = "Content-ID") -> str:
    return (
        f"--batch_x-1\r\nContent-Type: application/http\r\n{name}: <response-{number}>\r\n\r\n"
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nRetry-After: 7\r\n\r\n{body}\r\n"
    )


def an_answer(*parts: str) -> bytes:
    return ("".join(parts) + "--batch_x-1--\r\n").encode()


def read(octets: bytes, asked: int = 3, kind: str = TYPE, most: int = 10_000) -> tuple[list[Part], frozenset[int]]:
    reader = BatchReader(kind, asked, most)
    parts = list(reader.feed(octets))
    return parts, reader.end()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_parts_are_the_same_however_the_answer_is_cut(steps: list[int]) -> None:
    octets = b"a preamble\r\n" + an_answer(
        a_part(2, body='{"id": "--batch_x-1 in a body"}'), a_part(0, "404 Not Found", "\n\r\n"), a_part(1, body="")
    )
    reader = BatchReader(TYPE, 4)
    parts: list[Part] = []
    at, turn = 0, 0
    while at < len(octets):
        step = steps[turn % len(steps)]
        parts += reader.feed(octets[at : at + step])
        at, turn = at + step, turn + 1
    assert [(one.number, one.status, one.body) for one in parts] == [
        (2, 200, b'{"id": "--batch_x-1 in a body"}'),
        (0, 404, b"\n\r\n"),
        (1, 200, b""),
    ]
    assert parts[0].headers == {"content-type": "application/json", "retry-after": "7"}
    assert reader.end() == {3}


def test_line_ends_without_cr_are_read_too() -> None:
    parts, left = read(an_answer(a_part(0), a_part(1)).replace(b"\r\n", b"\n"), asked=2)
    assert [one.number for one in parts] == [0, 1] and left == frozenset()


@pytest.mark.parametrize(
    "octets",
    [
        an_answer(a_part(3)),  # not asked
        an_answer(a_part(0), a_part(0)),  # twice
        an_answer(a_part("x")),
        an_answer(a_part(0, name="X-Content")),  # whose answer is this
        an_answer(a_part(0, status="fine")),
        an_answer(a_part(0).replace("HTTP/1.1 200", "SPDY/1 200")),
        an_answer("--batch_x-1\r\n\r\n"),
        a_part(0).encode(),  # no end
        b"",
        b"--batch_x-1",
        an_answer(a_part(0, body="x" * 20_000)),  # a part that is too large
        b"x" * 20_000,  # no part at all
    ],
)
def test_a_hostile_answer_is_refused(octets: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        reader = BatchReader(TYPE, 3, 10_000)
        for start in range(0, len(octets), 1_000):
            list(reader.feed(octets[start : start + 1_000]))
        reader.end()


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/mixed", "multipart/mixed; boundary=" + "x" * 300])
def test_another_type_of_content_is_refused(kind: str) -> None:
    with pytest.raises(ProtocolViolation):
        BatchReader(kind, 1)


def test_what_follows_the_end_is_not_read() -> None:
    parts, left = read(an_answer(a_part(0)) + an_answer(a_part(1)))
    assert [one.number for one in parts] == [0] and left == {1, 2}


def test_a_request_names_each_of_its_calls() -> None:
    body = compose(["/gmail/v1/users/me/messages/a?format=raw", "/gmail/v1/users/me/messages/b?format=raw"])
    boundary = content_type().partition("boundary=")[2]
    assert body.count(f"--{boundary}\r\n".encode()) == 2 and body.endswith(f"--{boundary}--\r\n".encode())
    assert b"Content-ID: <1>\r\n\r\nGET /gmail/v1/users/me/messages/b?format=raw HTTP/1.1\r\n\r\n" in body
