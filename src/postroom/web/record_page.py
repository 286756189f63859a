"""What the pages of a contact and of a deal share: who they are, their tabs, their timeline by day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import reverse
from django.utils import timezone

from postroom.filing.coverage import since
from postroom.filing.timeline import Entry, Timeline, timeline
from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.records.access import contacts, deals, notes
from postroom.records.models import Contact, Deal, RecordType, Stage
from postroom.web.events.topics import stream_url
from postroom.web.rights import own
from postroom.workspaces.members import Member


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A record as its pages see it. `kind` is also the prefix of its addresses' names."""

    kind: str
    record: Contact | Deal

    @property
    def record_type(self) -> int:
        return RecordType.CONTACT if self.kind == "contact" else RecordType.DEAL

    @property
    def pk(self) -> UUID:
        return self.record.pk

    @property
    def topic(self) -> str:
        return f"record:{self.record.pk}"

    @property
    def write_url(self) -> str:
        return f"{reverse('write')}?{self.kind}={self.record.pk}"

    def url(self, tab: str) -> str:
        return reverse(f"{self.kind}_{tab}", args=[self.record.pk])

    @property
    def overview_url(self) -> str:
        return self.url("overview")

    @property
    def emails_url(self) -> str:
        return self.url("emails")

    @property
    def notes_url(self) -> str:
        return self.url("notes")

    @property
    def details_url(self) -> str:
        return self.url("details")

    @property
    def delete_url(self) -> str:
        return self.url("delete")


def find_page(member: Member, kind: str, record_id: UUID) -> RecordPage:
    """The record's page, if the member may see the record; Http404 else."""
    if kind == "contact":
        return RecordPage("contact", own(contacts(member).select_related("company"), record_id))
    if kind == "deal":
        return RecordPage("deal", own(deals(member).select_related("company"), record_id))
    raise Http404


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one day, newest first. `name` is Today, Yesterday or ""."""

    day: date
    name: str
    entries: list[Entry] = field(default_factory=list)


def by_day(entries: Iterable[Entry], now: datetime) -> list[Day]:
    """Cut a timeline into days of the active time zone."""
    today = timezone.localtime(now).date()
    names = {today: "Today", today - timedelta(days=1): "Yesterday"}
    days: list[Day] = []
    for entry in entries:
        day = timezone.localtime(entry.at).date()
        if not days or days[-1].day != day:
            days.append(Day(day, names.get(day, "")))
        days[-1].entries.append(entry)
    return days


@dataclass(frozen=True, slots=True)
class Coverage:
    """From which mailboxes, since when, the timeline is complete, as far as we know. `mailboxes` are those read."""

    mailboxes: tuple[Mailbox, ...]

    @property
    def importing(self) -> list[Mailbox]:
        return [mailbox for mailbox in self.mailboxes if mailbox.is_importing]

    @property
    def interrupted(self) -> list[Mailbox]:
        return [mailbox for mailbox in self.mailboxes if mailbox.error_code or mailbox.needs_reconnect]

    @property
    def state(self) -> str:
        """complete, importing, interrupted or none."""
        if not self.mailboxes:
            return "none"
        if self.interrupted:
            return "interrupted"
        return "importing" if self.importing else "complete"

    @property
    def since(self) -> date | None:
        """The day from which every mailbox was read."""
        return max((since(mailbox) for mailbox in self.mailboxes), default=None)

    @property
    def looked_at(self) -> datetime | None:
        """When the mailbox that was looked at least lately was looked at."""
        return min((mailbox.last_synced_at for mailbox in self.mailboxes if mailbox.last_synced_at), default=None)

    @property
    def rows(self) -> list[tuple[Mailbox, date]]:
        return [(mailbox, since(mailbox)) for mailbox in self.mailboxes]


def frame(member: Member, page: RecordPage, tab: str) -> dict[str, Any]:
    """The context of every tab: head, tabs, aside, and the stream that keeps it live."""
    people: Iterable[Contact] = ()
    deals_of: Iterable[Deal] = ()
    if isinstance(page.record, Contact):
        deals_of = deals(member).filter(contacts=page.record).order_by("-created_at")[:10]
    else:
        people = page.record.contacts.prefetch_related("addresses").order_by("name")[:20]
    return {
        "section": f"{page.kind}s",
        "page": page,
        "record": page.record,
        "tab": tab,
        "people": people,
        "deals": deals_of,
        "stages": Stage.choices,
        "note_count": notes(member, page.record_type, page.pk).count(),
        "events_url": stream_url(member, [page.topic]),
    }


def load_timeline(member: Member, page: RecordPage, *, before: str = "", limit: int = 50) -> Timeline:
    return timeline(member, page.record_type, page.pk, before=before, limit=limit)


def coverage(member: Member) -> Coverage:
    return Coverage(tuple(mailbox for mailbox in visible_mailboxes(member) if mailbox.is_read))
