"""`postroom sync --once`: bring mailboxes up to date in this process, imports included, and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postroom.engine.driver import Driver
from postroom.engine.importer import Importer
from postroom.engine.joints import joints
from postroom.engine.store import Store
from postroom.engine.stores import InlineStore
from postroom.mailboxes.health import MailboxHealth
from postroom.mailboxes.models import ImportSlice, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.providers import registry
from postroom.providers.errors import ProviderError
from postroom.sync.catching_up import catch_up, fetch_wanted
from postroom.sync.importing import plan_import
from postroom.workspaces.database import in_thread

Report = Callable[[str], None]


async def run(address: str | None, report: Report) -> list[dict[str, Any]]:
    """Sync every connected mailbox, or the one with this address. Returns one summary a mailbox.

    A mailbox that another worker runs is left to it and only waited for by name in the summary (`skipped`).
    """
    ownership = PostgresOwnership()
    store = joints().store()
    await in_thread(ownership.join)
    try:
        claimed = dict(await in_thread(ownership.claim, 10_000))
        mailboxes = await in_thread(_mailboxes, address)
        return [await _sync(store, mailbox, claimed.get(mailbox.pk), report) for mailbox in mailboxes]
    finally:
        store.close()
        await in_thread(ownership.leave)


def _mailboxes(address: str | None) -> list[Mailbox]:
    found = Mailbox.objects.filter(disconnected_at=None).order_by("address")
    return list(found.filter(address__iexact=address) if address else found)


async def _sync(store: Store, mailbox: Mailbox, epoch: int | None, report: Report) -> dict[str, Any]:
    summary: dict[str, Any] = {"address": mailbox.address, "new": 0, "filed": 0}
    if epoch is None:
        report(f"{mailbox.address}: a running worker keeps it up to date")
        return summary | {"skipped": True}
    health = MailboxHealth()
    try:
        provider_name, credentials = await in_thread(health.credentials, mailbox.pk)
        report(f"{mailbox.address}: signing in")
        session = await registry.provider(provider_name).open(credentials)
    except ProviderError as error:
        await in_thread(health.failed, mailbox.pk, epoch, error)
        report(f"{mailbox.address}: {error.code}")
        return summary | {"error": error.code}
    try:
        driver = Driver(session, InlineStore(store), mailbox.pk, epoch)
        state = store.load_mailbox(mailbox.pk)
        await driver.run(plan_import(state.backfill_days, only_new_folders=state.is_planned))
        for folder in store.load_mailbox(mailbox.pk).folders:
            if folder.is_synced and folder.cursor:
                saved = await driver.run(catch_up(folder, mailbox.pk, epoch, state.backfill_days))
                report(f"{mailbox.address}: {folder.remote_name}: {saved.new} new, {saved.filed} filed")
                summary["new"] += saved.new
                summary["filed"] += saved.filed
        await driver.run(fetch_wanted(mailbox.pk, epoch))
        await _import(store, health, mailbox, report)
        await in_thread(health.synced, mailbox.pk, epoch)
    except ProviderError as error:
        await in_thread(health.failed, mailbox.pk, epoch, error)
        report(f"{mailbox.address}: {error.code}")
        return summary | {"error": error.code}
    finally:
        await session.close()
    await in_thread(mailbox.refresh_from_db)
    return summary | {"listed": mailbox.listed_count, "kept": mailbox.kept_count, "filed": mailbox.filed_count}


async def _import(store: Store, health: MailboxHealth, mailbox: Mailbox, report: Report) -> None:
    importer = Importer(store, health)
    pieces = await in_thread(
        lambda: list(ImportSlice.objects.filter(mailbox=mailbox, is_done=False).order_by("position"))
    )
    try:
        for number, piece in enumerate(pieces, start=1):
            report(f"{mailbox.address}: importing part {number} of {len(pieces)} ({len(piece.remote_ids)} messages)")
            await importer.run(piece.pk)
    finally:
        await importer.close()
