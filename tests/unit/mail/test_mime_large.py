"""Messages on the disk are read as those in memory are, their attachments piece by piece, and work is bounded."""

from __future__ import annotations

import mmap
from base64 import b64encode, encodebytes
from binascii import b2a_uu
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from quopri import encodestring
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.message import LargeAttachment, ParsedAttachment, ParsedMessage
from postroom.mail.mime import decoding, identity, parse
from postroom.mail.mime.decoding import decode_pieces, decode_transfer
from postroom.mail.mime.parsing import MOST_TEXT_OF_LARGE
from postroom.mail.mime.parts import MOST_PARTS, MOST_PASSES

LETTER = (
    b"From: a@x.example\r\nSubject: Plans\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b'--b\r\nContent-Type: multipart/related; boundary="c"\r\n\r\n--c\r\nContent-Type: text/html\r\n\r\n'
    b'<p>Hello</p><img src="cid:logo@x">\r\n'
    b"--c\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo@x>\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--c--\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\ninner\r\n"
    b"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n%s\r\n--b--\r\n"
) % (encodebytes(bytes(range(256)) * 40), encodestring("Größe;1\r\n".encode() * 200))


def on_disk(raw: bytes, kind: type[mmap.mmap] = mmap.mmap) -> mmap.mmap:
    mapped = kind(-1, len(raw))
    mapped.write(raw)
    return mapped


@contextmanager
def pieces_of(octets: int) -> Iterator[None]:
    with mock.patch.object(decoding, "PIECE_OCTETS", octets):
        yield


def essence(message: ParsedMessage) -> tuple[object, ...]:
    """A message, whichever way its attachments are held."""
    attachments = [
        (one.filename, one.content_type, b"".join(one.pieces()), one.digest(), one.size, one.content_id, one.is_inline)
        for one in message.attachments
    ]
    return message.subject, message.from_, message.text, message.html, message.raw_headers, message.defects, attachments


@pytest.mark.parametrize("octets", [16, 100, 1 << 20])
def test_a_message_on_the_disk_reads_as_one_in_memory(octets: int) -> None:
    in_memory, raw = parse(LETTER), on_disk(LETTER)
    with pieces_of(octets):
        parsed = parse(raw)
        assert essence(parsed) == essence(in_memory)
        assert identity(parsed, raw) == identity(in_memory, LETTER)
    assert [type(one) for one in parsed.attachments] == [LargeAttachment] * 3
    assert [one.filename for one in parsed.attachments] == ["logo.png", "Inner.eml", "a.csv"]
    assert parsed.attachments[0].is_inline
    assert all(isinstance(one, ParsedAttachment) for one in in_memory.attachments)


_MESSAGES = st.lists(
    st.sampled_from(
        [b"Subject: s\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: a/b\r\n", b"\r\n", b"\n",
         b"--b\r\n", b"--b--", b"--b", b"Content-Transfer-Encoding: base64\r\n", b"From a\n", b"QUJD\r\n", b" ", b"\r"]
    ),
    min_size=1,
    max_size=25,
).map(b"".join)  # fmt: skip


@given(_MESSAGES)
def test_any_message_reads_alike_from_disk_and_memory(raw: bytes) -> None:
    if b"\n" not in raw:
        return  # line breaks of old Macintoshes are mended in memory only
    mapped = on_disk(raw)
    from_disk, in_memory = parse(mapped), parse(raw)
    assert (from_disk.text, from_disk.html, from_disk.raw_headers) == (
        in_memory.text,
        in_memory.html,
        in_memory.raw_headers,
    )
    assert [(one.filename, one.is_inline) for one in from_disk.attachments] == [
        (one.filename, one.is_inline) for one in in_memory.attachments
    ]
    assert identity(from_disk, mapped) == identity(in_memory, raw)


def _uu(content: bytes) -> bytes:
    lines = [b2a_uu(content[start : start + 45]) for start in range(0, len(content), 45)]
    return b"begin 644 a.bin\n" + b"".join(lines) + b"`\nend\n"


@given(st.binary(max_size=400), st.integers(min_value=64, max_value=300))
def test_every_encoding_decodes_in_pieces_as_at_once(content: bytes, octets: int) -> None:
    encoded = {
        "base64": encodebytes(content),
        "quoted-printable": encodestring(content).replace(b"\n", b"\r\n"),
        "x-uuencode": _uu(content),
        "8bit": content,
    }
    one_line = b64encode(content)
    with pieces_of(octets):
        for encoding, body in encoded.items():
            assert b"".join(decode_pieces(body, 0, len(body), encoding)) == decode_transfer(
                body, 0, len(body), encoding
            ), encoding
        assert b"".join(decode_pieces(one_line, 0, len(one_line), "base64")) == content


@pytest.mark.parametrize(
    "body",
    [
        b"QUJD\r\nREVG\r\n-- \r\nThe list's footer: mail us!\r\n",
        b"QQ==\r\nQUI=\r\nQUJD\r\n",
        b"QUJDRA",
        b"QUJDRA=",
        b"QUJ\nDRE\nVG\n",
        b"=\n=\n=\n",
        b"QUJD" * 30 + b"\n\x00\xff!",
    ],
)
@pytest.mark.parametrize("octets", [64, 1 << 20])
def test_broken_base64_in_pieces_gives_what_it_gives_at_once(body: bytes, octets: int) -> None:
    with pieces_of(octets):
        assert b"".join(decode_pieces(body, 0, len(body), "base64")) == decode_transfer(
            body, 0, len(body), "base64"
        ) or not any(decode_pieces(body, 0, len(body), "base64"))


def test_an_escape_is_not_torn_where_no_line_ends() -> None:
    body = b"=C3=A4" * 100
    for octets in range(64, 71):
        with pieces_of(octets):
            assert b"".join(decode_pieces(body, 0, len(body), "quoted-printable")) == "ä".encode() * 100


def test_of_the_text_of_a_giant_a_part_is_read() -> None:
    text = b"Line of a log, thirty bytes.\r\n" * 250_000
    parsed = parse(on_disk(b"Subject: Log\r\n\r\n" + text))
    assert parsed.text.startswith("Line of a log") and len(parsed.text) <= MOST_TEXT_OF_LARGE
    assert any("no more than" in defect for defect in parsed.defects)
    assert parse(b"Subject: Log\r\n\r\n" + text).defects == ()


def test_ten_thousand_attachments_are_kept_up_to_the_budget() -> None:
    part = b"--b\r\nContent-Type: image/gif\r\nContent-ID: <%d>\r\n\r\nGIF89a\r\n"
    html = b"--b\r\nContent-Type: text/html\r\n\r\n" + b'<img src="cid:7">' * 100_000 + b"\r\n"
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + html + b"".join(part % n for n in range(10_000))
    parsed = parse(raw + b"--b--\r\n")
    assert parsed.is_readable
    assert MOST_PARTS - 5 <= len(parsed.attachments) <= MOST_PARTS
    assert any("more than" in defect for defect in parsed.defects)
    assert [one.content_id for one in parsed.attachments if one.is_inline] == ["7"]
    assert parsed.attachments[5].digest() == sha256(b"GIF89a").digest()


class CountingMap(mmap.mmap):
    """Counts the octets it is searched and copied through: the work of parsing, whatever the machine is doing."""

    octets = 0

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        end = len(self) if end is None else end
        found = super().find(sub, start, end)
        self.octets += max((found if found >= 0 else end) - start, 0) + len(sub)
        return found

    def rfind(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        end = len(self) if end is None else end
        found = super().rfind(sub, start, end)
        self.octets += max(end - max(found, start), 0) + len(sub)
        return found

    def __getitem__(self, key):  # type: ignore[no-untyped-def, override]
        found = super().__getitem__(key)
        self.octets += len(found) if isinstance(key, slice) else 1
        return found


def _deep(levels: int, octets: int) -> bytes:
    """Every level is a multipart that holds nearly all of the message."""
    heads = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return heads + b"\n" + b"-- not a delimiter --b0x\n" * (octets // 24)


@pytest.mark.parametrize(
    "raw",
    [
        _deep(60, 3_000_000),
        _deep(60, 3_000_000).replace(b"boundary=b", b"boundary=a"),  # declared and never there
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 600_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=-\n\n" + b"-" * 3_000_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: multipart/mixed\n\n" * 90_000,
        b"A: b\n" * 600_000,
        b"\n" + b"\r\n" * 1_500_000,
    ],
    ids=["deep", "deep-undeclared", "parts", "no-parts", "dashes", "boundless", "fields", "blank"],
)
def test_the_worst_three_megabytes_cost_a_bounded_number_of_passes(raw: bytes) -> None:
    mapped = on_disk(raw, CountingMap)
    assert isinstance(mapped, CountingMap)
    message = parse(mapped)
    identity(message, mapped)
    # Header and body apart, delimiters MOST_PASSES and what is free, content once for each copy that is made of it.
    assert mapped.octets < (MOST_PASSES + 8) * len(raw) + 10_000_000


def test_a_multipart_beyond_the_passes_is_shown_as_it_came() -> None:
    message = parse(_deep(60, 3_000_000))
    assert any("would have to be read" in defect for defect in message.defects)
    assert "not a delimiter" in message.text
