"""CSS from strangers, made fit for the frame in which their mail is shown.

Allow-lists throughout: what is written out was matched piece by piece, never what was left after a search for evil.
No url() in any form, no at-rule but @media, no escapes, no position; every selector is put below SCOPE, so a mail
reaches its own content and nothing of the page around it. Style sheets could otherwise load images, cover things, or
read the attributes of text that someone else wrote and the sender only quotes (CVE-2026-40497).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from postroom.mail.mime.plain import is_too_deep

SCOPE = ".mail-content"  # the class of the elements around sanitised HTML
ID_PREFIX = "mail-"  # before every id that a mail gives, so that it can name none of ours
LARGEST_SHEETS = 200_000  # characters of all sheets of a mail, twice those of a large newsletter
_MOST_MARKS = 50_000
_DEEPEST = 8

_PROPERTIES = frozenset(
    """
    align-items background background-color border border-bottom border-bottom-color border-bottom-left-radius
    border-bottom-right-radius border-bottom-style border-bottom-width border-collapse border-color border-left
    border-left-color border-left-style border-left-width border-radius border-right border-right-color
    border-right-style border-right-width border-spacing border-style border-top border-top-color
    border-top-left-radius border-top-right-radius border-top-style border-top-width border-width box-shadow
    box-sizing caption-side clear color direction display empty-cells flex flex-direction flex-wrap float font
    font-family font-size font-style font-variant font-weight gap height justify-content letter-spacing
    line-height list-style list-style-type margin margin-bottom margin-left margin-right margin-top max-height
    max-width min-height min-width opacity overflow overflow-wrap padding padding-bottom padding-left
    padding-right padding-top table-layout text-align text-decoration text-indent text-overflow text-transform
    vertical-align visibility white-space width word-break word-spacing word-wrap
    """.split()  # noqa: SIM905
)
_FUNCTIONS = frozenset(("rgb", "rgba", "hsl", "hsla", "calc"))
_VALUE = re.compile(r"[A-Za-z0-9#%.,\s()\"'!+\-/_*\x80-\U0010ffff]{1,500}\Z")
_FUNCTION = re.compile(r"([A-Za-z0-9_-]*)\s*\(")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_URL = re.compile(r"url\(\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[^()\"'\s]*)\s*\)", re.IGNORECASE)
_REMOTE_URL = re.compile(r"url\s*\(\s*[\"']?\s*((?:https?:)?//[^\"')\s]{1,2000})", re.IGNORECASE)
# Where a sheet is cut; marks inside strings are none.
_MARK = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[{};]")
_SELECTOR = re.compile(r"[A-Za-z0-9_\-.#*:,>+~\s\[\]=\"'^$|()]{1,2000}\Z")
_SELECTOR_COMMA = re.compile(r",(?![^(\[]{0,500}[)\]])")  # not those inside of :is(a, b)
_LONGEST_NESTED_SELECTOR = 500
_PAGE_ITSELF = re.compile(r"(?:(?:html|body|:root)(?![A-Za-z0-9_-])\s*>?\s*)+", re.IGNORECASE)
_HASH = re.compile(r"#(?=[A-Za-z_-])")
_MEDIA = re.compile(r"@media\s*([A-Za-z0-9\s(),:.\-/]{1,300})\Z", re.IGNORECASE)


@dataclass(slots=True)
class _Block:
    """An open "{": what stands before it, and what was found in it so far."""

    prelude: str = ""
    declarations: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


def style_sheet_of(html: str) -> str:
    """All `<style>` elements of a mail as one safe sheet, "" when there is none. It holds no "<". Never raises.

    Whoever shows it puts the sanitised HTML (`with_names`) into an element of class SCOPE.
    """
    if "<style" not in html.lower() or is_too_deep(html):
        return ""
    try:
        elements = LexborHTMLParser(html).css("style")
        sheets = [(element.text() or "", element.attributes.get("media") or "") for element in elements]
    except SelectolaxError:
        return ""
    cleaned: list[str] = []
    left = LARGEST_SHEETS
    for sheet, media in sheets:
        sheet = sheet[:left]
        cleaned.append(clean_sheet(f"@media {media} {{{sheet}}}" if media.strip() else sheet))
        left -= len(sheet)
        if left <= 0:
            break
    return "\n".join(one for one in cleaned if one)


def clean_sheet(sheet: str) -> str:
    """`sheet` without all that is not on the lists above. An unclosed rule is left out."""
    sheet = _COMMENT.sub(" ", sheet[: LARGEST_SHEETS + 1_000])
    blocks = [_Block()]
    start = 0
    for count, mark in enumerate(_MARK.finditer(sheet)):
        if mark[0] not in "{};" or count > _MOST_MARKS:
            continue
        piece, start = sheet[start : mark.start()].strip(), mark.end()
        if mark[0] == ";":
            blocks[-1].declarations.append(piece)
        elif mark[0] == "{":
            if len(blocks) > _DEEPEST:
                break
            blocks.append(_Block(piece))
        elif len(blocks) > 1:
            block = blocks.pop()
            block.declarations.append(piece)
            if rule := _rule(block):
                blocks[-1].rules.append(rule)
    return "\n".join(blocks[0].rules)


def _rule(block: _Block) -> str:
    """A style rule or @media with what is allowed in it, "" when nothing is. Rules nested in style rules are dropped.

    The colours of a mail for dark pages are dropped too: mail with a design of its own is shown on light paper.
    """
    if block.prelude.startswith("@"):
        media = _MEDIA.match(block.prelude)
        if media is None or "dark" in media[1].lower() or not block.rules or not _is_balanced(media[1]):
            return ""
        return f"@media {media[1].strip()} {{ {' '.join(block.rules)} }}"
    selectors = _scoped(block.prelude)
    declarations = _clean_list(block.declarations)
    return f"{selectors} {{ {declarations} }}" if selectors and declarations else ""


def _scoped(selectors: str) -> str:
    if not _SELECTOR.match(selectors) or not _is_balanced(selectors):
        return ""
    is_nested = "(" in selectors or "[" in selectors
    if is_nested and len(selectors) > _LONGEST_NESTED_SELECTOR:
        return ""
    scoped: list[str] = []
    for selector in _SELECTOR_COMMA.split(selectors) if is_nested else selectors.split(","):
        selector = _HASH.sub(f"#{ID_PREFIX}", " ".join(selector.split()))
        page = _PAGE_ITSELF.match(selector)
        rest = selector[page.end() :] if page else selector
        if not selector or rest[:1] in (">", "+", "~") or not _is_balanced(rest):
            return ""
        joint = "" if page and rest[:1] in (".", ":", "[", "#") else " "
        scoped.append(f"{SCOPE}{joint}{rest}".strip())
    return ", ".join(scoped)


def clean_declarations(style: str) -> str:
    """The value of a `style` attribute with the allowed declarations only, "" when there are none."""
    return _clean_list(_COMMENT.sub("", style).split(";"))


def remote_urls(style: str) -> list[str]:
    """The addresses that a style would load from."""
    return _REMOTE_URL.findall(style)


def _clean_list(declarations: list[str]) -> str:
    return "; ".join([kept for declaration in declarations if (kept := _declaration(declaration))])


def _declaration(declaration: str) -> str:
    """One declaration if property and value are on the lists, without its url(). A backslash (an escape) is on none."""
    name, colon, value = declaration.partition(":")
    name, value = name.strip().lower(), value.strip()
    if colon and "url(" in value.lower():
        value = _URL.sub(" ", value).strip()
    if not colon or name not in _PROPERTIES or not _VALUE.match(value):
        return ""
    if any(function.lower() not in _FUNCTIONS for function in _FUNCTION.findall(value)):
        return ""
    return f"{name}: {value}" if _is_balanced(value) and "/*" not in value else ""


def _is_balanced(text: str) -> bool:
    is_quoted_well = text.count('"') % 2 == 0 and text.count("'") % 2 == 0
    return is_quoted_well and text.count("(") == text.count(")") and text.count("[") == text.count("]")
