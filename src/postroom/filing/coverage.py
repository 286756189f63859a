"""Why a history may be incomplete: which folders were read, from when to when, how far the import is, what is left out.

Everything is told of mailboxes that the member may read, and of no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from postroom.correspondence.models import Message, Sighting
from postroom.correspondence.sightings import address_hashes
from postroom.filing.access import visible_messages
from postroom.filing.models import Filing
from postroom.filing.refile import own_keys
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.completeness import Counts, FolderProof, proofs_by_mailbox
from postroom.mailboxes.folder_choice import is_gone, reason
from postroom.mailboxes.models import DirectionState, Folder, Mailbox
from postroom.providers import catalogue
from postroom.records.models import Contact, RecordType
from postroom.workspaces.members import Member

Rule = Literal[
    "interrupted",
    "paused",
    "off",
    "not_begun",
    "importing",
    "missing",
    "wanted",
    "not_kept",
    "own_address",
    "removed_by_hand",
    "folders",
    "before",
]
# What a person can do about it, as pages offer it.
Cure = Literal["reconnect", "resume", "wait", "restore", "folders", "extend", "details", ""]

MOST_REMOVED: Final = 20  # that are shown to be put back


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Mail that is not here, by one rule. `count` is None where nobody can know; `mailbox_id` where it is one's."""

    rule: Rule
    sentence: str
    count: int | None = None
    mailbox_id: UUID | None = None
    cure: Cure = ""


@dataclass(frozen=True, slots=True)
class MailboxCoverage:
    """What is read of a mailbox: from `since` until `last_synced_at`, in the folders of `proofs`.

    `folders_left_out` are (folder, the reason in a sentence).
    """

    mailbox: Mailbox
    since: date
    proofs: Sequence[FolderProof]
    folders_left_out: Sequence[tuple[Folder, str]]
    not_kept: int = 0
    wanted: int = 0

    @property
    def error(self) -> catalogue.Entry | None:
        return self.mailbox.error

    @property
    def counts(self) -> Counts:
        return sum((proof.counts for proof in self.proofs), start=Counts())

    @property
    def checked_at(self) -> datetime | None:
        """When the month that was counted longest ago was counted; None before all were."""
        times = [proof.checked_at for proof in self.proofs]
        known = [at for at in times if at is not None]
        return min(known) if known and len(known) == len(times) else None

    @property
    def state(self) -> Literal["complete", "importing", "interrupted", "off"]:
        if not self.mailbox.is_read:
            return "off"
        if self.mailbox.error_code or self.mailbox.needs_reconnect or self.mailbox.paused_at:
            return "interrupted"
        if self.mailbox.is_importing or self.counts.missing or self.wanted:
            return "importing"
        return "complete"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a history rests on, and what is not in it."""

    mailboxes: Sequence[MailboxCoverage]
    left_out: Sequence[LeftOut]

    @property
    def state(self) -> Literal["none", "complete", "importing", "interrupted"]:
        states = {one.state for one in self.mailboxes} - {"off"}
        if not states:
            return "none"
        return "interrupted" if "interrupted" in states else "importing" if "importing" in states else "complete"

    @property
    def since(self) -> date | None:
        """The day from which on every mailbox was read."""
        return max((one.since for one in self.mailboxes if one.state != "off"), default=None)


def coverage_of_contact(member: Member, contact: Contact) -> Coverage:
    """What the contact's history rests on. The contact must have been found for the member."""
    keys = set(contact.addresses.values_list("key", flat=True))
    covered = _cover(member, visible_mailboxes(member), keys)
    left_out = [
        *_of_contact(member, contact, keys),
        *(one for mailbox in covered for one in _of_mailbox(mailbox)),
        *_seen(covered, " with these addresses"),
    ]
    return Coverage(covered, left_out)


def coverage_of_mailbox(member: Member, mailbox: Mailbox) -> Coverage:
    """What of the mailbox is here. The mailbox must have been found for the member."""
    covered = _cover(member, [mailbox], None)
    left_out = [one for each in covered for one in _of_mailbox(each)]
    return Coverage(covered, [*left_out, *_seen(covered, "")])


def removed_by_hand(member: Member, contact: Contact) -> list[tuple[UUID, Message]]:
    """What was taken off the contact by hand and the member may see: (filing id, message), newest first."""
    removed = _removed(member, contact).order_by("-at")[:MOST_REMOVED]
    filing_ids = dict(removed.values_list("message_id", "pk"))
    messages = visible_messages(member).filter(pk__in=list(filing_ids)).order_by("-at")
    return [(filing_ids[message.pk], message) for message in messages]


def _removed(member: Member, contact: Contact) -> QuerySet[Filing]:
    filings = Filing.objects.filter(workspace_id=member.workspace_id, record_type=RecordType.CONTACT)
    return filings.filter(record_id=contact.pk).exclude(removed_by_id=None)


def since(mailbox: Mailbox) -> date:
    """The first day that is imported: `backfill_days` before the mailbox was connected."""
    return timezone.localtime(mailbox.created_at).date() - timedelta(days=mailbox.backfill_days)


def _cover(member: Member, mailboxes: Collection[Mailbox], keys: Collection[str] | None) -> list[MailboxCoverage]:
    """`keys`: count only what was seen of these addresses (None: everything that was seen)."""
    mailboxes = list(mailboxes)
    ids = [mailbox.pk for mailbox in mailboxes]
    sighted = Sighting.objects.filter(mailbox_id__in=ids)
    if keys is not None:
        hashes = [UUID(bytes=one) for one in address_hashes(member.workspace_id, sorted(keys))]
        sighted = sighted.filter(workspace_id=member.workspace_id, hashes__overlap=hashes) if hashes else sighted.none()
    counted = {
        mailbox_id: (count, wanted)
        for mailbox_id, count, wanted in sighted.values("mailbox_id")
        .annotate(count=Count("pk"), wanted=Count("pk", filter=Q(is_wanted=True)))
        .values_list("mailbox_id", "count", "wanted")
    }
    proofs, unread = proofs_by_mailbox(ids), _unread(ids)
    covered = []
    for mailbox in mailboxes:
        seen, wanted = counted.get(mailbox.pk, (0, 0))
        proved, left_out = proofs[mailbox.pk], unread[mailbox.pk]
        covered.append(MailboxCoverage(mailbox, since(mailbox), proved, left_out, seen - wanted, wanted))
    return covered


def _unread(mailbox_ids: Collection[UUID]) -> dict[UUID, list[tuple[Folder, str]]]:
    """Folders that are there and not read, each with the reason, by mailbox."""
    unread = defaultdict[UUID, list[tuple[Folder, str]]](list)
    for folder in Folder.objects.filter(mailbox__in=mailbox_ids, is_synced=False).order_by("name"):
        if not is_gone(folder):
            unread[folder.mailbox_id].append((folder, reason(folder)))
    return unread


def _of_contact(member: Member, contact: Contact, keys: Collection[str]) -> list[LeftOut]:
    found: list[LeftOut] = []
    for row in contact.addresses.filter(key__in=own_keys(member.workspace_id)):
        sentence = f"{row.address} is an address of your own workspace, so nothing is filed by it."
        found.append(LeftOut("own_address", sentence, cure="details"))
    count = visible_messages(member).filter(pk__in=_removed(member, contact).values("message_id")).count()
    if count:
        sentence = f"{_messages(count)} {_were(count)} taken off {contact.name} by hand, and no rule brings them back."
        found.append(LeftOut("removed_by_hand", sentence, count, cure="restore"))
    return found


def _of_mailbox(one: MailboxCoverage) -> list[LeftOut]:
    mailbox = one.mailbox
    found: list[LeftOut] = []

    def note(rule: Rule, sentence: str, cure: Cure, count: int | None = None) -> None:
        found.append(LeftOut(rule, sentence, count, mailbox.pk, cure))

    if mailbox.error:
        last = f" since {_at(mailbox.last_synced_at)}" if mailbox.last_synced_at else ""
        cure: Cure = "reconnect" if mailbox.needs_reconnect else "wait"
        note("interrupted", f"{mailbox.address} was not read{last}: {mailbox.error.title.rstrip('.')}.", cure)
    if mailbox.paused_at:
        note("paused", f"{mailbox.address} is paused since {_at(mailbox.paused_at)}.", "resume")
    if not mailbox.reads or mailbox.receiving_state == DirectionState.OFF:
        note("off", f"{mailbox.address} only sends; its mail is not read.", "")
        return found
    if mailbox.awaits_start:
        note("not_begun", f"{mailbox.address} waits for a yes; its mail is read from then on.", "resume")
        return found
    if mailbox.has_open_import and not mailbox.paused_at:
        done = f"{mailbox.done_count:,} of {mailbox.listed_count:,} listed messages"
        sentence = f"The import of {mailbox.address} is under way: {done} are read."
        note("importing", sentence, "wait", max(mailbox.listed_count - mailbox.done_count, 0))
    elif missing := one.counts.missing:
        asked = f"{_were(missing)} missing when the server was asked, and fetched next"
        sentence = f"{_messages(missing)} of {mailbox.address} {asked}."
        note("missing", sentence, "wait", missing)
    if one.folders_left_out:
        names = ", ".join(str(folder) for folder, _ in one.folders_left_out[:8])
        more = f" and {len(one.folders_left_out) - 8} more" if len(one.folders_left_out) > 8 else ""
        note("folders", f"Of {mailbox.address} these folders are not read: {names}{more}.", "folders")
    note("before", f"Of {mailbox.address} nothing from before {one.since:%-d %B %Y} is read.", "extend")
    return found


def _seen(covered: Sequence[MailboxCoverage], which: str) -> list[LeftOut]:
    found: list[LeftOut] = []
    for one in covered:
        address, mailbox_id = one.mailbox.address, one.mailbox.pk
        if one.wanted:
            wanted = "is wanted now, and being" if one.wanted == 1 else "are wanted now, and being"
            sentence = f"{_messages(one.wanted)}{which} in {address} {_were(one.wanted)} passed over, {wanted} fetched."
            found.append(LeftOut("wanted", sentence, one.wanted, mailbox_id, "wait"))
        if one.not_kept:
            sentence = (
                f"{_messages(one.not_kept)}{which} in {address} {_were(one.not_kept)} seen and not kept: no record has"
            )
            sentence += " an address on them. Add the address to a contact, and they are fetched."
            found.append(LeftOut("not_kept", sentence, one.not_kept, mailbox_id))
    return found


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _at(at: datetime) -> str:
    return f"{timezone.localtime(at):%-d %b %Y, %H:%M}"
