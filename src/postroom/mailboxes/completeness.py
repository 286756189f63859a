"""Proofs of completeness as they are kept: what is due, what was counted, and what a folder's months come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from postroom.engine.proofs import Due
from postroom.mailboxes.actions import Action, require
from postroom.mailboxes.models import Folder, FolderMonth, Mailbox, mailbox_topic
from postroom.sync.completeness import Tally, is_due, months_of
from postroom.workspaces import events
from postroom.workspaces.database import borrowed_connection


@dataclass(frozen=True, slots=True)
class Counts:
    """What the server has, and what of it is known here; `missing` is being fetched."""

    at_server: int = 0
    here: int = 0
    left_out: int = 0
    missing: int = 0

    @property
    def known(self) -> int:
        """Messages that were seen: kept, or left out by a rule."""
        return self.here + self.left_out

    @property
    def is_complete(self) -> bool:
        return self.missing == 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.at_server + other.at_server,
            self.here + other.here,
            self.left_out + other.left_out,
            self.missing + other.missing,
        )


@dataclass(frozen=True, slots=True)
class FolderProof:
    """The counted months of a folder, newest first; `waiting` says how many are not counted yet."""

    folder: Folder
    months: tuple[FolderMonth, ...]
    waiting: int = 0
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", total(self.months))

    @property
    def checked_at(self) -> datetime | None:
        """When the month that was counted longest ago was counted."""
        return min((month.checked_at for month in self.months), default=None)

    @property
    def is_counting(self) -> bool:
        return bool(self.waiting) or any(month.is_asked for month in self.months)


def total(months: Iterable[FolderMonth]) -> Counts:
    """The sum over months of one folder, or of several."""
    return sum((Counts(month.at_server, month.here, month.left_out, month.missing) for month in months), start=Counts())


def proofs_of(mailbox: Mailbox) -> list[FolderProof]:
    """Of each folder that is read, what was counted of the days from which on it is read."""
    return proofs_by_mailbox([mailbox.pk])[mailbox.pk]


def proofs_by_mailbox(mailbox_ids: Collection[UUID]) -> dict[UUID, list[FolderProof]]:
    """The same of several mailboxes, by two queries."""
    today, proofs = _today(), defaultdict[UUID, list[FolderProof]](list)
    for folder, since, months in _counted(mailbox_ids):
        proofs[folder.mailbox_id].append(FolderProof(folder, months, len(months_of(since, today)) - len(months)))
    return proofs


def count_again(mailbox: Mailbox) -> None:
    """Have every month counted anew by the mailbox's session. Raises NotNow."""
    require(mailbox, Action.COUNT)
    FolderMonth.objects.filter(folder__mailbox=mailbox).update(is_asked=True)
    events.wake(mailbox.pk)
    events.notify(mailbox_topic(mailbox.pk))


def count_month(folder: Folder, month: date) -> None:
    """Have one month of a folder counted by the mailbox's session now; what is missing of it is fetched then."""
    FolderMonth.objects.update_or_create(
        folder=folder,
        month=month,
        defaults={"is_asked": True},
        create_defaults={"workspace_id": folder.workspace_id, "at_server": 0, "here": 0, "is_asked": True},
    )
    events.wake(folder.mailbox_id)
    events.notify(mailbox_topic(folder.mailbox_id))


class MailboxProofs:
    """engine.proofs.Proofs on the ORM. Called from threads: each call leaves no stale connection behind."""

    @borrowed_connection()
    def due(self, mailbox_id: UUID, folder_ids: Collection[UUID], limit: int) -> Sequence[Due] | None:
        """An import that is under way would be counted again and again; so it is only for who asked."""
        is_imported = Mailbox.objects.filter(pk=mailbox_id).exclude(import_finished_at=None).exists()
        now, today = timezone.now(), _today()
        asked: list[Due] = []
        due: list[Due] = []
        for folder, since, counted in _counted([mailbox_id]):
            if folder.pk not in folder_ids:
                continue
            months = {month.month: month for month in counted}
            for month in months_of(since, today):
                row = months.get(month)
                if row is not None and row.is_asked:
                    asked.append(Due(folder.pk, month))
                elif is_imported and (
                    row is None or is_due(month, row.checked_at, row.missing, now, fruitless=row.fruitless)
                ):
                    due.append(Due(folder.pk, month))
        if not is_imported and not asked:
            return None
        due.sort(key=lambda one: one.month, reverse=True)
        return [*asked, *due][:limit]

    @borrowed_connection()
    def save(self, mailbox_id: UUID, epoch: int, folder_id: UUID, counted: Tally, filled: int) -> None:
        with transaction.atomic():
            owned = Mailbox.objects.select_for_update(of=("self",), no_key=True).filter(pk=mailbox_id, epoch=epoch)
            folder = Folder.objects.filter(pk=folder_id, mailbox=mailbox_id).first()
            if folder is None or not owned.exists():
                return
            now = timezone.now()
            is_fruitless = bool(counted.absent) and not filled
            found = {
                "at_server": counted.at_server,
                "here": counted.here,
                "left_out": counted.left_out,
                "missing": counted.missing,
                "checked_at": now,
                "is_asked": bool(filled and counted.absent),  # the rest of a large gap comes with the next turn
            } | ({"repaired_at": now} if filled else {})
            FolderMonth.objects.update_or_create(
                folder=folder,
                month=counted.month,
                defaults=found | {"fruitless": F("fruitless") + 1 if is_fruitless else 0},
                create_defaults=found | {"workspace_id": folder.workspace_id, "fruitless": int(is_fruitless)},
            )
            events.notify(mailbox_topic(mailbox_id))


def _counted(mailbox_ids: Collection[UUID]) -> list[tuple[Folder, date, tuple[FolderMonth, ...]]]:
    """Folders that are read, with the day from which on they are, and their months since then, newest first."""
    read = Folder.objects.filter(mailbox__in=mailbox_ids, is_synced=True, listed_since__isnull=False)
    folders = read.exclude(cursor="")
    months: dict[UUID, list[FolderMonth]] = {}
    for row in FolderMonth.objects.filter(folder__in=folders).order_by("-month"):
        months.setdefault(row.folder_id, []).append(row)
    return [
        (folder, since, tuple(row for row in months.get(folder.pk, ()) if row.month >= since.replace(day=1)))
        for folder in folders
        if (since := folder.listed_since) is not None
    ]


def _today() -> date:
    """The servers' day may be another one for some hours; a month that begins then is counted a day later."""
    return datetime.now(UTC).date()
