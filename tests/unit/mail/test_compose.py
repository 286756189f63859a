"""What we compose is what others read, and nothing typed can become a header."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.mail.message import Address, ParsedAttachment
from postroom.mail.mime import parse
from postroom.mail.mime.compose import UnsafeHeader, compose, new_message_id

DATE = datetime(2024, 3, 5, 7, 30, tzinfo=UTC)
ANN, BOB = Address("ann@example.com", "Ann"), Address("bob@example.com")
_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\u2028"), max_size=120)
_TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), st.sampled_from("\n.= -")),
    max_size=300,
)
_NAMES = st.text(st.characters(categories=["L", "N"], include_characters=' ,.;<>"\\()@=?_'), max_size=60)


def composed(**changes: object) -> bytes:
    known: dict[str, object] = {"from_": ANN, "to": [BOB], "date": DATE, "internet_message_id": "<u@example.com>"}
    return compose(**(known | changes))  # type: ignore[arg-type]


def assert_sound(raw: bytes) -> None:
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw), "bare CR or LF"
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@settings(max_examples=40)
@given(subject=_LINE, text=_TEXT, html=_TEXT, name=_NAMES, content=st.binary(max_size=200), filename=_NAMES)
def test_what_went_in_comes_back(subject: str, text: str, html: str, name: str, content: bytes, filename: str) -> None:
    attachment = ParsedAttachment(filename, "application/pdf", content)
    raw = composed(
        subject=subject, text=text, html=html, to=[Address("to@example.com", name), BOB], attachments=[attachment]
    )
    assert_sound(raw)
    message = parse(raw)
    assert message.subject.split() == subject.split()
    assert message.text.rstrip("\n") == text.rstrip("\n")
    assert message.html.rstrip("\n") == html.rstrip("\n")
    assert [one.address for one in message.to] == ["to@example.com", "bob@example.com"]
    assert message.to[0].name.strip('"').split() == name.strip('" ').split() or '"' in name
    assert [one.content for one in message.attachments] == [content]
    assert (message.internet_message_id, message.date, message.from_) == ("<u@example.com>", DATE, (ANN,))
    assert message.defects == ()


def test_the_standard_library_reads_the_same() -> None:
    picture = ParsedAttachment("logo.png", "image/png", b"P", "logo@x", True)
    paper = ParsedAttachment("Größenänderung " * 6 + ".pdf", "application/pdf", b"Q")
    raw = composed(
        subject="Angebot für Zürich", text="Grüße\n.\nFrom here", html='<img src="cid:logo@x">',
        cc=[Address("c@d.org", "Lee, Ann")],
        reply_to=[BOB], in_reply_to="<p@q>", references=["<o@p>", "<p@q>"], attachments=[picture, paper],
        extra_headers={"X-Postroom-Submission": "abc"},
    )  # fmt: skip
    assert_sound(raw)
    message = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["Grüße", ".", "From here"]
    assert message["subject"] == "Angebot für Zürich"
    assert message["cc"].addresses[0].display_name == "Lee, Ann"
    assert (message["references"], message["x-postroom-submission"]) == ("<o@p> <p@q>", "abc")
    assert [part.get_filename() for part in message.walk() if part.get_filename()] == ["logo.png", paper.filename]
    assert message.get_content_type() == "multipart/mixed"
    assert parse(raw).attachments[0].is_inline


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "a\r\nBcc: x@y.z"},
        {"subject": "a\nb"},
        {"subject": "a\0b"},
        {"to": [Address("a@b.c\r\nBcc: x@y.z")]},
        {"to": [Address("a@b.c", "Ann\r\nBcc: x@y.z")]},
        {"to": [Address("")]},
        {"internet_message_id": "<a@b>\r\nX: y"},
        {"internet_message_id": "a b"},
        {"references": ["<a@b>\n"]},
        {"in_reply_to": "<a@b> <c@d>"},
        {"extra_headers": {"X-A": "b\r\nc"}},
        {"extra_headers": {"X A": "b"}},
        {"extra_headers": {"X-A:b\r\nX": "b"}},
        {"extra_headers": {"Bcc": "x@y.z"}},
        {"html": "x", "attachments": [ParsedAttachment("a", "image/png", b"", "a\r\nX: y", True)]},
    ],
)
def test_nothing_typed_becomes_a_header_of_its_own(changes: dict[str, object]) -> None:
    with pytest.raises(UnsafeHeader):
        composed(**changes)


def test_hostile_attachment_metadata_stays_in_its_place() -> None:
    raw = composed(attachments=[ParsedAttachment('a"\r\nX-Evil: y.pdf', "text/html\r\nX-Evil: z", b"x")])
    assert not re.search(rb"(?m)^X-Evil", raw)
    assert [one.content_type for one in parse(raw).attachments] == ["application/octet-stream"]


def test_smuggled_ends_of_data_never_stand_bare_on_the_wire() -> None:
    for end in ("\n.\n", "\r\n.\r\n", "\r.\r", "\n.\r\n", "\r.\n", "\r\n.\n"):
        raw = composed(text=f"a{end}MAIL FROM:<x@y>", html=f"b{end}c")
        assert_sound(raw)
        assert b"\r\n.\r\n" not in raw


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert composed(text="a", html="b") == composed(text="a", html="b")


def test_a_domain_beyond_ascii_is_written_in_a_labels() -> None:
    assert b"<x@xn--mller-kva.example>" in composed(to=[Address("x@müller.example", "X")])


def test_a_message_id_is_made_of_safe_parts_only() -> None:
    assert new_message_id("0193", "Müller.example") == "<0193@xn--mller-kva.example>"
    for unique, domain in (("a b", "c.d"), ("a", "c>d"), ("a\r\n", "c.d"), ("", "c.d")):
        with pytest.raises(UnsafeHeader):
            new_message_id(unique, domain)
