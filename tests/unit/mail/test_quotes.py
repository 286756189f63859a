"""What a sender wrote and what the message repeats. When in doubt, all is visible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.mime.quotes import split_quoted, split_quoted_html


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("Yes.\n\nOn Mon, 1 Jan 2024 at 10:00, Ann <a@b.c> wrote:\n> old\n> words\n", "Yes."),
        ("Yes.\n\nOn Mon, 1 Jan 2024 at 10:00, Ann\n<a@b.c> wrote:\n\n> old\n", "Yes."),
        ("Ja.\n\nAm 01.01.2024 um 10:00 schrieb Ann:\n> alt", "Ja."),
        ("Oui.\n\nLe 1 janv. 2024, Ann a écrit :\n> vieux", "Oui."),
        ("Yes.\n> old", "Yes."),
        ("Yes.\n\n-----Original Message-----\nFrom: Ann\n\nold", "Yes."),
        (
            "Yes.\n\n________________________________\nFrom: Ann <a@b.c>\nSent: Monday\nTo: Bob\nSubject: x\n\nold",
            "Yes.",
        ),
        ("Ja.\n\nVon: Ann\nGesendet: Montag\nAn: Bob\nBetreff: x\n\nalt", "Ja."),
    ],
)
def test_a_quote_at_the_end_is_split_off(text: str, visible: str) -> None:
    assert split_quoted(text)[0] == visible
    assert split_quoted(text)[1]


@pytest.mark.parametrize(
    "text",
    [
        "Just words.",
        "On Monday I wrote: please come.",
        "> question one\nanswer one\n> question two\nanswer two",
        "Hi\n> question\nanswer in between\n",
        "From: the bottom of my heart",
        "> only a quote",
        "-----Original Message-----\nFrom: Ann\n\nforwarded without a word",
        "",
    ],
)
def test_when_in_doubt_everything_is_visible(text: str) -> None:
    assert split_quoted(text) == (text, "")


@given(
    st.lists(
        st.sampled_from(["> q", "a", "", "On 1 Jan 2024, Ann wrote:", "From: a", "To: b", "Sent: c", "---"]),
        max_size=12,
    )
)
def test_no_word_is_lost_by_splitting(lines: list[str]) -> None:
    text = "\n".join(lines)
    visible, quoted = split_quoted(text)
    assert (visible + " " + quoted).split() == text.split()


@pytest.mark.parametrize(
    ("html", "visible"),
    [
        (
            '<div>Yes</div><div class="gmail_quote"><div>On … wrote:</div><blockquote>old</blockquote></div>',
            "<div>Yes</div>",
        ),
        ('<p>Yes</p><div>On Mon, 1 Jan 2024, A wrote:</div><blockquote type="cite">old</blockquote>', "<p>Yes</p>"),
        ('<p>Yes</p><div id="divRplyFwdMsg">From: A</div><p>old</p>', "<p>Yes</p>"),
        (
            '<p>Yes</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p>From: A</p></div><p>old</p>',
            "<p>Yes</p>",
        ),
    ],
)
def test_a_marked_quote_in_html_is_split_off(html: str, visible: str) -> None:
    assert split_quoted_html(html)[0] == visible
    assert "old" in split_quoted_html(html)[1]


@pytest.mark.parametrize(
    "html",
    [
        "<p>Just words</p>",
        '<blockquote type="cite">question</blockquote><p>answer</p>',
        '<p>Hi</p><blockquote type="cite">one</blockquote><p>answer</p><blockquote type="cite">two</blockquote>',
        '<div class="gmail_quote">a forward without a word</div>',
        "plain",
        "<div>" * 50_000,
    ],
)
def test_when_in_doubt_all_html_is_visible(html: str) -> None:
    assert split_quoted_html(html) == (html, "")
