"""The style sheets of strangers: what stays loads nothing, covers nothing, and reaches only the mail's own content."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.mime.sanitize import sanitize
from postroom.mail.mime.styles import clean_declarations, clean_sheet, style_sheet_of


@pytest.mark.parametrize(
    ("sheet", "kept"),
    [
        ("p{color:red;font-weight:bold}", ".mail-content p { color: red; font-weight: bold }"),
        ("body, html body p.a > b {margin:0}", ".mail-content, .mail-content p.a > b { margin: 0 }"),
        ("body.wide{margin:0}", ".mail-content.wide { margin: 0 }"),
        ("#top td:first-child{padding:4px}", ".mail-content #mail-top td:first-child { padding: 4px }"),
        (":is(h1, h2) b{color:red}", ".mail-content :is(h1, h2) b { color: red }"),
        ("p{background:#fff url(//t.example/a) no-repeat}", ".mail-content p { background: #fff   no-repeat }"),
        (
            "@media only screen and (max-width:600px){.w{width:100%!important} .x{position:fixed}}",
            "@media only screen and (max-width:600px) { .mail-content .w { width: 100%!important } }",
        ),
        ("<!-- /* x */ p{color:red} -->", ".mail-content p { color: red }"),
        ("@import '//t.example'; p{color:red}", ".mail-content p { color: red }"),
    ],
)
def test_the_looks_of_a_mail_are_kept(sheet: str, kept: str) -> None:
    assert clean_sheet(sheet) == kept


@pytest.mark.parametrize(
    "sheet",
    [
        "@import url(//t.example/a.css);",
        "@charset 'x';",
        "@font-face{font-family:x;src:url(//t.example/f)}",
        "@media print{@import 'x';}",
        "@media (prefers-color-scheme: dark){p{color:#fff}}",
        "@supports (color:red){p{color:red}}",
        "p{background:url(//t.example)}",
        "p{background:u\\72l(//t.example)}",
        "p{background:image-set('//t.example' 1x)}",
        "p{width:expression(alert(1))}",
        "p{behavior:url(x)}",
        "p{-moz-binding:url(//t.example)}",
        "p{position:fixed;top:0}",
        "p{position:sticky}",
        "p{color:var(--x)}",
        "p{content:'</style><script>'}",
        "p</style><script>{color:red}",
        "p{color:red",
        "+ summary{color:red}",
        "p, {color:red}",
    ],
)
def test_what_loads_covers_or_escapes_is_dropped(sheet: str) -> None:
    assert clean_sheet(sheet) == ""


@given(
    st.lists(
        st.sampled_from(
            ["p", "{", "}", ";", ":", "color", "red", "@media ", "@import ", "url(", "//t.example", ")", "(", '"', "'",
             "\\", "/*", "*/", "</style>", ",", "[", "]", " ", "body", "#a", "\n", "position:fixed"]
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
def test_whatever_the_sheet_every_rule_stays_below_the_mail(sheet: str) -> None:
    clean = clean_sheet(sheet)
    assert not re.search(r"<|\\|url|t\.example|@(?!media )|position", clean)
    for selectors in re.findall(r"(?:^|[{}])([^{}@]+)(?=\{)", clean):
        assert selectors.strip().startswith(".mail-content")
    assert clean.count("{") == clean.count("}")


def test_sheets_are_read_from_the_elements_of_the_mail_with_their_media() -> None:
    html = "<head><style>p{color:red}</style></head><style media=print>b{color:blue}</style><p>style {x}"
    assert style_sheet_of(html) == (".mail-content p { color: red }\n@media print { .mail-content b { color: blue } }")
    assert style_sheet_of("<p>no sheet") == ""


def test_names_are_kept_only_where_the_sheet_is_shown() -> None:
    def clean(with_names: bool) -> str:
        html = '<p class="a b" id="x">t</p>'
        return sanitize(html, with_remote_images=False, attachment_url=lambda _: None, with_names=with_names).html

    assert clean(True) == '<p class="a b" id="mail-x">t</p>'
    assert clean(False) == "<p>t</p>"


def test_a_declaration_survives_without_the_picture_in_it() -> None:
    assert clean_declarations("background: url('//t.example/a;b') #fff; border-bottom-width: 1px") in (
        "border-bottom-width: 1px",
        "background: #fff; border-bottom-width: 1px",
    )


@pytest.mark.parametrize(
    "piece", ["{", "a{b:c}", "@media x{", "/*", "url(", "a,", "[", "'", "p{color:red}", ":is(a,b){"]
)
def test_a_large_sheet_takes_bounded_time(piece: str) -> None:
    started = time.process_time()
    clean_sheet(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 1
