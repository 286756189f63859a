"""`postroom sync --once`: bring mailboxes up to date in this process, imports and counts included, and end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from postroom.engine.importer import Importer
from postroom.engine.joints import joints
from postroom.engine.journal import Facts, Kind
from postroom.engine.patience import reaction_to
from postroom.engine.proofs import NoProofs
from postroom.engine.round import Round, sign_in
from postroom.engine.store import Fenced, Saved, Store
from postroom.engine.stores import InlineStore
from postroom.engine.watch import MONTHS_AT_ONCE
from postroom.engine.world import World
from postroom.mailboxes.actions import Stage, stage_of
from postroom.mailboxes.completeness import MailboxProofs
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.journal import MailboxJournal, sentence
from postroom.mailboxes.models import ImportSlice, JournalEntry, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.providers.errors import AllowanceUsed, ProviderError
from postroom.workspaces.database import in_thread, now

_AT_REST: Final = (Stage.PAUSED, Stage.WAITING, Stage.OFF)

Report = Callable[[str], None]
Result = TypeVar("Result")


class SpokenJournal:
    """Says what is noted, and keeps it as well."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._kept = MailboxJournal()

    def note(self, mailbox_id: UUID, kind: Kind, facts: Facts) -> None:
        self._report(sentence(kind, facts))
        self._kept.note(mailbox_id, kind, facts)


async def run(address: str | None, report: Report, *, counts_months: bool = True) -> list[dict[str, Any]]:
    """Sync every connected mailbox, or the one with this address. Returns one summary a mailbox.

    Without `counts_months` what the count would find missing stays so: tests of sync itself want to see it.
    A mailbox that another worker runs is left to it and only waited for by name in the summary (`skipped`).
    """
    ownership = PostgresOwnership()
    store = joints().store()
    await in_thread(ownership.join)
    try:
        claimed = dict(await in_thread(ownership.claim, 10_000))
        mailboxes = await in_thread(_mailboxes, address)
        sync = partial(_sync, store, report, counts_months=counts_months)
        return [await sync(mailbox, claimed.get(mailbox.pk)) for mailbox in mailboxes]
    finally:
        store.close()
        await in_thread(ownership.leave)


def _mailboxes(address: str | None) -> list[Mailbox]:
    found = Mailbox.objects.filter(disconnected_at=None).order_by("address")
    return list(found.filter(address__iexact=address) if address else found)


async def _sync(
    store: Store, report: Report, mailbox: Mailbox, epoch: int | None, *, counts_months: bool
) -> dict[str, Any]:
    summary: dict[str, Any] = {"address": mailbox.address, "new": 0, "filed": 0}

    def say(line: str) -> None:
        report(f"{mailbox.address}: {line}")

    if epoch is None:
        return summary | {"skipped": True} | _elsewhere(mailbox)
    proofs = MailboxProofs() if counts_months else NoProofs()
    world = World(InlineStore(store), MailboxHealth(), journal=SpokenJournal(say), proofs=proofs)
    try:
        say("signing in")
        saved = await _patiently(lambda: _go_round(world, store, mailbox.pk), say)
        if await _import(world, store, mailbox, say) and counts_months:  # the count waits for the import
            saved += await _patiently(lambda: _go_round(world, store, mailbox.pk), say)
        await in_thread(world.health.synced, mailbox.pk, epoch)
    except ProviderError as error:
        reaction = reaction_to(error, mailbox.failures + 1, world.random())
        await in_thread(world.health.failed, mailbox.pk, epoch, error, reaction.seconds)
        told = {name: str(value) for name, value in error.facts.items()} | {"code": error.code}
        await in_thread(world.journal.note, mailbox.pk, Kind.FAILED, told)
        return summary | {"error": error.code}
    except Fenced:
        say("a worker has taken it over")
        return summary | {"skipped": True}
    await in_thread(mailbox.refresh_from_db)
    return summary | {
        "new": saved.new,
        "filed": mailbox.filed_count,
        "listed": mailbox.listed_count,
        "kept": mailbox.kept_count,
    }


def _elsewhere(mailbox: Mailbox) -> dict[str, Any]:
    """How a mailbox is that this process was not given: `trouble` is the code of its error."""
    stage = stage_of(mailbox)
    if stage in _AT_REST:
        return {stage.value: True}
    return {"trouble": mailbox.error_code} if mailbox.error_code else {}


async def _go_round(world: World, store: Store, mailbox_id: UUID) -> Saved:
    """Everything a session does before it waits, the night's comparison and the count of months where they are due."""
    provider, _, session = await sign_in(world, mailbox_id)
    try:
        round_ = Round(world, provider, session, store.load_mailbox(mailbox_id))
        await round_.list_folders()
        await round_.ask_for_new()
        saved = await round_.catch_up() + await round_.fetch_wanted()
        for folder in round_.due_for_sweep:
            saved += await round_.sweep(folder)
        await round_.list_identities()
        while not await round_.prove(MONTHS_AT_ONCE):
            pass  # there is more to count
        return saved
    finally:
        await session.close()


async def _patiently(work: Callable[[], Awaitable[Result]], say: Report) -> Result:
    """Do it, and again each time the provider's allowance is used up: what was stored is not read again."""
    while True:
        try:
            return await work()
        except AllowanceUsed as error:
            seconds = error.retry_after_seconds or 1.0
            say(f"going on in {math.ceil(seconds)} s: the provider allows only so much a minute")
            await asyncio.sleep(seconds)


async def _import(world: World, store: Store, mailbox: Mailbox, say: Report) -> bool:
    """Import what is planned; return whether anything was."""
    importer, started = Importer(store, MailboxHealth("import"), world.limiter), await in_thread(now)
    pieces = await in_thread(
        lambda: list(ImportSlice.objects.filter(mailbox=mailbox, is_done=False).order_by("position"))
    )
    try:
        for number, piece in enumerate(pieces, start=1):
            say(f"importing part {number} of {len(pieces)} ({len(piece.remote_ids)} messages)")
            await _patiently(partial(importer.run, piece.pk), say)
    finally:
        await importer.close()
    if pieces:
        noted = JournalEntry.objects.filter(mailbox=mailbox, kind=Kind.IMPORTED, at__gte=started)
        for entry in await in_thread(lambda: list(noted)):
            say(sentence(entry.kind, entry.facts))
    return bool(pieces)
