"""`mailbox discover`: where an address's servers are, and who said so."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from postroom.ops.commands.options import declare
from postroom.ops.output import CommandFailed, Output

if TYPE_CHECKING:
    from postroom.providers.discovery.found import Found, Look


def add(mailboxes: Any) -> None:
    discover = declare(
        mailboxes, "discover", discover_servers, "Find the servers of an address; store nothing.", needs_database=False
    )
    discover.add_argument("address", metavar="ADDRESS", help="the mailbox's address")


def discover_servers(options: argparse.Namespace, output: Output) -> int:
    """Every place as it was asked, then the settings. Ends with 1 when nothing was found."""
    from postroom.mail.address import is_valid

    if not is_valid(options.address):
        raise CommandFailed(f"{options.address!r} is not a mail address.", "invalid")
    looks, found = asyncio.run(_look(options.address, output))
    _tell(options.address, found, output)
    output.answer(
        {
            "ok": found is not None,
            "address": options.address,
            "found": asdict(found) if found else None,
            "looks": [asdict(look) | {"found": look.found is not None} for look in looks],
        }
    )
    return 0 if found else 1


async def _look(address: str, output: Output) -> tuple[list[Look], Found | None]:
    from postroom.providers import registry
    from postroom.providers.discovery.discover import best

    looks = []
    async for look in registry.discovery().looks(address):
        looks.append(look)
        mark = "ok  " if look.found else "-   "
        output.line(f"{mark} {look.source} {look.where} {look.seconds:.2f} s  {look.words}".rstrip())
    return looks, best(looks)


def _tell(address: str, found: Found | None, output: Output) -> None:
    if found is None:
        _say("settings_not_found", address, output)
        return
    output.line(f"{found.title or 'Settings'}, from {found.source} ({found.source_host})")
    for name, server in found.servers.items():
        names = " or ".join(server.usernames)
        output.line(f"     {name} {server.host} port {server.port}, {server.security}, as {names}")
    for name in found.not_offered:
        output.line(f"     {name}: not offered")
    for code in found.advice:
        _say(code, address, output)


def _say(code: str, address: str, output: Output) -> None:
    from postroom.providers import catalogue

    entry = catalogue.explain(code, address=address)
    for text in (f"{entry.title}. {entry.what}", *entry.fix):
        output.line(f"     {text}")
