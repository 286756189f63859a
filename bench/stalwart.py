"""The exam by mime-stalwart: bodies, attachments and their names against the snapshots that came with the messages."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.marks import Mark
from postroom.mail.mime import parse
from postroom.mail.mime.filenames import clean_filename


def _as_text(value: object) -> str:
    return "\n".join(str(value).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()


def _expected_texts(parts: list[dict], indexes: list[int], kinds: tuple[str, ...]) -> list[str]:
    bodies = [parts[index]["body"] for index in indexes]
    return [_as_text(body[kind]) for body in bodies if isinstance(body, dict) for kind in kinds if kind in body]


def _name_of(part: dict) -> str:
    names = {}
    for header in part["headers"]:
        value = header["value"]
        if isinstance(value, dict) and "ContentType" in value:
            for attribute in value["ContentType"].get("attributes") or []:
                names[header["name"], attribute["name"]] = attribute["value"]
    return names.get(("content_disposition", "filename")) or names.get(("content_type", "name")) or ""


def _expected_attachments(snapshot: dict) -> list[int]:
    """Their attachments, and the media they count as bodies, which for us are inline attachments."""
    parts = snapshot["parts"]
    in_bodies = {
        index
        for index in snapshot["text_body"] + snapshot["html_body"]
        if not any(kind in parts[index]["body"] for kind in ("Text", "Html"))
    }
    return sorted(set(snapshot["attachments"]) | in_bodies)


def _is_same(ours: str, theirs: str) -> bool:
    """Equal but for blanks; where the snapshot has U+FFFD, a character its parser could not read, ours may have read
    it."""
    ours, theirs = " ".join(ours.split()), " ".join(theirs.split())
    if "\ufffd" not in theirs:
        return ours == theirs
    return len(ours) == len(theirs) and all(b in ("\ufffd", a) for a, b in zip(ours, theirs, strict=True))


def _is_same_text(ours: str, theirs: list[str]) -> bool:
    """The same, or the same as what their export wrote as base64 because of control characters in it."""
    joined = _as_text(ours)
    if _is_same(joined, " ".join(theirs)):
        return True
    try:
        decoded = [_as_text(b64decode(one).decode("utf-8", "replace")) for one in theirs]
    except (binascii.Error, ValueError):
        return False
    return _is_same(joined, " ".join(decoded))


def _as_rfc_8621(snapshot: dict) -> dict:
    """The snapshot with cut-off text as a body.

    Their parser lists a nameless text part that no delimiter ended among the attachments, so a reader would see an
    empty message. RFC 8621 section 4.1.4 knows no such exception; and an empty part is nothing to download.
    """
    changed = {key: list(snapshot[key]) for key in ("text_body", "html_body", "attachments")}
    for index in snapshot["attachments"]:
        part = snapshot["parts"][index]
        is_text = isinstance(part["body"], dict) and any(kind in part["body"] for kind in ("Text", "Html"))
        is_marked = any(header["name"] == "content_disposition" for header in part["headers"])
        is_cut_off = part["offset_end"] == snapshot["parts"][0]["offset_end"]
        if not (is_text and is_cut_off) or is_marked or _name_of(part):
            continue
        changed["attachments"].remove(index)
        if any(part["body"].values()):
            changed["text_body"].append(index)
            changed["html_body"].append(index)
    return snapshot | changed


def exam_stalwart(corpora: Path) -> Iterator[Mark]:
    """To the letter: the whole set, the well-formed messages and the `malformed`, where two parsers may rightly differ
    in what to save. Then the whole set with cut-off text counted as RFC 8621 has it."""
    folder = corpora / "mime-stalwart" / "eml"
    whole = set(folder.rglob("*.json"))
    malformed = set((folder / "malformed").rglob("*.json"))
    yield from _stalwart_marks("mime-stalwart well-formed", whole - malformed, corpora, lambda snapshot: snapshot)
    yield from _stalwart_marks("mime-stalwart malformed", malformed, corpora, lambda snapshot: snapshot)
    yield from _stalwart_marks("mime-stalwart whole", whole, corpora, lambda snapshot: snapshot)
    yield from _stalwart_marks("mime-stalwart whole, RFC 8621", whole, corpora, _as_rfc_8621)


def _stalwart_marks(name: str, paths: set[Path], corpora: Path, reading: Callable[[dict], dict]) -> tuple[Mark, ...]:
    texts, htmls = Mark(f"{name} text"), Mark(f"{name} html")
    lists, names = Mark(f"{name} attachment lists"), Mark(f"{name} attachment names")
    for path in sorted(paths):
        raw = (path.parent / (path.name.split(".")[0] + ".eml")).read_bytes()
        if path.name.endswith(".crlf.json"):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        snapshot = reading(json.loads(path.read_text()))
        parts, what = snapshot["parts"], str(path.relative_to(corpora))
        message = parse(raw)
        html_only = not any("Text" in parts[index]["body"] for index in snapshot["text_body"])
        expected_text = [] if html_only else _expected_texts(parts, snapshot["text_body"], ("Text",))
        expected_html = _expected_texts(parts, snapshot["html_body"], ("Html",))
        if any("Html" in parts[index]["body"] for index in snapshot["text_body"]) and not html_only:
            pass  # HTML between plain parts: we add its text, so the comparison of the plain part alone would be unfair
        else:
            texts.add(_is_same_text(message.text, expected_text), what)
        if any("Text" in parts[index]["body"] for index in snapshot["html_body"]) and expected_html:
            pass  # the same the other way round
        else:
            htmls.add(_is_same_text(message.html, expected_html), what)
        indexes = _expected_attachments(snapshot)
        lists.add(len(indexes) == len(message.attachments), f"{what}: {len(indexes)} != {len(message.attachments)}")
        if len(indexes) == len(message.attachments):
            for index, ours in zip(indexes, message.attachments, strict=True):
                theirs = clean_filename(" ".join(_name_of(parts[index]).split()))
                if theirs:
                    is_right = _is_same(ours.filename.removesuffix(".eml"), theirs.removesuffix(".eml"))
                    names.add(is_right, f"{what}: {theirs!r} != {ours.filename!r}")
    return texts, htmls, lists, names
