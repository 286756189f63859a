"""The entry for a code, with the facts of an error (host, port, username …) in its braces.

A fact that is missing becomes a plain word, and nothing in a fact is ever read as markup or as another brace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from postroom.providers.catalogue.entry import RETRY, Entry

MISSING: Final = {
    "host": "the mail server",
    "username": "this user",
    "server": "mail",
    "provider": "this kind of mailbox",
    "limit": "its limit",
    "size": "too many",
    "address": "this address",
    "folder": "a folder",
    "permissions": "a permission",
    "expected": "another account",
    "security": "this encryption",
    "usual": "another one",
    "contact": "the contact",
    "other": "another address",
}
_BRACE = re.compile(r"\{(\w+)\}")


def filled(entry: Entry, facts: Mapping[str, object]) -> Entry:
    """The same entry with the facts in its sentences."""

    def fill(text: str) -> str:
        if not facts.get("port"):
            text = text.replace(" on port {port}", "")
        said = _BRACE.sub(lambda match: _shown(match[1], facts), text)
        is_missing = text.startswith("{") and not facts.get(text[1 : text.index("}")])
        return said[:1].upper() + said[1:] if is_missing else said

    return replace(entry, title=fill(entry.title), what=fill(entry.what), fix=tuple(map(fill, entry.fix)))


def for_a_check(entry: Entry) -> Entry:
    """The entry for a step of a connection check, after which nothing goes on by itself."""
    if entry.who == "nobody":
        entry = replace(entry, who="you", fix=(*entry.fix, "Check the connection again."))
    return replace(entry, what=entry.what.removesuffix(" " + RETRY))


def _shown(name: str, facts: Mapping[str, object]) -> str:
    value = facts.get(name)
    if value is None or value == "":
        return MISSING.get(name, "unknown")
    return "".join(letter if letter.isprintable() else " " for letter in str(value))[:200]
