"""Marks for `postroom.mail`: how much of other people's test mail it reads as they say it should be read.

    python bench/exams.py [--corpora DIR] [--nasty FILE] [--speed] [--json]

The corpora are not part of the product (see their INDEX.md); they lie beside the checkout. With --json the last line
is one JSON object of all figures. Exit status 1 when a "must be all" exam is not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fast_mail_parser import parse_email  # noqa: E402
from selectolax.lexbor import LexborHTMLParser  # noqa: E402

from bench.marks import Mark  # noqa: E402
from bench.stalwart import exam_stalwart  # noqa: E402
from postroom.mail.address import is_valid  # noqa: E402
from postroom.mail.message import ParsedMessage  # noqa: E402
from postroom.mail.mime import identity, parse, reference_key, snippet  # noqa: E402
from postroom.mail.mime.sanitize import sanitize  # noqa: E402
from postroom.mail.mime.styles import ID_PREFIX, style_sheet_of  # noqa: E402

LONGEST_SECONDS = 1.0
MOST_MEGABYTES = 200


# --- never raise, bounded time, bounded memory


def exam_survival(corpora: Path) -> Iterator[Mark]:
    for folder in ("mime-mikel", "mime-nodemailer"):
        mark = Mark(f"{folder} survives", must_be_all=True)
        for path in sorted((corpora / folder).rglob("*.eml")):
            raw = path.read_bytes()
            started = time.perf_counter()
            message = parse(raw)
            identity(message, raw), snippet(message)
            seconds = time.perf_counter() - started
            mark.add(seconds <= LONGEST_SECONDS, f"{path.name}: {seconds:.2f} s")
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        mark.add(megabytes <= MOST_MEGABYTES, f"{megabytes:.0f} MB")
        yield mark


# --- nasty.py: each case by the expectation that is written beside it

_Judge = Callable[[ParsedMessage], bool]


def _subject(expected: str) -> _Judge:
    return lambda message: message.subject == expected


def _text(expected: str) -> _Judge:
    return lambda message: message.text.strip() == expected


def _attached(*names: str) -> _Judge:
    return lambda message: tuple(one.filename for one in message.attachments) == names


def _to_count(count: int) -> _Judge:
    return lambda message: len(message.to) == count and all("@" in one.address for one in message.to)


def _survives(message: ParsedMessage) -> bool:
    return isinstance(message, ParsedMessage)


NASTY: dict[str, _Judge] = {
    "rfc2047 split inside a multibyte char": _subject("Grüße"),
    "rfc2047 adjacent words, space dropped": _subject("HelloWorld"),
    "rfc2047 without spaces around": _subject("Re:Ündx"),
    "rfc2047 unencoded space in q word": _subject("a b ü"),
    "rfc2047 unknown charset": lambda m: m.subject.startswith("abc"),
    "rfc2047 quoted in display name": lambda m: m.from_[0].name == "Jörg, X",
    "raw utf-8 8-bit headers": lambda m: (m.subject, m.from_[0].name) == ("Grüße", "Jörg"),
    "raw latin-1 8-bit headers": lambda m: (m.subject, m.from_[0].name) == ("Grüße", "Jörg"),
    "body: no charset, utf-8 bytes": _text("Grüße"),
    "body: no charset, latin-1 bytes": _text("Grüße"),
    "body: wrong charset (utf-8 declared, latin-1 bytes)": _text("Grüße"),
    "body: unknown charset": _text("hello"),
    "body: charset=cp-850 / iso-8859-8-i / gb2312 superset": _text("שלום"),
    "broken base64 body": lambda m: m.text.startswith("hello world"),
    "rfc2231 extended filename": _attached("Größe €.pdf"),
    "rfc2231 continuations + charset": _attached("Größe lang.pdf"),
    "rfc2231 continuation splits utf-8 sequence": _attached("Größe.pdf"),
    "rfc2047 in filename param": _attached("Größe.pdf"),
    "name only on Content-Type": _attached("a.pdf"),
    "nested message/rfc822": lambda m: m.text.strip() == "outer" and _attached("inner.eml")(m),
    "missing closing boundary": lambda m: m.text.strip() == "outer" and _attached("a.pdf")(m),
    "boundary parameter missing": lambda m: "outer" in m.text,
    "boundary never occurs": lambda m: "just text" in m.text,
    "no blank line, header garbage": _subject("s"),
    "mbox From_ line first": _subject("s"),
    "duplicate From / Message-ID folded": lambda m: m.from_[0].address == "a@b.c" and m.internet_message_id == "<x@y>",
    "address group + comment + quoted comma": _to_count(3),
    "broken address": lambda m: [one.address for one in m.to if one.address] == ["x@y"],
    "date broken / 2-digit year / named tz": lambda m: m.date is None,
    "date with comment tz": lambda m: m.date is not None and m.date.isoformat() == "2024-01-01T09:00:00+00:00",
    "NUL bytes in body and subject": lambda m: "hi" in m.text and "\0" not in m.text + m.subject,
    "bare LF/CR mix": lambda m: m.text.startswith("hi"),
    "bare LF only": lambda m: m.text.startswith("hi"),
    "format=flowed; html only": lambda m: m.html == "<p>hi</p>" and m.text == "",
    "200-level nested multipart": _survives,
    "100k header line": lambda m: m.text == "hi",
    "empty input": lambda m: not m.is_readable,
    "uuencode CTE": lambda m: "hello"[:4] in m.text,
    "text part as attachment (disposition)": lambda m: m.text.strip() == "body" and _attached("a.txt")(m),
    "iso-2022-jp subject raw in header": lambda m: bool(m.subject),
}


def exam_nasty(path: Path) -> Iterator[Mark]:
    mark = Mark("nasty.py", must_be_all=True)
    spec = importlib.util.spec_from_file_location("nasty", path)
    assert spec is not None and spec.loader is not None
    nasty = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nasty)
    for name, (expected, raw) in nasty.C.items():
        judge = NASTY.get(name)
        message = parse(raw)
        mark.add(judge is not None and judge(message), f"{name}: expected {expected}, got {message}")
    yield mark


# --- address-isemail


def exam_addresses(corpora: Path) -> Iterator[Mark]:
    """Valid is what can be sent by SMTP: the categories VALID, DNSWARN and RFC5321. U+2400 + n stands for the control
    n."""
    mark = Mark("address-isemail")
    for test in ElementTree.parse(corpora / "address-isemail" / "tests.xml").iter("test"):
        address, category = test.findtext("address") or "", test.findtext("category") or ""
        address = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c for c in address)
        expected = category in ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321")
        mark.add(is_valid(address) == expected, f"{test.get('id')} {category} {address!r}")
    yield mark


# --- html-dompurify

_SAFE_LINK = re.compile(r"(?:https?:|mailto:|tel:)", re.IGNORECASE)
_UNSAFE_STYLE = re.compile(r"url|expression|import|@|\\|position\s*:|behavior|binding", re.IGNORECASE)
_SAFE_TAGS = frozenset(
    "html head body a abbr acronym address b bdi bdo big blockquote br caption center cite code col colgroup "  # noqa: SIM905
    "dd del dfn div dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp "
    "rt ruby s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var wbr article "
    "section header footer main aside -text".split()
)


_UNSAFE_SHEET = re.compile(r"url|expression|@(?!media )|\\|//|https?:|position\s*:|behavior|binding|<", re.IGNORECASE)


def _unsafe_in(clean: str) -> str:
    """What could execute or load in `clean`, read by another HTML parser than the one that made it; "" when nothing."""
    for node in LexborHTMLParser(clean).css("*"):
        if node.tag not in _SAFE_TAGS:
            return f"<{node.tag}>"
        for name, value in node.attributes.items():
            value = (value or "").strip()
            if name.startswith("on") or name in ("srcset", "poster", "srcdoc", "action", "formaction", "name"):
                return f"{node.tag} {name}"
            if name == "id" and not value.startswith(ID_PREFIX):
                return f"{node.tag} {name}={value}"
            if name in ("src", "background") and not value.startswith("data:image/"):
                return f"{node.tag} {name}={value}"
            if name == "href" and not _SAFE_LINK.match(value):
                return f"{node.tag} {name}={value}"
            if name == "style" and _UNSAFE_STYLE.search(value):
                return f"{node.tag} {name}={value}"
    return ""


def exam_html(corpora: Path) -> Iterator[Mark]:
    """As the frame of a mail shows it: names kept, and the style sheets, which must load nothing at all."""
    mark = Mark("html-dompurify", must_be_all=True)
    for case in json.loads((corpora / "html-dompurify" / "expect.json").read_text()):
        payload = case["payload"]
        clean = sanitize(payload, with_remote_images=False, attachment_url=lambda _: None, with_names=True).html
        sheet = style_sheet_of(payload)
        in_sheet = _UNSAFE_SHEET.search(sheet)
        unsafe = _unsafe_in(clean) or (f"{in_sheet[0]} in style sheet {sheet}" if in_sheet else "")
        mark.add(not unsafe, f"{case.get('title')}: {unsafe} in {clean[:200]}")
    yield mark


# --- speed


def _import_one(raw: bytes) -> None:
    """All that a first import computes of a message."""
    message = parse(raw)
    identity(message, raw), snippet(message)
    for one in (message.internet_message_id, *message.in_reply_to, *message.references):
        reference_key(one)
    for _, address in message.participants():
        _ = address.key


def _forget() -> None:
    """Empties what the package remembers, since a first import begins with nothing remembered."""
    for module in [module for name, module in sys.modules.items() if name.startswith("postroom.mail")]:
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


def measure_speed(generator: Path) -> tuple[float, float]:
    """Microseconds of CPU a message, ours and those of fast_mail_parser alone, the best of five rounds over 2,000
    messages; in turns, so that both see the same machine."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(generator), folder, "2000"], check=True, stdout=subprocess.DEVNULL)
        raws = [path.read_bytes() for path in Path(folder).rglob("cur/*")]
    best = {_import_one: float("inf"), parse_email: float("inf")}
    for _ in range(5):
        _forget()
        for reader in best:
            started = time.process_time()
            for raw in raws:
                reader(raw)
            best[reader] = min(best[reader], time.process_time() - started)
    return best[_import_one] / len(raws) * 1e6, best[parse_email] / len(raws) * 1e6


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    arguments.add_argument("--nasty", type=Path, default=ROOT.parent / "shared" / "bench" / "nasty.py")
    arguments.add_argument("--generator", type=Path, default=ROOT.parent / "shared" / "bench" / "gen.py")
    arguments.add_argument("--speed", action="store_true", help="also measure microseconds a message")
    arguments.add_argument("--wrong", action="store_true", help="list what was wrong")
    arguments.add_argument("--json", action="store_true", help="one JSON object as the last line")
    chosen = arguments.parse_args()
    marks = [
        *exam_stalwart(chosen.corpora),
        *exam_survival(chosen.corpora),
        *exam_nasty(chosen.nasty),
        *exam_addresses(chosen.corpora),
        *exam_html(chosen.corpora),
    ]
    for mark in marks:
        print(f"{mark.name:46} {mark.right:4} of {mark.asked:4}  {mark.percent:6.2f} %")
        for what in mark.wrong if chosen.wrong or mark.has_failed else ():
            print(f"    wrong: {what[:300]}")
    figures: dict[str, object] = {
        mark.name: {"right": mark.right, "asked": mark.asked, "percent": round(mark.percent, 2)} for mark in marks
    }
    if chosen.speed:
        ours, theirs = measure_speed(chosen.generator)
        figures |= {"speed_microseconds": round(ours, 1), "fast_mail_parser_microseconds": round(theirs, 1)}
        comparison = f"fast_mail_parser alone {theirs:.1f}, so {ours / theirs:.2f} x"
        print(f"{'speed':46} {ours:.1f} µs of CPU a message; {comparison}")
    if chosen.json:
        print(json.dumps(figures, ensure_ascii=False))
    return int(any(mark.has_failed for mark in marks))


if __name__ == "__main__":
    sys.exit(main())
