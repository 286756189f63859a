"""Watches: providers are asked to call us when mail arrives, the promise is renewed, and a call wakes the session.

Only where they can reach us (settings.PUSH_URL). A call is a hint: polls go on without it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import DirectionState, Grant, Mailbox, PushWatch
from postroom.mailboxes.oauth_apps import find_app
from postroom.mailboxes.sealing import Unsealable
from postroom.providers import registry
from postroom.providers.base import Credentials
from postroom.providers.errors import ProviderError
from postroom.providers.push import Event, Notice, Push, Watched, WatchOrder
from postroom.workspaces import events
from postroom.workspaces.database import in_thread

log = logging.getLogger(__name__)

AT_ONCE: Final = 25  # watches that one round keeps, and mailboxes that it begins with
CLAIM: Final = timedelta(minutes=5)  # for which nobody else tries the same watch
AGAIN: Final = timedelta(hours=1)  # after a refusal
_threads = ThreadPoolExecutor(2, thread_name_prefix="watches")
WAKING: Final[frozenset[Event]] = frozenset({"changed", "missed", "removed"})


@dataclass(frozen=True, slots=True)
class _Task:
    """One watch that is due, with all that is needed to ask for it."""

    watch_id: UUID
    provider: str
    remote_id: str  # "" where there is none yet
    order: WatchOrder
    credentials: Credentials = field(repr=False)


def push_address(provider: str) -> str:
    """Where that provider calls us, "" where it cannot."""
    return f"{settings.PUSH_URL}/push/{provider}/" if settings.PUSH_URL else ""


async def keep_watches() -> None:
    """Begin watches of mailboxes that have none, and renew those that are due."""
    if not settings.PUSH_URL:
        return
    await in_thread(_plan)
    for task in await in_thread(_claim_due):
        await _keep(task)


def stop_later(mailbox: Mailbox) -> None:
    """Ask the provider to call no more once this transaction, in which the mailbox leaves us, is committed.

    As well as it goes: what is not heard there ends by itself, and nobody is woken by calls about it.
    """
    push = _pushes().get(mailbox.provider)
    rows = PushWatch.objects.filter(mailbox=mailbox)
    remote_ids = [remote_id for remote_id in rows.values_list("remote_id", flat=True) if remote_id]
    rows.delete()
    # Two workspaces may have the same address by the same registration: then it is one watch at the provider.
    shared = PushWatch.objects.filter(provider=mailbox.provider, remote_id__in=remote_ids)
    remote_ids = sorted({*remote_ids}.difference(shared.values_list("remote_id", flat=True)))
    if push is None or not remote_ids:
        return
    try:
        credentials = load_credentials(mailbox)
    except (Grant.DoesNotExist, Unsealable):
        return
    transaction.on_commit(lambda: _threads.submit(_stop, push, credentials, remote_ids))


def hear(provider: str, notice: Notice) -> int:
    """Do what a call asks for, if it may; say how many watches it was believed for.

    A mailbox that is paused, or that its provider asked to wait, is not woken: it will look when its time comes.
    """
    if not notice.remote_id.isprintable():  # the database takes neither NUL nor half a character, and no watch has them
        return 0
    rows = PushWatch.objects.filter(provider=provider, remote_id=notice.remote_id).exclude(remote_id="")
    believed = [row for row in rows.select_related("mailbox") if _is_believed(row, notice)]
    now = timezone.now()
    for row in believed:
        changed: dict[str, object] = {"called_at": now}
        if notice.event == "removed":
            changed |= {"remote_id": "", "expires_at": now, "due_at": now}
        elif notice.event == "renew":
            changed |= {"due_at": now}
        PushWatch.objects.filter(pk=row.pk).update(**changed)
        if notice.event in WAKING and _may_look(row.mailbox, now):
            events.tell_arrived(row.mailbox_id)
    return len(believed)


def living_watches(now: datetime) -> QuerySet[PushWatch]:
    """The watches whose promise holds."""
    return PushWatch.objects.filter(expires_at__gt=now, mailbox__disconnected_at=None).exclude(remote_id="")


def _is_believed(row: PushWatch, notice: Notice) -> bool:
    return notice.is_proven or hmac.compare_digest(_digest(notice.secret), row.secret_digest)


def _may_look(mailbox: Mailbox, now: datetime) -> bool:
    is_ours = mailbox.disconnected_at is None and mailbox.paused_at is None and not mailbox.needs_reconnect
    is_ours = is_ours and mailbox.reads and mailbox.receiving_state != DirectionState.OFF
    return is_ours and not mailbox.is_resting(now)


def _plan() -> None:
    """Rows for mailboxes that can be watched and are not."""
    pushes = _pushes()
    grants = Grant.objects.filter(mailbox__provider__in=pushes, mailbox__watches=None).exclude(app="")
    living = grants.exclude(mailbox__receiving_state=DirectionState.OFF).filter(
        mailbox__disconnected_at=None,
        mailbox__paused_at=None,
        mailbox__reads=True,
        mailbox__needs_reconnect=False,
        mailbox__import_planned_at__isnull=False,
    )
    topics: dict[tuple[UUID, str], str] = {}
    planned = 0
    for grant in living.select_related("mailbox").defer("sealed").order_by("mailbox_id").iterator():
        mailbox = grant.mailbox
        app = (mailbox.workspace_id, grant.app)
        if app not in topics:
            topics[app] = _topic(*app)
        resources = pushes[mailbox.provider].resources(mailbox.address, grant.sign_in_user, topics[app])
        PushWatch.objects.bulk_create((_planned(mailbox, resource) for resource in resources), ignore_conflicts=True)
        planned += bool(resources)
        if planned == AT_ONCE:
            return


def _planned(mailbox: Mailbox, resource: str) -> PushWatch:
    return PushWatch(
        workspace_id=mailbox.workspace_id,
        mailbox=mailbox,
        provider=mailbox.provider,
        resource=resource,
        expires_at=timezone.now(),
    )


def _claim_due() -> list[_Task]:
    """The watches that are due now; nobody else takes them for a while. Those that cannot be used any more go."""
    PushWatch.objects.exclude(mailbox__disconnected_at=None).delete()
    now, pushes = timezone.now(), _pushes()
    due = PushWatch.objects.exclude(mailbox__receiving_state=DirectionState.OFF).filter(
        Q(mailbox__not_before=None) | Q(mailbox__not_before__lte=now),
        due_at__lte=now,
        provider__in=pushes,
        mailbox__paused_at=None,
        mailbox__reads=True,
        mailbox__needs_reconnect=False,
    )
    tasks = []
    for row in due.select_related("mailbox").order_by("due_at")[:AT_ONCE]:
        if not PushWatch.objects.filter(pk=row.pk, due_at=row.due_at).update(due_at=now + CLAIM):
            continue
        try:
            credentials = load_credentials(row.mailbox)
            topic = _topic(row.workspace_id, row.mailbox.grant.app)
        except (Grant.DoesNotExist, Unsealable):
            continue
        if row.resource not in pushes[row.provider].resources(credentials.address, credentials.sign_in_user, topic):
            row.delete()  # the operator has named another topic: the next round begins with that
            continue
        order = WatchOrder(row.resource, push_address(row.provider), secrets.token_urlsafe(32))
        remote_id = row.remote_id if row.expires_at > now else ""
        tasks.append(_Task(row.pk, row.provider, remote_id, order, credentials))
    return tasks


async def _keep(task: _Task) -> None:
    push = _pushes()[task.provider]
    secret = ""
    try:
        watched = await push.renew(task.credentials, task.remote_id, task.order) if task.remote_id else None
        if watched is None:
            secret = task.order.secret
            watched = await push.watch(task.credentials, task.order)
    except ProviderError as error:
        log.info("mailbox %s is not watched: %s", task.credentials.address, error.code)
        await in_thread(_note_refusal, task.watch_id, error)
        return
    await in_thread(_note_watched, task.watch_id, watched, secret)


def _note_watched(watch_id: UUID, watched: Watched, secret: str) -> None:
    changed: dict[str, object] = {
        "remote_id": watched.remote_id,
        "expires_at": watched.expires_at,
        "due_at": watched.renew_at,
        "error_code": "",
    }
    if secret:
        changed["secret_digest"] = _digest(secret)
    PushWatch.objects.filter(pk=watch_id).update(**changed)


def _note_refusal(watch_id: UUID, error: ProviderError) -> None:
    pause = max(AGAIN, timedelta(seconds=error.retry_after_seconds or 0))
    PushWatch.objects.filter(pk=watch_id).update(error_code=error.code, due_at=timezone.now() + pause)


def _stop(push: Push, credentials: Credentials, remote_ids: Sequence[str]) -> None:
    try:
        asyncio.run(_unwatch(push, credentials, remote_ids))
    except ProviderError as error:
        log.info("a watch ends by itself only: %s", error.code)


async def _unwatch(push: Push, credentials: Credentials, remote_ids: Sequence[str]) -> None:
    for remote_id in remote_ids:
        await push.unwatch(credentials, remote_id)


def _pushes() -> Mapping[str, Push]:
    return {name: one.push for name, one in registry.PROVIDERS.items() if one.push is not None}


def _topic(workspace_id: UUID, provider: str) -> str:
    try:
        app = find_app(workspace_id, provider)
    except Unsealable:  # its sessions say so
        return ""
    return app.push_topic if app is not None else ""


def _digest(secret: str) -> str:
    return sha256(secret.encode(errors="replace")).hexdigest()
