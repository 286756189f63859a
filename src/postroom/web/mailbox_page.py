"""What a mailbox's own page shows beside its card: its folders, how far each is read, and what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, F, Func, IntegerField, QuerySet, Sum

from postroom.correspondence.models import Placement
from postroom.mailboxes.folder_choice import is_gone, reason
from postroom.mailboxes.journal import sentence
from postroom.mailboxes.models import Folder, ImportSlice, JournalEntry, Mailbox

ENTRIES_AT_ONCE: Final = 20
_ROLES: Final = {"inbox": 0, "sent": 1, "archive": 2, "": 3, "all": 4, "drafts": 5, "junk": 6, "trash": 7}
_WARNING_KINDS: Final = ("failed", "waiting", "held", "folder_gone")


@dataclass(frozen=True, slots=True)
class FolderRow:
    """A folder: `count` messages of it are here, `waiting` are still to be imported, complete from `since` on."""

    folder: Folder
    reason: str
    count: int
    waiting: int
    since: date | None

    @property
    def role(self) -> str:
        """The folder's role where its name does not say it."""
        role = self.folder.role.title()
        return "" if role == str(self.folder).title() else role


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the journal in words; `mark` is the state's class."""

    id: UUID
    at: datetime
    sentence: str
    mark: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Some entries, newest first; `earlier` is the id to go on before, None at the end."""

    lines: Sequence[Line]
    earlier: UUID | None


def folder_rows(mailbox: Mailbox) -> list[FolderRow]:
    """The folders of the mailbox that its server has: what is read first, in the order people know."""
    here = Placement.objects.filter(mailbox_id=mailbox.pk, removed_at=None).values("folder_id")
    counts = dict(here.annotate(count=Count("pk")).values_list("folder_id", "count"))
    length = Func(F("remote_ids"), function="cardinality", output_field=IntegerField())
    slices = ImportSlice.objects.filter(mailbox=mailbox, is_done=False).values("folder_id")
    waiting = dict(slices.annotate(left=Sum(length - F("done_count"))).values_list("folder_id", "left"))
    rows = [
        FolderRow(
            folder,
            reason(folder),
            counts.get(folder.pk, 0),
            waiting.get(folder.pk, 0) if folder.is_synced else 0,
            folder.listed_since if folder.is_synced else None,
        )
        for folder in mailbox.folders.all()
        if not is_gone(folder)
    ]
    return sorted(
        rows, key=lambda row: (not row.folder.is_wanted, _ROLES.get(row.folder.role, 3), str(row.folder).lower())
    )


def newest_lines(mailbox: Mailbox) -> Lines:
    return _page(mailbox.journal.all())


def earlier_lines(mailbox: Mailbox, before: UUID) -> Lines:
    return _page(mailbox.journal.filter(pk__lt=before))


def newer_lines(mailbox: Mailbox, after: UUID | None) -> Lines:
    """What came since the entry the page has on top; never a link to earlier ones, which the page has already."""
    entries = mailbox.journal.filter(pk__gt=after) if after else mailbox.journal.all()
    return Lines([_line(entry) for entry in entries.order_by("-pk")[:ENTRIES_AT_ONCE]], None)


def _page(entries: QuerySet[JournalEntry]) -> Lines:
    found = list(entries.order_by("-pk")[: ENTRIES_AT_ONCE + 1])
    lines = [_line(entry) for entry in found[:ENTRIES_AT_ONCE]]
    return Lines(lines, lines[-1].id if len(found) > len(lines) else None)


def _line(entry: JournalEntry) -> Line:
    said = sentence(entry.kind, entry.facts) or "Something was done that this version has no words for."
    return Line(entry.pk, entry.at, said, "warn" if entry.kind in _WARNING_KINDS else "")
