"""Text for reading and for lists, from the bodies of a message."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from postroom.mail.message import ParsedMessage

LONGEST_SNIPPET = 200
_MOST_TEXT_FOR_SNIPPET = 4_000  # characters of plain text, so that a long quote before the answer is passed over
_USUALLY_ENOUGH = 400
_MOST_HTML_FOR_SNIPPET = 30_000
_LARGEST_HTML = 1_000_000  # characters, ten times a large newsletter
_DEEPEST_HTML = 2_000
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,30})")
_CLOSED_BY_ITSELF = frozenset(
    "p li td tr th dt dd tbody thead tfoot option br img hr input meta link col area base wbr source embed".split()  # noqa: SIM905
)
_BREAKING = (
    "address,article,blockquote,center,div,dl,dt,dd,fieldset,form,h1,h2,h3,h4,h5,h6,header,footer,hr,li,ol,p,pre,section,"
    "table,tr,ul"
)
_UNSEEN = ["style", "script", "head", "title", "noscript", "template", "svg", "math"]
_BREAK = "\x1e"  # marks a line break while the blanks of the source are folded
# \s of Python would take _BREAK for a blank too.
_BLANKS = re.compile(r"[ \t\r\n\f\v\xa0\u200b\u200c\ufeff\u034f\xad]+")
_BREAKS = re.compile(f" ?(?:{_BREAK} ?)+")
_ANGLE = re.compile(r"<[^<>]*>")
_WROTE = re.compile(r"(?:On|Am|Le|El|Il|Op) .{5,200}(?:wrote|schrieb|écrit|escribió|scritto|schreef).{0,100}:\s*\Z")


def text_of_html(html: str) -> str:
    """The text a reader of `html` would see: a line for each block, no scripts, no styles. Never raises."""
    html = html[:_LARGEST_HTML].replace(_BREAK, " ")
    if is_too_deep(html):
        return _BLANKS.sub(" ", _ANGLE.sub(" ", html)).strip()
    try:
        tree = LexborHTMLParser(html)
        tree.strip_tags(_UNSEEN)
        body = tree.body
        if body is None:
            return ""
        for node in body.css("br"):
            node.replace_with(_BREAK)
        for node in body.css("td,th"):
            node.insert_after(" ")
        for node in body.css(_BREAKING):
            node.insert_before(_BREAK)
            node.insert_after(_BREAK)
        text = body.text()
    except (SelectolaxError, RuntimeError, ValueError):
        text = _ANGLE.sub(" ", html)
    return _BREAKS.sub("\n", _BLANKS.sub(" ", text.replace("\0", ""))).strip()


def is_too_deep(html: str) -> bool:
    """Whether `html` is nested deeper than any writer of mail nests it: the parser's time grows with its square."""
    if html.count("<") <= _DEEPEST_HTML:
        return False
    opened: dict[str, int] = {}
    depth = 0
    for closing, name in _TAG.findall(html):
        name = name.lower()
        if name in _CLOSED_BY_ITSELF:
            continue
        if not closing:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            if depth > _DEEPEST_HTML:
                return True
        elif opened.get(name):
            opened[name] -= 1
            depth -= 1
    return False


def snippet(message: ParsedMessage) -> str:
    """The first words of what the sender wrote, on one line, at most 200 characters, quoted lines left out."""
    if message.text:
        unquoted = _first_unquoted_words(message.text[:_USUALLY_ENOUGH])
        if len(unquoted) < LONGEST_SNIPPET - 20 and len(message.text) > _USUALLY_ENOUGH:
            unquoted = _first_unquoted_words(message.text[:_MOST_TEXT_FOR_SNIPPET])
        if unquoted or not message.html:
            return unquoted
    if not message.html:
        return ""
    return _first_unquoted_words(text_of_html(message.html[:_MOST_HTML_FOR_SNIPPET]))


def _first_unquoted_words(text: str) -> str:
    lines: list[str] = []
    length = 0
    for line in text.split("\n"):
        if not line or line[0] == ">" or line.isspace():
            continue
        if line == "-- ":
            break
        if line[-1] == ":" and _WROTE.match(line):
            continue
        lines.append(line)
        length += len(line) + 1
        if length > 2 * LONGEST_SNIPPET:
            break
    words = " ".join(lines)
    if not words.isprintable() or "\u034f" in words:
        words = _BLANKS.sub(" ", words)
    return " ".join(words.split())[:LONGEST_SNIPPET].rstrip()
