"""`sync --once`: bring mailboxes up to date in this process and end."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from postroom.ops.commands.options import declare
from postroom.ops.output import CommandFailed, Output

REDRAWN_EVERY_SECONDS: Final = 0.5


def add(commands: Any) -> None:
    command = declare(
        commands, "sync", sync, "Fetch new mail, finish the imports and count them in this process, then end."
    )
    command.add_argument("--once", action="store_true", required=True, help="end when all is up to date")
    command.add_argument("--mailbox", default="", metavar="ADDRESS", help="only this mailbox")
    command.add_argument("-v", "--verbose", action="store_true", help="say each step")


def sync(options: argparse.Namespace, output: Output) -> int:
    from postroom.mailboxes.models import Mailbox

    found = Mailbox.objects.filter(disconnected_at=None)
    if options.mailbox and not found.filter(address__iexact=options.mailbox).exists():
        raise CommandFailed(f"No mailbox {options.mailbox} is connected.", "no_mailbox")
    logging.getLogger().setLevel(logging.INFO if options.verbose else logging.WARNING)
    summaries = asyncio.run(_run(options.mailbox or None, options.verbose, output))
    for summary in summaries:
        output.line(_sentence(summary))
    if not summaries:
        output.line("No mailbox is connected. Connect one with `postroom mailbox connect`.")
    failed = any("error" in summary or "trouble" in summary for summary in summaries)
    output.answer({"ok": not failed, "mailboxes": summaries})
    return 1 if failed else 0


async def _run(address: str | None, verbose: bool, output: Output) -> list[dict[str, Any]]:
    from postroom.ops.sync_once import run

    if not output.is_terminal:
        return await run(address, output.progress)
    async with _bars(address) as say:
        return await run(address, say if verbose else lambda line: None)


@asynccontextmanager
async def _bars(address: str | None) -> AsyncIterator[Callable[[str], None]]:
    """A bar a mailbox on the terminal, from the counts that the page writer commits. Gives what prints above them."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        drawing = asyncio.create_task(_redraw(progress, address))
        try:
            yield lambda line: progress.console.print(line, markup=False, highlight=False)
        finally:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing
            for name, done, listed in await asyncio.to_thread(_counts, address):
                _draw(progress, name, done, listed)


async def _redraw(progress: Any, address: str | None) -> None:
    while True:
        for name, done, listed in await asyncio.to_thread(_counts, address):
            _draw(progress, name, done, listed)
        await asyncio.sleep(REDRAWN_EVERY_SECONDS)


def _draw(progress: Any, name: str, done: int, listed: int) -> None:
    task = next((task.id for task in progress.tasks if task.description == name), None)
    if task is None:
        task = progress.add_task(name, total=None)
    progress.update(task, completed=done, total=listed or None)


def _counts(address: str | None) -> list[tuple[str, int, int]]:
    """(address, messages done, messages listed) of each mailbox, on the thread's own connection."""
    from django.db import connection

    from postroom.mailboxes.models import Mailbox

    found = Mailbox.objects.filter(disconnected_at=None).order_by("address")
    if address:
        found = found.filter(address__iexact=address)
    try:
        return list(found.values_list("address", "done_count", "listed_count"))
    finally:
        connection.close()


def _sentence(summary: dict[str, Any]) -> str:
    from postroom.providers import catalogue

    address = summary["address"]
    if code := summary.get("error") or summary.get("trouble"):
        entry = catalogue.explain(code)
        return f"{address}: {entry.what} {' '.join(entry.fix)}".rstrip()
    if summary.get("paused"):
        return f"{address}: paused."
    if summary.get("waiting"):
        return f"{address}: its import waits for a yes in Settings > Mailboxes."
    if summary.get("off"):
        return f"{address}: not read; it only sends, or its provider was not allowed to let it be read."
    if summary.get("skipped"):
        return f"{address}: a running worker keeps it up to date."
    counts = f"{summary.get('listed', 0)} listed, {summary.get('kept', 0)} kept, {summary.get('filed', 0)} filed"
    return f"{address}: up to date ({counts}, {summary.get('new', 0)} new)."
