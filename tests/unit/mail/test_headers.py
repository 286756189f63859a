"""Header values: encoded words, parameters, message ids, dates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.charset import decode_bytes
from postroom.mail.headers import (
    decode_header,
    message_ids,
    parse_date,
    parse_parameters,
    read_fields,
    split_fields,
    split_message,
    unfold,
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"=?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße"),
        (b"=?utf-8?q?Hello?=\r\n =?iso-8859-1?q?_W=F6rld?=", "Hello Wörld"),
        (b"a\r\n\tb", "a\tb".replace("\t", " ")),
        (b"=?utf-8?q?x=0D=0AA1_DELETE_INBOX?=", "x A1 DELETE INBOX"),
        (b"a\0b", "a b"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"=?utf-8*en?q?a?=", "a"),
        (b"=?x-none?q?abc?=", "abc"),
        (b"=?utf-7?q?+2AA-?=", "\ufffd"),
    ],
)
def test_a_header_is_read_as_a_person_would(raw: bytes, expected: str) -> None:
    assert decode_header(raw) == expected


@given(st.binary(max_size=200))
def test_a_decoded_header_is_always_one_encodable_line(raw: bytes) -> None:
    text = decode_header(raw)
    assert not any(mark in text for mark in "\r\n\0")
    text.encode("utf-8")


@given(
    st.binary(max_size=100),
    st.sampled_from(["", "utf-8", "utf-16", "utf-7", "gb2312", "iso-2022-jp", "base64", "idna", "x\0y", "Ä", "cp1252"]),
)
def test_any_bytes_become_text_that_can_be_stored(data: bytes, charset: str) -> None:
    decode_bytes(data, charset).encode("utf-8")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a@b> <c@d>\t<a@b>", ("<a@b>", "<c@d>")),
        ("a@b", ("<a@b>",)),
        ("< a@b >", ("<a@b>",)),
        ("<a@b\r\nA1 DELETE INBOX>", ()),
        ("=?utf-8?q?=3Cx=40y=3E=0D=0AA2_DELETE_INBOX?=", ()),
        ("<" + "a" * 1000 + "@b>", ()),
        ("words only", ()),
    ],
)
def test_message_ids_are_clean_or_absent(value: str, expected: tuple[str, ...]) -> None:
    assert message_ids(value) == expected


@given(st.text(max_size=100))
def test_no_message_id_can_carry_a_command(value: str) -> None:
    for one in message_ids(value):
        assert one.isascii()
        assert one.isprintable()
        assert " " not in one
        assert len(one) <= 998


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 1 Jan 2024 10:00:00 +0100", datetime(2024, 1, 1, 9, tzinfo=UTC)),
        ("Mon, 1 Jan 2024 10:00:00 +0100 (CET)", datetime(2024, 1, 1, 9, tzinfo=UTC)),
        ("1 Jan 24 10:00 EST", datetime(2024, 1, 1, 15, tzinfo=UTC)),
        ("Mon, 1 Jan 2024 10:00:60 -0000", datetime(2024, 1, 1, 10, 0, 59, tzinfo=UTC)),
        ("2024-01-01T10:00:00Z", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("Thu, 32 Foo 99 25:00:00 XYZ", None),
        ("Mon, 1 Jan 9999 10:00:00 +0000", None),
        ("1 Jan 1600 00:00:00 +2359", None),
        ("", None),
    ],
)
def test_a_date_is_an_instant_or_nothing(value: str, expected: datetime | None) -> None:
    assert parse_date(value) == expected


@given(st.text(alphabet="0123456789 :,+-JanFebMoTZ()", max_size=50))
def test_reading_a_date_never_raises(value: str) -> None:
    found = parse_date(value)
    assert found is None or (found.tzinfo is UTC and 1970 <= found.year <= 2100)


def test_parameters_are_read_with_their_continuations() -> None:
    value = 'a/b; filename*1*=%9Fe.pdf; filename*0*=utf-8\'\'Gr%C3%B6%C3; x="a\\"b;c"; y = z (note)'
    assert parse_parameters(value) == ("a/b", {"x": 'a"b;c', "y": "z", "filename": "Größe.pdf"})


def test_a_header_block_ends_at_the_first_blank_line_of_either_kind() -> None:
    assert split_message(b"A: b\n\nx\r\n\r\ny") == (b"A: b\n", 6)
    assert split_message(b"A: b\r\n\r\nx\n\ny") == (b"A: b\r\n", 8)
    assert split_message(b"A: b\nno field\nB: c") == (b"A: b\n", 5)


def test_lines_that_are_no_fields_are_passed_over() -> None:
    assert split_fields(b"From a@b Mon\nA: b\nrubbish\nC: d\n e\n") == [(b"a", b" b"), (b"c", b" d\n e")]


@given(
    st.lists(
        st.sampled_from(
            [b"Subject", b"subject ", b":", b" ", b"\t", b"\n", b"\r\n", b"\r", b"x", b"\xe9", b"\x1b$B", b"X-Y", b"\0"]
        ),
        max_size=25,
    ).map(b"".join)
)  # fmt: skip
def test_the_quick_reading_of_a_header_block_gives_what_the_slow_one_gives(block: bytes) -> None:
    slow = [unfold(value) for name, value in split_fields(block) if name == b"subject"]
    assert read_fields(block, {"subject"}).get("subject", []) == slow
