"""Parsing as a whole: it never raises, costs little, and chooses bodies and attachments as RFC 8621 does."""

from __future__ import annotations

import time
from base64 import encodebytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.mime import identity, parse, reference_key, snippet, text_of_html
from postroom.mail.mime.parts import MOST_PARTS

_PIECES = st.sampled_from(
    [b"Subject: s\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
     b"Content-Type: text/html; charset=utf-16\r\n",
     b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: message/rfc822\r\n", b"\r\n", b"\n", b"--b\r\n",
     b"--b--", b"=?", b"?=", b"\0", b"<a@b>", b"From: ", b"Date: 1 Jan", b";filename*0*=x''%", b"\xff\xfe", b"AAAA=",
     b"\r", b"begin 644 a\n"]
)  # fmt: skip


@given(
    st.one_of(st.binary(max_size=300), st.lists(st.one_of(_PIECES, st.binary(max_size=8)), max_size=25).map(b"".join))
)
def test_parsing_arbitrary_bytes_never_raises(raw: bytes) -> None:
    message = parse(raw)
    identity(message, raw)
    assert len(snippet(message)) <= 200
    for shown in (message.subject, message.text, message.html, *(one.filename for one in message.attachments)):
        assert "\0" not in shown
        shown.encode("utf-8")


def _nested_multiparts() -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(50_000))


@pytest.mark.parametrize(
    "raw",
    [
        _nested_multiparts(),
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 600_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b" * 1_000_000,
        b"Content-Type: multipart/digest; boundary=b\n\n" + b"--b\n\nContent-Type: message/rfc822\n\n" * 80_000,
        b"To: " + b"<" * 3_000_000 + b"\n\n",
        b"Subject: " + b"=?utf-8?q?a?= " * 200_000 + b"\n\n",
        b"A: b\n" * 600_000,
        b"Content-Type: text/plain; " + b"a*0*=x;" * 400_000 + b"\n\n",
        b"Content-Type: text/html\n\n" + b"<div>" * 600_000,
        b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + b"=" * 3_000_000,
    ],
    ids=["nested", "parts", "no-parts", "digest", "angles", "words", "fields", "parameters", "html", "padding"],
)
def test_three_hostile_megabytes_take_bounded_time(raw: bytes) -> None:
    started = time.process_time()
    message = parse(raw)
    snippet(message)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("closing", ["", "</x>", "</p>"])
def test_deep_html_takes_bounded_time_however_its_depth_is_hidden(closing: str) -> None:
    html = "<div>" * 100_000 + closing * 100_000 + "<p>words"
    started = time.process_time()
    assert "words" in text_of_html(html)
    assert time.process_time() - started < 2


def test_more_parts_than_allowed_are_left_out_and_said_so() -> None:
    message = parse(
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: a/b\n\nx\n" * (MOST_PARTS + 50)
    )
    assert MOST_PARTS - 5 <= len(message.attachments) <= MOST_PARTS
    assert message.defects


def test_a_header_over_the_budget_makes_the_message_unreadable() -> None:
    message = parse(b"Subject: s\n" + b"X-Filler: " + b"x" * 10_100_000 + b"\n\nbody")
    assert not message.is_readable
    assert message.subject == "s"


def test_a_large_attachment_is_quick_and_whole() -> None:
    content = bytes(range(256)) * 100_000
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n--b\r\n"
    raw += b"Content-Type: a/b; name=x.bin\r\n"
    raw += (
        b"Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(content).replace(b"\n", b"\r\n") + b"\r\n--b--\r\n"
    )
    started = time.process_time()
    message = parse(raw)
    assert time.process_time() - started < 2
    assert message.attachments[0].content == content


def _related(html: bytes) -> bytes:
    return (
        b"Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; boundary=a\n\n"
        b"--a\nContent-Type: text/plain\n\nplain\n--a\nContent-Type: multipart/related; boundary=r\n\n"
        b"--r\nContent-Type: text/html\n\n"
        + html
        + b"\n--r\nContent-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\nP\n"
        b"--r--\n--a--\n--m\nContent-Type: image/png; name=photo.png\nContent-Disposition: attachment\n\nQ\n--m--\n"
    )


def test_an_image_the_html_shows_is_inline_and_others_are_not() -> None:
    message = parse(_related(b'<img src="cid:logo@x">'))
    assert (message.text, message.html) == ("plain", '<img src="cid:logo@x">')
    assert [(one.filename, one.is_inline, one.content_id) for one in message.attachments] == [
        ("logo.png", True, "logo@x"),
        ("photo.png", False, ""),
    ]
    assert [one.is_inline for one in parse(_related(b"no image")).attachments] == [False, False]


def test_plain_parts_between_html_parts_are_shown_in_both_bodies() -> None:
    message = parse(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>one</p>\n"
        b"--b\nContent-Type: text/plain\n\n<two>\n--b--\n"
    )
    assert message.text == "one\n<two>"
    assert message.html == '<p>one</p>\n<div style="white-space: pre-wrap">&lt;two&gt;</div>'


def test_a_root_that_is_no_text_is_an_attachment() -> None:
    message = parse(b"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\neA==\n")
    assert message.text == ""
    assert [(one.filename, one.content) for one in message.attachments] == [("a.pdf", b"x")]


def test_the_topmost_authentication_results_counts() -> None:
    message = parse(b"Authentication-Results: ours; dmarc=pass\nAuthentication-Results: forged\nList-Id: <l.x>\n\n")
    assert message.extra_headers == {"authentication-results": "ours; dmarc=pass", "list-id": "<l.x>"}


def test_the_header_block_is_kept_as_it_came() -> None:
    assert parse(b"Subject: s\r\nX: y\r\n\r\nbody").raw_headers == b"Subject: s\r\nX: y\r\n"


SENT = (
    b"Message-ID: <a@b>\r\nFrom: Ann@Example.com\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\nSubject: An  offer\r\n"
    b"\r\nhello"
)


def test_copies_of_one_message_share_an_identity_and_others_do_not() -> None:
    received = b"Received: x\r\n" + SENT.replace(b"Ann@Example.com", b'"Ann" <ann@example.COM>').replace(
        b"An  offer", b"An\r\n offer"
    )
    same_id_other_author = SENT.replace(b"Ann@", b"mallory@")
    assert identity(parse(SENT), SENT) == identity(parse(received), received)
    assert identity(parse(SENT), SENT) != identity(parse(same_id_other_author), same_id_other_author)
    guessed = SENT.partition(b"\r\n\r\n")[0] + b"\r\n\r\nsomething else\r\n"
    assert identity(parse(SENT), SENT) != identity(parse(guessed), guessed), "knowing the header opens nothing"


def test_without_a_message_id_the_body_tells_messages_apart() -> None:
    one, other = (SENT.replace(b"Message-ID: <a@b>\r\n", b"").replace(b"hello", body) for body in (b"hello", b"bye"))
    assert identity(parse(one), one) != identity(parse(other), other)
    assert identity(parse(one), one) == identity(parse(one), one.replace(b"\r\n", b"\n"))


def test_a_reference_key_is_stable() -> None:
    assert str(reference_key("<a@b>")) == str(reference_key("<a@b>"))
    assert reference_key("<a@b>") != reference_key("<A@b>")


def test_a_snippet_leaves_quotes_out_and_is_short() -> None:
    text = "On Mon, 1 Jan 2024, Ann wrote:\n> old words\n\nThanks,\n  I agree.\n\n-- \nBob\n" + "x" * 500
    assert snippet(parse(b"Subject: s\n\n" + text.encode())) == "Thanks, I agree."
    assert len(snippet(parse(b"Subject: s\n\n" + b"word " * 500))) <= 200
    assert snippet(parse(b"Content-Type: text/html\n\n<style>x</style><p>Hello<br>you")) == "Hello you"


def test_the_text_of_html_has_a_line_for_each_block() -> None:
    html = "<head><title>t</title></head><p>a\n b<br>c</p><table><tr><td>1<td>2</table>"
    html += "<script>x</script><div>d <b>e</b></div>"
    assert text_of_html(html) == "a b\nc\n1 2\nd e"


@pytest.mark.parametrize("size", [100, 599, 5_000, 60_000, 59_999, 200_001])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_base64_of_any_length_comes_back(size: int, ending: bytes) -> None:
    content = bytes(number * 7 % 251 for number in range(size))
    raw = b"Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + encodebytes(content).replace(b"\n", ending)
    assert parse(raw).attachments[0].content == content
    ragged = raw.replace(b"A", b"A\n", 7)
    assert parse(ragged).attachments[0].content == content
