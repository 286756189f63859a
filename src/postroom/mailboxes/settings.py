"""What its owner, or for a shared one an administrator, may change of a connected mailbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import nh3
from django.db import transaction
from django.db.models import F

from postroom.mail.address import is_valid
from postroom.mailboxes.access import hold_manageable, sendable_mailboxes
from postroom.mailboxes.connect import announce_free_mailbox
from postroom.mailboxes.models import Identity, Kind, Mailbox, MailboxMember, mailbox_topic
from postroom.workspaces import audit, events
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, Workspace

SIGNATURE_TAGS: Final = frozenset(
    ("p", "br", "strong", "b", "em", "i", "ul", "ol", "li", "blockquote", "a")
)  # as written
LONGEST_SIGNATURE: Final = 20_000  # characters
_OF_MAILBOX: Final = ("display_name", "usage", "keep", "sharing", "reads", "sends")
_WORDS: Final = {
    "display_name": "name",
    "usage": "usage",
    "keep": "what is kept",
    "sharing": "what colleagues see",
    "reads": "whether it is read",
    "sends": "whether it sends",
    "reply_to": "reply address",
    "signature": "signature",
    "access": "who may use it",
}


class Unfit(Exception):
    """A change that cannot be; nothing was changed. `field` is one of Change's."""

    def __init__(self, field: str, words: str) -> None:
        self.field, self.words = field, words
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Access:
    """A member who may read a shared mailbox, and send through it as well or not."""

    user_id: UUID
    can_send: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed; None leaves it as it is.

    `access` is for shared mailboxes: () is everybody, else those named, besides the owner. `signature` is HTML and
    `reply_to` an address; "" is none.
    """

    display_name: str | None = None
    usage: str | None = None
    keep: str | None = None
    sharing: str | None = None
    reads: bool | None = None
    sends: bool | None = None
    reply_to: str | None = None
    signature: str | None = None
    access: tuple[Access, ...] | None = None


@transaction.atomic
def change(member: Member, mailbox: Mailbox, wanted: Change) -> list[str]:
    """Make the change; in words what is different now. `mailbox` is up to date afterwards.

    Raises Unfit and MailboxGone.
    """
    locked = hold_manageable(member, mailbox)
    _require_fit(locked, wanted)
    changed = _change_mailbox(locked, wanted)
    changed += _change_identity(locked, wanted)
    if wanted.access is not None and _change_access(locked, wanted.access):
        changed.append("access")
    if changed:
        audit.record(member, "mailbox.changed", f"{locked.address}: {', '.join(_WORDS[name] for name in changed)}")
        events.notify(mailbox_topic(locked.pk))
    mailbox.refresh_from_db()
    return [_WORDS[name] for name in changed]


def own_identity(mailbox: Mailbox) -> Identity:
    """The mailbox's own address as it sends; one that is not saved where there is none yet."""
    own = [one for one in mailbox.identities.all() if one.address.lower() == mailbox.address.lower()]
    return next(
        iter(sorted(own, key=lambda one: not one.is_default)),
        Identity(workspace_id=mailbox.workspace_id, mailbox=mailbox, address=mailbox.address, is_default=True),
    )


def colleagues(mailbox: Mailbox) -> list[Membership]:
    """Who may be named for a mailbox, or become its owner: the members of its workspace who have not left, by name."""
    members = Membership.objects.filter(workspace_id=mailbox.workspace_id, left_at=None, user__is_active=True)
    return list(members.select_related("user").order_by("user__name", "user__email"))


@transaction.atomic
def choose_default(member: Member, mailbox: Mailbox, *, for_workspace: bool | None, for_me: bool | None) -> None:
    """Say whether new messages start with this mailbox: everybody's where nothing else says, or the member's own.

    None leaves it as it is. Raises Unfit and MailboxGone.
    """
    mailbox = hold_manageable(member, mailbox)
    if for_workspace is not None and not member.can_administer:
        raise Unfit("default", "Owners and admins choose the workspace's default.")
    if for_me and not sendable_mailboxes(member).filter(pk=mailbox.pk).exists():
        raise Unfit("default", "You may not send from this mailbox.")
    if for_workspace:
        if mailbox.kind != Kind.SHARED:
            raise Unfit("default", "Only a shared mailbox can be the workspace's default.")
        if not mailbox.sends:
            raise Unfit("default", "This mailbox does not send, so nothing can leave from it.")
    if for_workspace is not None:
        _choose(Workspace.objects.filter(pk=member.workspace_id), mailbox.pk, for_workspace)
        audit.record(
            member, "workspace.default_chosen" if for_workspace else "workspace.default_ended", mailbox.address
        )
        member.workspace.refresh_from_db()
    if for_me is not None:
        _choose(Membership.objects.filter(pk=member.membership.pk), mailbox.pk, for_me)
        member.membership.refresh_from_db()
    events.notify(mailbox_topic(mailbox.pk))


def _choose(rows: Any, mailbox_id: UUID, is_chosen: bool) -> None:
    if is_chosen:
        rows.update(default_mailbox_id=mailbox_id)
    else:
        rows.filter(default_mailbox_id=mailbox_id).update(default_mailbox_id=None)


def _require_fit(mailbox: Mailbox, wanted: Change) -> None:
    reads = mailbox.reads if wanted.reads is None else wanted.reads
    sends = mailbox.sends if wanted.sends is None else wanted.sends
    if not (reads or sends):
        raise Unfit("reads", "A mailbox reads, sends, or both. To use it for neither, pause or disconnect it.")
    if wanted.reply_to and not is_valid(wanted.reply_to):
        raise Unfit("reply_to", "This is not a mail address.")
    if wanted.signature and len(wanted.signature) > LONGEST_SIGNATURE:
        raise Unfit("signature", f"Use at most {LONGEST_SIGNATURE} characters with their formatting.")
    if wanted.access is None:
        return
    if mailbox.kind != Kind.SHARED:
        raise Unfit("access", "A personal mailbox is its owner's alone.")
    if {one.user_id for one in wanted.access} - {one.user_id for one in colleagues(mailbox)}:
        raise Unfit("access", "Choose from the members of the workspace.")


def _change_mailbox(mailbox: Mailbox, wanted: Change) -> list[str]:
    changed = [
        name
        for name in _OF_MAILBOX
        if getattr(wanted, name) is not None and getattr(wanted, name) != getattr(mailbox, name)
    ]
    for name in changed:
        setattr(mailbox, name, getattr(wanted, name))
    if changed:
        mailbox.save(update_fields=changed)
    if "reads" in changed:
        (_begin_reading if mailbox.reads else _end_reading)(mailbox)
    return changed


def _end_reading(mailbox: Mailbox) -> None:
    """End its session and its import, wherever they run; what went wrong with reading is nobody's trouble any more."""
    Mailbox.objects.filter(pk=mailbox.pk).update(
        worker_id=None,
        epoch=F("epoch") + 1,
        error_code="",
        error_facts={},
        error_words="",
        needs_reconnect=False,
        failures=0,
        not_before=None,
        failing_since=None,
        owner_told_at=None,
    )


def _begin_reading(mailbox: Mailbox) -> None:
    """Go on from its cursors: what arrived meanwhile is fetched."""
    announce_free_mailbox()


def _change_identity(mailbox: Mailbox, wanted: Change) -> list[str]:
    own = own_identity(mailbox)
    is_new = own._state.adding
    asked: dict[str, tuple[str | None, Callable[[str], str]]] = {
        "name": (wanted.display_name, str),
        "reply_to": (wanted.reply_to, str),
        "signature": (wanted.signature, clean_signature),
    }
    values = {name: clean(value) for name, (value, clean) in asked.items() if value is not None}
    changed = [name for name, value in values.items() if getattr(own, name) != value]
    for name in changed:
        setattr(own, name, values[name])
    if changed and (not is_new or any(values[name] for name in changed)):
        own.save()
    return [name for name in changed if name != "name"]  # the mailbox's own column says that already


def clean_signature(html: str) -> str:
    """What the editor can write, and nothing else of the HTML; "" where it shows nothing."""
    clean = nh3.clean(
        html.replace("\0", ""),
        tags=set(SIGNATURE_TAGS),
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto", "tel"},
    )
    return clean.strip() if nh3.clean(clean, tags=set()).strip() else ""


def _change_access(mailbox: Mailbox, access: Sequence[Access]) -> bool:
    """Replace the rows; whether they differ. The owner is among the named, so that an administrator sees him there."""
    named = {one.user_id: one.can_send for one in access}
    if named:
        named[mailbox.owner_id] = True
    if dict(_rows(mailbox).values_list("user_id", "can_send")) == named:
        return False
    _rows(mailbox).delete()
    MailboxMember.objects.bulk_create(_members(mailbox, named.items()))
    return True


def _rows(mailbox: Mailbox) -> Any:
    return MailboxMember.objects.filter(mailbox=mailbox)


def _members(mailbox: Mailbox, named: Iterable[tuple[UUID, bool]]) -> list[MailboxMember]:
    return [MailboxMember(mailbox=mailbox, user_id=user_id, can_send=can_send) for user_id, can_send in named]
