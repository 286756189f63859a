"""The page docs/reference/providers.md: what each provider can do, printed from its Capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from postroom.providers import registry
from postroom.providers.base import Provider


def _yes(value: bool) -> str:
    return "yes" if value else "–"


def _learnt(value: bool | None) -> str:
    return "learnt by looking" if value is None else _yes(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


# Each field of providers.base.Capabilities: what it means to who runs Postroom, and how its value is said.
ROWS: Final[Mapping[str, tuple[str, Callable[[Any], str]]]] = {
    "needs_oauth": ("Connected by signing in at the provider (OAuth), without a password", _yes),
    "pushes": ("The connection itself tells of new mail; else the mailbox is asked every few seconds", _yes),
    "watches": ("Can call a public address of Postroom when mail arrives", _yes),
    "lists_headers_cheaply": ("Where only records' mail is kept, an import reads all headers first", _yes),
    "lists_by_address": ("Where only records' mail is kept, an import asks for the records' addresses", _yes),
    "ids_are_mailbox_wide": ("What is moved, or wears several labels, is read once", _yes),
    "fetch_at_once": ("Messages that are read at once", _number),
    "units_a_minute": ("Units that a mailbox may use a minute; imports leave a part of them to new mail", _number),
    "finds_by_message_id": ("A message is found by its Message-ID, so a doubtful send is looked for", _yes),
    "upload_settles_seconds": ("Seconds after which what was handed over and still waits is proven unsent", _number),
    "files_sent_itself": ("Files what was sent in the Sent folder itself", _learnt),
    "lists_identities": ("Tells the addresses that a mailbox may send as", _yes),
    "opens_shared": ("One sign-in may open shared mailboxes of other addresses", _yes),
}


def providers_page() -> str:
    """The matrix as Markdown: a row a capability, a column a provider."""
    providers: list[Provider] = sorted(registry.PROVIDERS.values(), key=lambda one: one.title)
    lines = [
        "# Providers\n",
        "<!-- Printed by `python -m postroom.ops.reference`. Do not edit: change the code and print it again. -->\n",
        "What Postroom can do with a mailbox depends on where it is. How each is read is told in",
        "[how sync keeps history complete](../explanation/sync.md).\n",
        "| | " + " | ".join(one.title for one in providers) + " |",
        "|---" * (len(providers) + 1) + "|",
    ]
    for name, (means, say) in ROWS.items():
        values = [say(getattr(one.capabilities, name)) for one in providers]
        lines.append(f"| {means} | " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"
