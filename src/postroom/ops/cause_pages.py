"""docs/reference/causes/: a page for each cause of the catalogue, and troubleshooting.md that leads to them."""

from __future__ import annotations

from typing import Final

from postroom.providers.catalogue import CATALOGUE, MEANINGS, Entry, Meaning, Who, explain
from postroom.providers.known_words import KnownWords, known_words

PRINTED: Final = "<!-- Printed by `python -m postroom.ops.reference`. Not to be edited: change the catalogue. -->\n"
WHO: Final[dict[Who, str]] = {
    "you": "You.",
    "mail administrator": "The administrator of the mail service: whoever gave out the mailbox.",
    "Postroom administrator": "The administrator of Postroom: whoever runs this installation.",
    "nobody": "Nobody has to act: wait.",
}


def cause_pages() -> dict[str, str]:
    """File name -> page."""
    return {f"{code}.md": _page(explain(code)) for code in CATALOGUE}


def troubleshooting_page() -> str:
    """All causes in order of what they mean, each with who must act."""
    lines = [
        "# Troubleshooting\n",
        PRINTED,
        "What Postroom says when something does not work, in the words of the pages, the API and the command line. The",
        "same pages are in the product, at `/help/`.",
    ]
    for meaning, (title, follows) in MEANINGS.items():
        entries = [explain(code) for code, entry in CATALOGUE.items() if entry.meaning == meaning]
        lines += [f"\n## {title}\n", f"{follows}\n", "| what happened | who can fix it | code |", "|---|---|---|"]
        lines += [f"| [{one.title}](causes/{one.code}.md) | {one.who} | `{one.code}` |" for one in entries]
    return "\n".join(lines) + "\n"


def _page(entry: Entry) -> str:
    lines = [f"# {entry.title}\n", PRINTED, f"`{entry.code}`\n", f"{entry.what}\n"]
    lines += [f"{_meaning(entry.meaning)}\n"] if entry.meaning != "none" else []
    lines += ["## Who can fix it\n", f"{WHO[entry.who]}\n"]
    if entry.fix:
        lines += ["## What to do\n", *(f"{number}. {step}" for number, step in enumerate(entry.fix, start=1)), ""]
    if words := known_words().get(entry.code):
        lines += ["## What servers say\n", *map(_line, words), ""]
    return "\n".join([*lines, "[All causes](../troubleshooting.md)"]) + "\n"


def _meaning(meaning: Meaning) -> str:
    title, follows = MEANINGS[meaning]
    return f"**{title}.** {follows}"


def _line(words: KnownWords) -> str:
    """One fragment; long lists of hosts are cut, since the fragment is what people search for."""
    hosts = f" ({', '.join(words.hosts[:4])}{' …' if len(words.hosts) > 4 else ''})" if words.hosts else ""
    return f"- `{words.fragment.strip()}`{hosts}"
