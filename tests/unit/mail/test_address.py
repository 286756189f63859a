"""Addresses: what a header names, what a person may type, and what two spellings share."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.mail.address import address_key, is_valid, parse_address, parse_addresses
from postroom.mail.message import Address


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann@example.com", [("ann@example.com", "")]),
        ("Ann Lee <ann@example.com>, bob@example.com", [("ann@example.com", "Ann Lee"), ("bob@example.com", "")]),
        ('"Lee, Ann" <ann@example.com>', [("ann@example.com", "Lee, Ann")]),
        (r'"Ann \"A\" Lee" <ann@example.com>', [("ann@example.com", 'Ann "A" Lee')]),
        ("ann@example.com (Ann Lee)", [("ann@example.com", "Ann Lee")]),
        ("Team: a@b.org, Bob <b@b.org>;, c@d.org", [("a@b.org", ""), ("b@b.org", "Bob"), ("c@d.org", "")]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?J=C3=B6rg=2C_X?= <j@example.com>", [("j@example.com", "Jörg, X")]),
        ('"=?utf-8?q?J=C3=B6rg=2C_X?=" <j@example.com>', [("j@example.com", "Jörg, X")]),
        ("=?utf-8?q?a,b?= <j@example.com>", [("j@example.com", "a,b")]),
        ("Jörg <j@example.com>", [("j@example.com", "Jörg")]),
        ("Foo Bar <foo@example.com", [("foo@example.com", "Foo Bar")]),
        ("<@relay.example,@other.example:foo@example.com>", [("foo@example.com", "")]),
        ('"odd local"@example.com', [('"odd local"@example.com', "")]),
        ("<>, ,", []),
    ],
)  # fmt: skip
def test_a_header_names_its_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.address, one.name) for one in parse_addresses(value)] == expected


@pytest.mark.parametrize(
    "value",
    [
        "alice@example.org)bob@example.com",
        "alice@example.org bob@example.com",
        "alice@example.org<bob",
        "a@b@c",
        "Ann Lee",
        "<ann@exam\0ple.com>",
        "<=?utf-8?q?ann=40example.com?=>",
    ],
)
def test_what_is_not_whole_an_address_gives_none(value: str) -> None:
    assert all(one.address in ("", "bob") for one in parse_addresses(value))


def test_an_address_in_the_name_is_not_taken_for_the_sender() -> None:
    assert [one.address for one in parse_addresses('"ceo@example.com" <mallory@evil.example>')] == [
        "mallory@evil.example"
    ]
    assert [one.address for one in parse_addresses("ceo@example.com <mallory@evil.example>")] == [
        "mallory@evil.example"
    ]


def test_an_encoded_line_break_in_a_name_becomes_a_space() -> None:
    assert parse_addresses("=?utf-8?q?a=0D=0ABcc=3A_x?= <a@b.c>") == (Address("a@b.c", "a Bcc: x"),)


def test_ten_thousand_recipients_take_well_under_a_second() -> None:
    usual = ", ".join(f'"Nr {n}" <n{n}@example.com>' for n in range(10_000))
    unusual = "all: " + ", ".join(f'"Nr {n}" (note) <n{n}@example.com>' for n in range(10_000)) + ";"
    started = time.process_time()
    assert len(parse_addresses(usual)) == len(parse_addresses(unusual)) == 10_000
    assert time.process_time() - started < 1


@pytest.mark.parametrize("piece", ['"', "<", "(", "a ", "\\", "=?u?q?", " ", "\n", '<"', "@", ":", "a,", '"a" '])
def test_a_megabyte_of_anything_takes_bounded_time(piece: str) -> None:
    value = piece * (1_000_000 // len(piece))
    started = time.process_time()
    parse_addresses(value)
    assert time.process_time() - started < 1


@given(st.text(alphabet=st.sampled_from('ab@.<>(),:;"\\[]=?q \t\r\n\0é'), max_size=60))
@example("a@b.c>,<d@e.f")
def test_reading_addresses_never_raises_and_never_lets_controls_through(value: str) -> None:
    for one in parse_addresses(value):
        assert (one.address + one.name).isprintable()
        assert one.address == "" or "@" in one.address


@given(st.sampled_from(["a@b.c", "a.b-c@d-e.example", "x+y=z@1.de"]), st.text(max_size=30))
def test_an_address_comes_back_whatever_name_is_quoted_before_it(spec: str, name: str) -> None:
    quoted = name.replace("\\", "").replace('"', "").replace("\r", "").replace("\n", "")
    (one,) = parse_addresses(f'"{quoted}" <{spec}>')
    assert one.address == spec


@pytest.mark.parametrize(
    "text", ["a@b.c\r\nRCPT TO:<x@y.z>", "a@b.c\0", "a@b.c, d@e.f", "Ann", "", "a@-b.c", "a@b..c", "é@b.c", "a b@c.d"]
)
def test_what_cannot_be_sent_to_is_refused_when_typed(text: str) -> None:
    assert parse_address(text) is None


def test_one_typed_recipient_is_read() -> None:
    assert parse_address(" Ann Lee <ann@example.com> ") == Address("ann@example.com", "Ann Lee")
    assert parse_address("ann@müller.example") == Address("ann@müller.example")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("a@b.c", True), ("a.b@c", True), ('"a b"@c.d', True), ("a@[127.0.0.1]", True), ("a@[IPv6:::1]", True),
        ("a@[IPv6:1:2:3:4:5:6::8]", False), ("a@[1:2:3]", False), (".a@b.c", False), ("a..b@c.d", False),
        ("a@b_c.d", False),
        ("a" * 64 + "@b.c", True), ("a" * 65 + "@b.c", False), ("a@" + "b" * 64 + ".c", False), ("a@b.c.", False),
        ("a", False),
    ],
)  # fmt: skip
def test_validity_is_that_of_smtp(spec: str, expected: bool) -> None:
    assert is_valid(spec) is expected


def test_two_spellings_share_a_key() -> None:
    assert address_key(" Ann@EXAMPLE.com ") == address_key("ann@example.COM") == "ann@example.com"
    assert address_key("x@MÜLLER.example") == address_key("X@xn--mller-kva.example")
    assert address_key("x@" + "ü" * 300) == "x@" + "ü" * 300
