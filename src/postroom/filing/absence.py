"""Why a message is not on a contact: a path of looks, and the answer is where it stops.

Asked is for an address, a subject or a Message-ID. Only what the member may see is looked at, so a message in a
mailbox that is closed to him is answered like one that never came.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from postroom.correspondence.models import Message, Participant, Placement, Sighting
from postroom.correspondence.sightings import address_hashes, reference_hashes
from postroom.filing.access import LEVELS, known_participants, visible_messages
from postroom.filing.coverage import Coverage, coverage_of_contact
from postroom.filing.models import Filing, Reason
from postroom.filing.refile import own_keys
from postroom.mail.address import address_key, is_valid
from postroom.mail.mime.identity import reference_key
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.models import Folder, Mailbox
from postroom.records.models import Contact, ContactAddress, RecordType
from postroom.sync.completeness import next_month
from postroom.workspaces.members import Member

Code = Literal[
    "here",
    "not_seen",
    "interrupted",
    "importing",
    "before_window",
    "not_kept",
    "being_fetched",
    "own_address",
    "address_differs",
    "other_contact",
    "removed_by_hand",
]
State = Literal["passed", "stopped", "not_reached"]
MOST_FOUND: Final = 20
LONGEST_QUERY: Final = 1_000  # characters; a Message-ID has 998 at most (RFC 5322 section 2.1.1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: `text` is an address, a Message-ID or words of a subject; `month` narrows it down."""

    text: str
    month: date | None = None

    @property
    def internet_message_id(self) -> str:
        """The text as a Message-ID; "" where it is none."""
        text = self.text.strip()
        if text.startswith("<") and text.endswith(">") and "@" in text:
            return text
        return f"<{text}>" if "@" in text and " " not in text else ""

    @property
    def address(self) -> str:
        """The text as an address; "" where it is none."""
        text = self.text.strip()
        return text if is_valid(text) else ""

    @property
    def looked_for(self) -> str:
        """How the text is looked for, in a sentence."""
        if self.address:
            return "Looked for as an address, of whoever wrote it or got it, and as a Message-ID."
        if self.internet_message_id:
            return "Looked for as a Message-ID, exactly as it is written."
        return "Looked for as a part of the subject: these words in this order, in capitals or not."


@dataclass(frozen=True, slots=True)
class Look:
    """One look on the path. `seconds` is what it took, None where nothing had to be asked."""

    name: str
    title: str
    state: State
    detail: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """The answer: `code` for programs, `title` and `detail` for people, how it was found.

    `address` is the one that would have to be added, `filing_id` the removed filing that can be put back, `contact` the
    other contact that has the address. `messages` are those that were found, masked, newest first.
    """

    code: Code
    title: str
    detail: str
    looks: Sequence[Look]
    messages: Sequence[Message] = ()
    address: str = ""
    filing_id: UUID | None = None
    contact: Contact | None = None


@dataclass(slots=True)
class _Path:
    """The looks so far."""

    looks: list[Look] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)

    def add(self, name: str, state: State, title: str, detail: str, *, took: bool = False) -> None:
        now = time.perf_counter()
        self.looks.append(Look(name, title, state, detail, now - self._began if took else None))
        self._began = now


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is of what was asked for: messages, and what was seen and not kept (mailbox, time, whether wanted)."""

    messages: Sequence[Message]
    sighted: Sequence[tuple[UUID, datetime, bool]]
    address: str = ""  # the text was taken for this address

    @property
    def ids(self) -> list[UUID]:
        return [message.pk for message in self.messages]


def why_not_here(member: Member, contact: Contact, asked: Asked) -> Absence:
    """Why what is asked for is not on the contact, which must have been found for the member."""
    path = _Path()
    mailboxes = {mailbox.pk: mailbox for mailbox in visible_mailboxes(member)}
    found = _find(member, mailboxes, asked)
    if not (found.messages or found.sighted):
        return _not_seen(path, asked, coverage_of_contact(member, contact))
    _note_found(path, found, mailboxes)
    if not found.messages:
        return _not_kept(path, found, mailboxes, contact)
    path.add("kept", "passed", "No rule leaves it out", "It is stored: neither passed over nor private.")
    return _filed(path, member, contact, found)


def _find(member: Member, mailboxes: Collection[UUID], asked: Asked) -> _Found:
    """By Message-ID first, then as an address, then by the subject."""
    visible = visible_messages(member)
    sightings = Sighting.objects.filter(workspace_id=member.workspace_id, mailbox_id__in=list(mailboxes))
    if asked.month:
        span = {"at__gte": midnight(asked.month), "at__lt": midnight(next_month(asked.month))}
        visible, sightings = visible.filter(**span), sightings.filter(**span)
    visible = visible.order_by("-at", "-pk")
    if name := asked.internet_message_id:
        ref = reference_key(name)
        messages = list(visible.filter(ref=ref, internet_message_id=name)[:MOST_FOUND])
        seen = _sighted(sightings, reference_hashes(member.workspace_id, [ref]))
        if messages or seen or not asked.address:
            return _Found(messages, seen)
    if asked.address:
        key = address_key(asked.address)
        on = known_participants(member).filter(key=key)
        messages = list(visible.filter(pk__in=on.values("message_id"))[:MOST_FOUND])
        spelling = on.filter(message_id__in=[message.pk for message in messages]).values_list("address", flat=True)
        seen = _sighted(sightings, address_hashes(member.workspace_id, [key]))
        return _Found(messages, seen, spelling.first() or asked.address)
    # A subject that its owner does not share must not be guessed by asking for it.
    shown = visible.filter(Q(("shared__in", LEVELS[:2])), subject__icontains=asked.text.strip())
    return _Found(list(shown[:MOST_FOUND]), [])


def _sighted(sightings: QuerySet[Sighting], hashes: Sequence[bytes]) -> list[tuple[UUID, datetime, bool]]:
    found = sightings.filter(hashes__overlap=[UUID(bytes=one) for one in hashes])
    return list(found.order_by("-at").values_list("mailbox_id", "at", "is_wanted")[:MOST_FOUND])


def midnight(day: date) -> datetime:
    """When the day begins in the viewer's zone."""
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001  the viewer's zone


# The first look, when there is nothing


def _not_seen(path: _Path, asked: Asked, coverage: Coverage) -> Absence:
    """Nothing like it is known: what may be the cause, the likeliest first."""
    addresses = ", ".join(one.mailbox.address for one in coverage.mailboxes)
    count = len(coverage.mailboxes)
    nothing = f"Nothing like it in {addresses}." if count else "No mailbox is connected that you may read."
    path.add("in_mailbox", "stopped", "It is in a connected mailbox", nothing, took=True)
    early = [one for one in coverage.mailboxes if asked.month and next_month(asked.month) <= one.since]
    told = {one.rule: one.sentence for one in reversed(coverage.left_out)}
    code: Code
    if early and len(early) == count:
        code, title = "before_window", "Because it is older than what was imported"
        detail = f"{early[0].mailbox.address} begins on {early[0].since:%-d %B %Y}. Import more of it, and it comes."
    elif any(one.mailbox.error for one in coverage.mailboxes):
        code, title = "interrupted", "It may not have been read yet: a mailbox is in trouble"
        detail = told["interrupted"]
    elif "importing" in told or "missing" in told:
        code, title = "importing", "It may still be on its way"
        detail = told.get("importing") or told["missing"]
    else:
        code, title = "not_seen", "Because no mailbox that you may read has it"
        detail = told.get("folders", "Every folder of your mailboxes is read.")
        detail += " Where else it is, or whether it never arrived, the servers know: have all their folders searched."
    _not_reached(path, "folder_read")
    return Absence(code, title, detail, path.looks)


_LATER: Final = {
    "folder_read": "Its folder is read",
    "in_window": "It lies in the time we import",
    "kept": "No rule leaves it out",
    "address": "One of its addresses is the contact's",
    "thread": "Its thread is filed on the contact",
    "by_hand": "Nobody removed it by hand",
}


def _not_reached(path: _Path, first: str) -> None:
    names = list(_LATER)
    for name in names[names.index(first) :]:
        path.add(name, "not_reached", _LATER[name], "")


# The looks that pass once something was found


def _note_found(path: _Path, found: _Found, mailboxes: dict[UUID, Mailbox]) -> None:
    placed = Placement.objects.filter(message_id__in=found.ids, mailbox_id__in=list(mailboxes), removed_at=None)
    places = set(placed.values_list("mailbox_id", "folder_id"))
    folders = Folder.objects.in_bulk([folder_id for _, folder_id in places])
    names = sorted({f"{mailboxes[mailbox_id].address}, {folders[folder_id]}" for mailbox_id, folder_id in places})
    if found.messages:
        where = f" in {'; '.join(names)}" if names else ", which left its folder at the server since"
        what = f"Found {_count(len(found.messages))}{where}."
    else:
        names = sorted({mailboxes[mailbox_id].address for mailbox_id, _, _ in found.sighted})
        what = f"{_count(len(found.sighted))} of it were seen in {', '.join(names)}."
    path.add("in_mailbox", "passed", "It is in a connected mailbox", what, took=True)
    unread = sorted({str(folder) for folder in folders.values() if not folder.is_synced})
    is_read = f"{', '.join(unread)} is not read any more; what came before stays." if unread else "It is read."
    path.add("folder_read", "passed", _LATER["folder_read"], is_read)
    times = [message.at for message in found.messages] or [at for _, at, _ in found.sighted]
    first, last = (f"{timezone.localtime(at):%-d %B %Y}" for at in (min(times), max(times)))
    path.add("in_window", "passed", _LATER["in_window"], f"{first}." if first == last else f"{first} to {last}.")


def _not_kept(path: _Path, found: _Found, mailboxes: dict[UUID, Mailbox], contact: Contact) -> Absence:
    """It was seen, and not kept."""
    where = mailboxes[found.sighted[0][0]].address
    count = _count(len(found.sighted))
    if any(is_wanted for *_, is_wanted in found.sighted):
        path.add("kept", "passed", _LATER["kept"], "A record wants it; it was seen before, and is fetched now.")
        _not_reached(path, "address")
        detail = f"{count} seen in {where}. They are fetched as soon as the mailbox is looked at."
        return Absence("being_fetched", "It is being fetched just now", detail, path.looks)
    passed_over = f"{where} keeps only mail with a record on it, and no record has an address on it."
    path.add("kept", "stopped", _LATER["kept"], passed_over)
    _not_reached(path, "address")
    detail = f"{count} seen in {where} and not kept. Nothing but the time and keyed hashes of it is stored."
    title = f"Because {contact.name} has no address {found.address}" if found.address else "Because it was not kept"
    return Absence("not_kept", title, detail, path.looks, address=found.address)


# The last looks: what puts a message on a contact


def _filed(path: _Path, member: Member, contact: Contact, found: _Found) -> Absence:
    filings = list(
        Filing.objects.filter(
            workspace_id=member.workspace_id,
            record_type=RecordType.CONTACT,
            record_id=contact.pk,
            message_id__in=found.ids,
        )
    )
    removed = {filing.message_id: filing for filing in filings if filing.removed_by_id}
    there = {filing.message_id: filing for filing in filings if not filing.removed_by_id}
    missing = [message for message in found.messages if message.pk not in there]
    if not missing:
        return _is_here(path, contact, found, list(there.values()))
    if removed:
        return _removed(path, contact, [message for message in missing if message.pk in removed], removed)
    return _differs(path, member, contact, found, missing)


def _is_here(path: _Path, contact: Contact, found: _Found, filings: Sequence[Filing]) -> Absence:
    by_address = any(filing.reason == Reason.ADDRESS for filing in filings)
    reason = "It is." if by_address else "It is not, and something else put it here."
    path.add("address", "passed", _LATER["address"], reason)
    path.add("thread", "passed", _LATER["thread"], "It is.")
    path.add("by_hand", "passed", _LATER["by_hand"], "Nobody did.")
    title = f"It is here: {_count(len(found.messages))} on {contact.name}"
    return Absence("here", title, "Open them below.", path.looks, found.messages)


def _removed(path: _Path, contact: Contact, messages: Sequence[Message], removed: dict[UUID, Filing]) -> Absence:
    path.add("address", "passed", _LATER["address"], "A rule had put it here.")
    path.add("thread", "passed", _LATER["thread"], "A rule had put it here.")
    path.add("by_hand", "stopped", _LATER["by_hand"], "Somebody did, and no rule puts it back.")
    title = f"Because somebody took it off {contact.name}"
    detail = f"{_count(len(messages))}. What is removed by hand stays away until somebody puts it back."
    filing_id = removed[messages[0].pk].pk
    return Absence("removed_by_hand", title, detail, path.looks, messages, filing_id=filing_id)


def _differs(path: _Path, member: Member, contact: Contact, found: _Found, missing: Sequence[Message]) -> Absence:
    """None of its addresses is the contact's, and its thread is on somebody else or on nobody."""
    own = own_keys(member.workspace_id)
    address = found.address or _outside(missing[0], own)
    key = address_key(address)
    has = ", ".join(row.address for row in contact.addresses.all()) or "no address"
    path.add("address", "stopped", _LATER["address"], f"{contact.name} has {has}.", took=True)
    path.add("thread", "not_reached", _LATER["thread"], "Would have been enough; it is not.")
    _not_reached(path, "by_hand")
    looks, count = path.looks, _count(len(missing))
    if key in own:
        title = f"Because {address} is an address of your own workspace"
        return Absence("own_address", title, "Colleagues match no contact; who they write to does.", looks, missing)
    other = ContactAddress.objects.filter(workspace=member.workspace, key=key).select_related("contact").first()
    if other is not None and other.contact_id != contact.pk:
        title = f"Because {address} belongs to {other.contact.name}"
        detail = f"{count} with it: on {other.contact.name}, not on {contact.name}."
        return Absence("other_contact", title, detail, looks, missing, address, contact=other.contact)
    title = f"Because {contact.name} has no address {address}"
    detail = f"{count} with it. They match no contact, so they are not on {contact.name}."
    return Absence("address_differs", title, detail, looks, missing, address)


def _outside(message: Message, own: Collection[str]) -> str:
    """The address that says whose message it is: the author's, or of our own mail the first it went to."""
    rows = Participant.objects.filter(message_id=message.pk).order_by("position")
    by_role = {role: [row for row in rows if row.role == role and row.key not in own] for role in ("from", "to", "cc")}
    people = [person for role in ("from", "to", "cc") for person in by_role[role]]
    return people[0].address if people else message.from_address


def _count(count: int) -> str:
    shown = f"{count:,}" if count < MOST_FOUND else f"at least {count}"
    return f"{shown} message{'' if count == 1 else 's'}"
