"""What a reply says itself, and what it repeats of the messages before it.

Conservative: folding away words that someone wrote is worse than showing a quote. So a quote counts only when it is
introduced or marked as one and nothing of the sender's follows it; when in doubt all is visible.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from postroom.mail.mime.plain import is_too_deep

_WROTE_VERB = (
    "wrote|writes|schrieb|schreef|a écrit|ha scritto|escribió|escreveu|skrev|napisał|napisał\\(a\\)|пишет|написал|"
    "kirjoitti"
)
# "On Mon, 1 Jan 2024 at 10:00, Ann <ann@example.com> wrote:" in a line or broken into up to three.
_INTRODUCTION = re.compile(
    r"(?:On|Am|Den|Op|Le|Il|El|Em|W dniu|Dnia|\d{1,4}[./-]\d{1,2}[./-]\d{1,4})"
    rf".{{3,400}}?(?:{_WROTE_VERB})\b.{{0,200}}[::]\s*\Z",
    re.DOTALL,
)
_SEPARATOR = re.compile(
    r"\s*-{2,}\s*(?:Original Message|Original Appointment|Forwarded message|Ursprüngliche Nachricht|"
    r"Weitergeleitete Nachricht|"
    r"Message d'origine|Mensaje original|Messaggio originale|Oorspronkelijk bericht|Исходное сообщение)\s*-{2,}\s*\Z",
    re.IGNORECASE,
)
_HEADER_FROM = re.compile(r"\*?(?:From|Von|De|Da|Van|Från|От)\s?:\*?\s+\S", re.IGNORECASE)
_HEADER_OTHER = re.compile(
    r"\*?(?:Sent|Date|To|Subject|Cc|Gesendet|Datum|An|Betreff|Envoyé|Date|À|Objet|Inviato|Data|A|Oggetto|Enviado|Fecha|Para|"
    r"Asunto|Verzonden|Aan|Onderwerp|Skickat|Till|Ämne|Отправлено|Дата|Кому|Тема)\s?:\*?\s+\S",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*_{10,}\s*\Z")
_FEWEST_HEADER_LINES = 2
_MOST_LINES = 20_000

_QUOTE_CONTAINERS = (
    "div.gmail_quote, div.gmail_quote_container, blockquote[type=cite], div.yahoo_quoted, div.protonmail_quote"
)
_REST_IS_QUOTED = (
    "#divRplyFwdMsg, #appendonsend, #OLK_SRC_BODY_SECTION, "
    'div[style*="border-top:solid #E1E1E1"], div[style*="border-top:solid #B5C4DF"], '
    'div[style*="border-top: solid #E1E1E1"]'
)


def split_quoted(text: str) -> tuple[str, str]:
    """(what the sender wrote, the quoted rest) of a plain text; (`text`, "") when there is no sure quote."""
    lines = text.split("\n")
    if len(lines) > _MOST_LINES:
        return text, ""
    start = _quote_start(lines)
    if start is None or not any(line.strip() for line in lines[:start]):
        return text, ""
    return "\n".join(lines[:start]).rstrip(), "\n".join(lines[start:])


def _quote_start(lines: list[str]) -> int | None:
    for index, line in enumerate(lines):
        if _SEPARATOR.match(line):
            return index
        if _HEADER_FROM.match(line) and _is_header_block(lines, index):
            return index - 1 if index and _RULE.match(lines[index - 1]) else index
        if line.startswith(">"):
            # The first quoted line: all from here on must be quoted, else the sender answers in between.
            if any(rest.strip() and not rest.startswith(">") for rest in lines[index:]):
                return None
            return _introduction_before(lines, index)
    return None


def _is_header_block(lines: list[str], index: int) -> bool:
    following = [line for line in lines[index + 1 : index + 7] if line.strip()]
    return sum(1 for line in following if _HEADER_OTHER.match(line)) >= _FEWEST_HEADER_LINES


def _introduction_before(lines: list[str], index: int) -> int:
    """Where "On … wrote:" begins, if it stands before the quoted line `index`; else `index`."""
    last = index - 1
    while last >= 0 and not lines[last].strip():
        last -= 1
    for length in (1, 2, 3):
        first = last - length + 1
        if first < 0 or not lines[first].strip():
            break
        if _INTRODUCTION.match("\n".join(lines[first : last + 1]).strip()):
            return first
    return index


def split_quoted_html(html: str) -> tuple[str, str]:
    """The same for HTML. The pieces are not sanitised; sanitise each of them after the cut, never before."""
    if is_too_deep(html) or ("<" not in html):
        return html, ""
    try:
        tree = LexborHTMLParser(html)
        node = _quoted_node(tree)
        if node is None:
            return html, ""
        quoted = _cut_from(node)
        body = tree.body
        visible = body.inner_html if body is not None else None
    except SelectolaxError:
        return html, ""
    if body is None or not visible or not (body.text() or "").strip():
        return html, ""
    return visible, quoted


def _quoted_node(tree: LexborHTMLParser) -> LexborNode | None:
    """The first element that begins the quote, with the line that introduces it."""
    node = tree.css_first(_REST_IS_QUOTED)
    if node is not None:
        return node
    node = tree.css_first(_QUOTE_CONTAINERS)
    if node is None or _has_text_after(node):
        return None
    before = _element_before(node)
    if before is not None and _INTRODUCTION.match(" ".join(before.text().split())):
        return before
    return node


def _element_before(node: LexborNode) -> LexborNode | None:
    before = node.prev
    while before is not None and before.tag == "-text" and not (before.text() or "").strip():
        before = before.prev
    return before if before is not None and before.tag in ("div", "p", "span") else None


def _following(node: LexborNode) -> list[LexborNode]:
    """All that comes after `node` in the document: its later siblings and those of its ancestors."""
    found: list[LexborNode] = []
    level: LexborNode | None = node
    while level is not None and level.tag not in ("body", "html"):
        sibling = level.next
        while sibling is not None:
            found.append(sibling)
            sibling = sibling.next
        level = level.parent
    return found


def _has_text_after(node: LexborNode) -> bool:
    others = [other for other in _following(node) if not _is_quote(other)]
    return any((other.text() or "").strip() for other in others)


def _is_quote(node: LexborNode) -> bool:
    return node.tag == "blockquote" and node.attributes.get("type") == "cite"


def _cut_from(node: LexborNode) -> str:
    """Takes `node` and all that follows out of its tree and returns it as HTML."""
    nodes = [node, *_following(node)]
    quoted = "".join([one.html or "" for one in nodes])
    for one in nodes:
        one.decompose()
    return quoted
