"""Messages that real senders get wrong. Each case says what a reader would expect to see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from postroom.mail.message import ParsedMessage
from postroom.mail.mime import parse

HEAD = b"Date: Tue, 5 Mar 2024 08:30:00 +0100\nMessage-ID: <one@example.com>\n"


def letter(header: bytes | str, body: bytes = b"hello") -> bytes:
    """A message with `header` lines before the usual ones, CRLF throughout."""
    block = header.encode() if isinstance(header, str) else header
    return (block + b"\n" + HEAD + b"\n" + body).replace(b"\n", b"\r\n")


def mixed(*parts: bytes, boundary: bytes = b"cut", ending: bytes = b"--cut--\n") -> bytes:
    body = b"".join(b"--cut\n" + part + b"\n" for part in parts) + ending
    return letter(b"Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=" + boundary, body)


def typed(content_type: bytes, body: bytes, encoding: bytes = b"8bit") -> bytes:
    return letter(b"Content-Type: " + content_type + b"\nContent-Transfer-Encoding: " + encoding, body)


def pdf(disposition: bytes, content_type: bytes = b"application/pdf") -> bytes:
    return mixed(b"Content-Type: " + content_type + b"\nContent-Disposition: " + disposition + b"\n\nx")


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: =?utf-8?b?WsO8cmk=?= =?utf-8?b?Y2jD?= =?utf-8?b?vA==?=", "Zürichü"),
        (b"Subject: =?utf-8?q?One?=\n =?utf-8?q?Word?=", "OneWord"),
        (b"Subject: AW:=?utf-8?q?=C3=84pfel?=!", "AW:Äpfel!"),
        (b"Subject: =?utf-8?q?two words =C3=BC?=", "two words ü"),
        (b"Subject: =?x-martian?q?abc=E9?=", "abcé"),
        ("Subject: Zürich".encode(), "Zürich"),
        ("Subject: Zürich".encode("latin-1"), "Zürich"),
        (b"Subject: a\0b", "a b"),
        (b"Subject: \x1b$B2q5D\x1b(B", "会議"),
        (b"Subject: s\nno header at all\nX-Other: y", "s"),
        (b"From someone Mon Jan  1 10:00:00 2024\nSubject: s", "s"),
        (b"X-Long: " + b"y" * 100_000 + b"\nSubject: s", "s"),
    ],
)
def test_a_subject_is_readable(header: bytes, subject: str) -> None:
    message = parse(letter(header))
    assert message.subject == subject
    assert message.text == "hello"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (typed(b"text/plain", "Zürich".encode()), "Zürich"),
        (typed(b"text/plain", "Zürich".encode("latin-1")), "Zürich"),
        (typed(b"text/plain; charset=utf-8", "Zürich".encode("latin-1")), "Zürich"),
        (typed(b"text/plain; charset=x-martian", b"hello"), "hello"),
        (typed(b"text/plain; charset=base64", b"hello"), "hello"),
        (typed(b"text/plain; charset=iso-8859-8-i", "שלום".encode("iso-8859-8")), "שלום"),
        (typed(b"text/plain; charset=utf-8", b"aGVsbG8gd29ybGQ*\n-- \nlist footer", b"base64"), "hello world"),
        (typed(b"text/plain", b"!!!", b"base64"), "!!!"),
        (typed(b"text/plain; charset=utf-16le", "a\r\nb".encode("utf-16le").replace(b"\n", b"\n")), "a\nb"),
        (letter("Content-Transfer-Encoding: x-uuencode", b"begin 644 a\n%:&5L;&\\\n`\nend\n"), "hello"),
        (letter("Subject: s", b"a\0b"), "ab"),
        (letter("Subject: s", b"a\rb"), "a\nb"),
        (b"Subject: s\n\na\nb\n", "a\nb"),
        (letter("Content-Type: multipart/mixed", b"--cut\nContent-Type: text/plain\n\nouter\n--cut--\n"), "outer"),
        (mixed(b"\nplain words", boundary=b"never"), "plain words"),
        (mixed(b"Content-Type: text/plain\n\none", b"Content-Type: text/plain\n\ntwo"), "one\ntwo"),
    ],
)
def test_a_text_is_readable(raw: bytes, text: str) -> None:
    if b"utf-16le" in raw:
        raw = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + "a\r\nb".encode("utf-16le")
    message = parse(raw)
    assert text in message.text
    assert "\0" not in message.text


@pytest.mark.parametrize(
    ("raw", "filename"),
    [
        (pdf(b"attachment; filename*=utf-8''Z%C3%BCrich%20%E2%82%AC.pdf"), "Zürich €.pdf"),
        (
            pdf(b"attachment;\n filename*0*=utf-8''Z%C3%BC;\n filename*1*=rich%20;\n filename*2=\"x.pdf\""),
            "Zürich x.pdf",
        ),
        (pdf(b"attachment;\n filename*0*=utf-8''Z%C3;\n filename*1*=%BCrich.pdf"), "Zürich.pdf"),
        (pdf(b'attachment; filename="=?utf-8?q?Z=C3=BCrich.pdf?="'), "Zürich.pdf"),
        (pdf(b"attachment; filename=two words.pdf"), "two words.pdf"),
        (pdf(b"attachment", b'application/pdf; name="a.pdf"'), "a.pdf"),
        (pdf('attachment; filename="\u200b.htaccess"'.encode()), "htaccess"),
        (pdf(b'attachment; filename="../../etc/passwd"'), "_.._etc_passwd"),
        (pdf('attachment; filename="a\u202efdp.exe. "'.encode()), "afdp.exe"),
        (pdf(b'attachment; filename="=?utf-8?q?a=0D=0Ab=00.pdf?="'), "a b .pdf"),
        (pdf(b'attachment; filename="' + b"x" * 5000 + b'.pdf"'), "x" * 196 + ".pdf"),
        (mixed(b"Content-Type: application/pdf; name=a.pdf\n\nx", ending=b""), "a.pdf"),
    ],
)
def test_an_attachment_has_a_safe_readable_name(raw: bytes, filename: str) -> None:
    assert [one.filename for one in parse(raw).attachments] == [filename]


def _first_from(message: ParsedMessage) -> str:
    return str(message.from_[0])


@pytest.mark.parametrize(
    ("header", "read", "expected"),
    [
        ('From: "=?utf-8?q?J=C3=B6rg=2C_X?=" <a@b.c>', _first_from, "Jörg, X <a@b.c>"),
        ("From: Foo <foo@bar.de", _first_from, "Foo <foo@bar.de>"),
        ("From: a@b.c\nFrom: d@e.f", lambda m: [one.address for one in m.from_], ["a@b.c", "d@e.f"]),
        ('To: T: x@y.z, "L, F" <p@q.r>;, k@l.m', lambda m: [one.address for one in m.to], ["x@y.z", "p@q.r", "k@l.m"]),
        ("To: nobody:;, <>, @, a b <x@y>", lambda m: [one.address for one in m.to if one.address], ["x@y"]),
        ("Subject: s", lambda m: (m.from_, m.reply_to), ((), ())),
        ("Subject: s", lambda m: m.date, datetime(2024, 3, 5, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_header_field_is_read_leniently(
    header: str, read: Callable[[ParsedMessage], object], expected: object
) -> None:
    assert read(parse(letter(header))) == expected


def test_more_than_one_from_is_a_defect() -> None:
    message = parse(letter("From: a@b.c\nFrom: d@e.f\nFrom: g@h.i"))
    assert len(message.from_) == 3
    assert "more than one From header" in message.defects


def test_a_folded_message_id_is_read() -> None:
    assert parse(b"Message-ID:\r\n <x@y>\r\n\r\nhi").internet_message_id == "<x@y>"


def test_a_broken_date_is_none() -> None:
    assert parse(b"Date: Thu, 32 Foo 99 25:00:00 XYZ\r\n\r\nhi").date is None


def test_an_attached_message_is_one_attachment_named_by_its_subject() -> None:
    message = parse(
        mixed(b"Content-Type: text/plain\n\nouter", b"Content-Type: message/rfc822\n\nSubject: in/ner\n\ninner text")
    )
    assert message.text == "outer"
    (attached,) = message.attachments
    assert (attached.filename, attached.content_type) == ("in_ner.eml", "message/rfc822")
    assert attached.content.endswith(b"inner text")


def test_a_text_part_marked_as_attachment_is_one() -> None:
    message = parse(
        mixed(b"\nbody", b"Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nnote")
    )
    assert message.text == "body"
    assert [(one.filename, one.content) for one in message.attachments] == [("a.txt", b"note")]


def test_html_alone_leaves_the_text_empty() -> None:
    message = parse(typed(b"text/html", b"<p>hi</p>"))
    assert (message.text, message.html) == ("", "<p>hi</p>")


def test_two_hundred_levels_are_cut_off_and_said_so() -> None:
    levels = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(200))
    message = parse(levels + b"Content-Type: text/plain\n\ndeep")
    assert message.is_readable
    assert any("levels" in defect for defect in message.defects)


def test_nothing_is_not_readable() -> None:
    assert not parse(b"").is_readable


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        # a delimiter that only begins with the boundary, and one of another multipart that begins with ours
        (b'Content-Type: multipart/mixed; boundary="a"\n\n--ab\n\none\n--ac\n\ntwo\n', "one\ntwo\n"),
        (
            b'Content-Type: multipart/mixed; boundary="a"\n\n--a\nContent-Type: multipart/mixed; boundary="ab"\n\n'
            b"--ab\n\none\n--ab--\n--a\n\ntwo\n--a--\n",
            "one\ntwo",
        ),
        (b"Content-Type: multipart/mixed; boundary=b\n--b\nContent-Type: text/plain\n\none\n--b--\n", "one"),
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n"
            b"--c\nContent-Transfer-Encoding: base64\n\nb25l\n--c--\n--b--\n",
            "one",
        ),
        (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none--b--\n", "one"),
        (b'Content-Type: multipart/mixed\n\tboundary="b"\n\n--b\n\none\n--b\n\ntwo\n--b--\n', "one\ntwo"),
        # an outer delimiter ends what is open inside it, RFC 2046 section 5.1.2
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n"
            b"--c\n\none\n--b\n\ntwo\n--b--\n",
            "one\ntwo",
        ),
        (typed(b"text/plain; charset=utf-8", b"ecO2dMOkIHZhYW4uCg== ignored", b"base64"), "yötä vaan.\n"),
        (typed(b"text/plain", b"b25l\nIA==\ndHdv", b"base64"), "one two"),
    ],
    ids=["prefix", "not-prefix", "no-blank-root", "no-blank-part", "glued", "semicolon", "outer", "remark", "padded"],
)
def test_broken_multiparts_lose_no_words(raw: bytes, text: str) -> None:
    assert parse(raw).text == text
