"""Connecting a mailbox: check everything first, save only what passed; and taking it away again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from postroom.engine import journal
from postroom.engine.joints import joints
from postroom.mail.address import address_key
from postroom.mailboxes import same_account, user_names
from postroom.mailboxes.access import MailboxGone as MailboxGone
from postroom.mailboxes.access import hold_manageable, readable_mailboxes
from postroom.mailboxes.actions import Action, require
from postroom.mailboxes.credentials import Granted, store_credentials
from postroom.mailboxes.journal import note_of
from postroom.mailboxes.models import (
    DirectionState,
    Grant,
    Identity,
    ImportSlice,
    Keep,
    Kind,
    Mailbox,
    Sharing,
    Usage,
    mailbox_topic,
)
from postroom.mailboxes.revocation import revoke_later
from postroom.mailboxes.troubles import SENDING_WELL
from postroom.mailboxes.waking import sync_now
from postroom.mailboxes.watches import stop_later
from postroom.providers import registry
from postroom.providers.base import CheckStep, Credentials, Tokens
from postroom.workspaces import approval, audit, events
from postroom.workspaces.database import lock_workspace, orm_connection
from postroom.workspaces.members import Member

MAX_BACKFILL_DAYS = 365


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What somebody typed to connect a mailbox, already cleaned. `secrets` is the provider's own shape."""

    provider: str
    address: str
    kind: str
    display_name: str = ""
    usage: str = Usage.GENERAL
    keep: str = ""  # "" takes the usual of the kind
    sharing: str = ""
    backfill_days: int = 30
    sign_in_user: str = ""  # who signs in, where that is not the address: one login may open several mailboxes
    secrets: dict[str, Any] = field(default_factory=dict, repr=False)
    granted: Granted | None = None  # of a mailbox by OAuth, with the tokens it is checked with
    tokens: Tokens | None = field(default=None, repr=False, compare=False)
    off: frozenset[str] = frozenset()  # "receiving" or "sending", where its permission was not given
    awaits_start: bool = False  # shows first what would come (filing/dry_run.py); the import begins after a yes

    @property
    def credentials(self) -> Credentials:
        return Credentials(
            address=self.address,
            secrets=self.secrets,
            tokens=self.tokens,
            sign_in_user=self.sign_in_user,
            other_usernames=() if self.tokens else user_names.forms_besides(self.address, self.secrets),
            is_shared=self.kind == Kind.SHARED,
        )

    def settled(self, steps: Sequence[CheckStep]) -> ConnectRequest:
        """The same with the user names that the check found to work."""
        return replace(self, secrets=user_names.settled(self.secrets, steps))

    @property
    def asked_at(self) -> str:
        """The provider that the policy knows it by: whose sign-in page or server form it was."""
        return self.granted.app if self.granted else self.provider

    @property
    def directions(self) -> dict[str, DirectionState]:
        """The states of the three directions when the check has passed."""
        states = {"sign_in_state": DirectionState.OK}
        for one in ("receiving", "sending"):
            states[f"{one}_state"] = DirectionState.OFF if one in self.off else DirectionState.OK
        return states


class CheckFailed(Exception):
    """The mailbox was not saved: a step of its check failed."""

    def __init__(self, steps: list[CheckStep]) -> None:
        self.steps = steps
        super().__init__(next((step.code for step in steps if not step.ok), ""))


class AlreadyConnected(Exception):
    """The workspace has a mailbox with this address already."""


def check(request: ConnectRequest) -> AsyncIterator[CheckStep]:
    """Try the servers step by step. Nothing is stored."""
    return registry.provider(request.provider).check(request.credentials)


async def check_all(request: ConnectRequest) -> list[CheckStep]:
    return [step async for step in check(request)]


@transaction.atomic
def store_mailbox(member: Member, request: ConnectRequest) -> Mailbox:
    """Save a mailbox whose check has passed; the worker takes it up at once. Raises as `require_open`."""
    lock_workspace(orm_connection(), member.workspace_id)  # of two clicks the second finds the address connected
    require_open(member, request)
    approval.use(member, request.asked_at, request.address, request.kind)
    is_personal = request.kind == Kind.PERSONAL
    mailbox = _find_disconnected(member, request) or Mailbox(
        workspace=member.workspace, owner=member.user, address=request.address, kind=request.kind
    )
    mailbox.provider = request.provider
    mailbox.display_name = request.display_name
    mailbox.usage = request.usage
    mailbox.keep = request.keep or (Keep.RECORDS if is_personal else Keep.EVERYTHING)
    mailbox.sharing = request.sharing or (Sharing.NOTHING if is_personal else Sharing.EVERYTHING)
    mailbox.backfill_days = request.backfill_days
    mailbox.awaits_start = request.awaits_start and "receiving" not in request.off
    for name, state in request.directions.items():
        setattr(mailbox, name, state)
    mailbox.reads = mailbox.sends = True  # what was chosen before it was disconnected is over
    mailbox.failures, mailbox.not_before, mailbox.failing_since, mailbox.owner_told_at = 0, None, None, None
    mailbox.import_started_at = timezone.now()
    mailbox.done_before, mailbox.octets_before = mailbox.done_count, mailbox.done_octets
    mailbox.paused_at = mailbox.import_planned_at = mailbox.import_finished_at = mailbox.disconnected_at = None
    mailbox.identities_listed_at = None
    mailbox.save()
    Identity.objects.filter(mailbox=mailbox, is_listed=True).delete()  # of an earlier time, and maybe another provider
    Identity.objects.update_or_create(
        mailbox=mailbox,
        address=request.address,
        defaults={"workspace": member.workspace, "name": request.display_name, "is_default": True},
    )
    store_credentials(mailbox, request.secrets, sign_in_user=request.sign_in_user, granted=request.granted)
    audit.record(member, "mailbox.connected", request.address)
    announce_free_mailbox()
    return mailbox


async def connect(member: Member, request: ConnectRequest) -> Mailbox:
    """Check, then save. Raises AlreadyConnected, approval.NotApproved or CheckFailed with all steps."""
    await sync_to_async(require_open)(member, request)
    steps = await check_all(request)
    if not steps or not all(step.ok for step in steps):
        raise CheckFailed(steps)
    return await sync_to_async(store_mailbox)(member, request.settled(steps))


def reconnect(member: Member, mailbox: Mailbox, request: ConnectRequest, *, has_moved: bool = False) -> None:
    """Give a connected mailbox servers and secrets whose check has passed: the same row, history and cursors.

    `has_moved`: somebody has said that its messages were copied to another server (same_account.OtherServer). Raises
    same_account.OtherAccount, ProviderError where it could not be looked whether it is another one, and
    MailboxGone; nothing is changed then. May ask the mailbox's server, so it is not called inside a transaction.
    """
    same_account.require_same_account(mailbox, request.credentials, request.granted, has_moved=has_moved)
    _open_anew(member, mailbox, request)


@transaction.atomic
def _open_anew(member: Member, mailbox: Mailbox, request: ConnectRequest) -> None:
    """Store what opens it, and have a worker begin a session with it at once: the old one may be on another server.

    One that may not be received any more is left alone. Queued mail that waited is sent by outbox/rescue.py.
    Raises MailboxGone: while the check ran its owner may have changed, and the new one does not want a server of the
    old one's choice behind it.
    """
    hold_manageable(member, mailbox)
    store_credentials(mailbox, request.secrets, sign_in_user=request.sign_in_user, granted=request.granted)
    Mailbox.objects.filter(pk=mailbox.pk).update(
        needs_reconnect=False,
        error_code="",
        error_facts={},
        error_words="",
        failures=0,
        failing_since=None,
        owner_told_at=None,
        worker_id=None,
        epoch=F("epoch") + 1,
        **SENDING_WELL,
        **request.directions,
    )
    announce_free_mailbox()
    audit.record(member, "mailbox.reconnected", mailbox.address)
    note_of(member, mailbox, journal.Kind.RECONNECTED, {})
    sync_now(mailbox)
    events.notify(mailbox_topic(mailbox.pk))


def require_open(member: Member, request: ConnectRequest) -> None:
    """Raises AlreadyConnected, and approval.NotApproved where the workspace does not let this member connect it."""
    if is_connected(member, request.address):
        raise AlreadyConnected(request.address)
    require_approval(member, request)


def require_approval(member: Member, request: ConnectRequest) -> None:
    """Raises approval.NotApproved where the workspace does not let this member connect it."""
    verdict = approval.may_connect(member, request.asked_at, request.address, request.kind)
    if not verdict.allowed:
        raise approval.NotApproved(verdict)


def is_connected(member: Member, address: str) -> bool:
    connected = Mailbox.objects.filter(workspace=member.workspace, disconnected_at=None)
    return find_of_address(connected, address) is not None


def find_of_address(mailboxes: QuerySet[Mailbox], address: str) -> Mailbox | None:
    """PostgreSQL's capital of "ı" is "I": what it takes for one address may lie in two domains."""
    found = mailboxes.filter(address__iexact=address)
    return next((one for one in found if address_key(one.address) == address_key(address)), None)


def _find_disconnected(member: Member, request: ConnectRequest) -> Mailbox | None:
    """A mailbox that was disconnected and kept its history, if this member may take it up again."""
    kept = readable_mailboxes(member).filter(kind=request.kind).exclude(disconnected_at=None)
    kept = kept.filter(owner=member.user) if request.kind == Kind.PERSONAL else kept
    found = find_of_address(kept, request.address)
    if found is not None and not found.owner.memberships.filter(workspace=member.workspace, left_at=None).exists():
        found.owner = member.user  # whose it was has left
    return found


@transaction.atomic
def extend_backfill(member: Member, mailbox: Mailbox, days: int) -> None:
    """Import further back. What is known already is not fetched again: the next plan leaves it out.

    Raises NotNow and MailboxGone.
    """
    if not 1 <= days <= MAX_BACKFILL_DAYS:
        raise ValueError(f"backfill days lie between 1 and {MAX_BACKFILL_DAYS}")
    require(hold_manageable(member, mailbox), Action.BACKFILL)
    Mailbox.objects.filter(pk=mailbox.pk).update(
        backfill_days=max(days, mailbox.backfill_days),
        import_planned_at=None,
        import_finished_at=None,
        import_started_at=timezone.now(),
        done_before=F("done_count"),
        octets_before=F("done_octets"),
        epoch=F("epoch") + 1,
        worker_id=None,
    )
    announce_free_mailbox()
    note_of(member, mailbox, journal.Kind.EXTENDED, {"days": days})
    audit.record(member, "mailbox.extended", f"{mailbox.address}: {days} days")
    events.notify(mailbox_topic(mailbox.pk))


def announce_free_mailbox() -> None:
    """Workers claim mailboxes without an owner at once instead of at their next beat."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('mailbox_free', '')")


@transaction.atomic
def disconnect(member: Member, mailbox: Mailbox, *, keep_history: bool) -> None:
    """Take a mailbox away that is the member's to change. Raises MailboxGone."""
    hold_manageable(member, mailbox)
    take_away(member, mailbox, keep_history=keep_history)


@transaction.atomic
def take_away(member: Member, mailbox: Mailbox, *, keep_history: bool) -> None:
    """Take the mailbox away, whosever it is: its grant, cursors and slices go, mail on records stays with
    `keep_history` only.

    With history the row stays, marked, because it still says who may read that mail; connecting the address again
    takes it up. Queued mail of a mailbox that is gone is cancelled.
    """
    lock_workspace(orm_connection(), mailbox.workspace_id)
    audit.record(member, "mailbox.disconnected" if keep_history else "mailbox.removed", mailbox.address)
    mailbox_id = mailbox.pk
    stop_later(mailbox)
    revoke_later(mailbox)
    Grant.objects.filter(mailbox=mailbox).delete()
    ImportSlice.objects.filter(mailbox=mailbox).delete()
    Mailbox.objects.filter(pk=mailbox_id).update(
        disconnected_at=timezone.now(), worker_id=None, epoch=F("epoch") + 1, error_code="", needs_reconnect=False
    )
    joints().forget_mailbox(mailbox_id, keep_history)
    events.wake(mailbox_id)
    events.notify(mailbox_topic(mailbox_id))
