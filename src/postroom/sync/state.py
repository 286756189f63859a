"""What is stored of a mailbox, and what is to be stored, as values. `engine.store.Store` speaks in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from postroom.mail.message import ParsedMessage


class Fenced(Exception):
    """The mailbox has a newer owner: nothing was saved, and nothing may be saved from here."""


class Conflict(Exception):
    """Somebody saved the folder meanwhile: load it again."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as it is stored. `version` rises with every save of its cursor."""

    id: UUID
    remote_name: str
    role: str
    cursor: str
    version: int
    is_synced: bool = True


@dataclass(frozen=True, slots=True)
class MailboxState:
    """A mailbox as it is stored, with its folders."""

    id: UUID
    workspace_id: UUID
    address: str
    provider: str
    keep: str
    backfill_days: int
    epoch: int
    is_planned: bool
    folders: tuple[FolderState, ...]


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A fetched and parsed message, ready to be stored in one folder."""

    remote_id: str
    raw_size: int
    identity: UUID
    received_at: datetime
    flags: tuple[str, ...]
    parsed: ParsedMessage


@dataclass(frozen=True, slots=True)
class Page:
    """What is saved in one transaction: messages of one folder, and how far that gets us.

    Exactly one of `cursor` (catching up: with the folder's `version` as it was loaded) and `slice_id` (import:
    `slice_done` is the new done count) is set; None for both stores messages alone.
    """

    mailbox_id: UUID
    epoch: int | None  # None: an import, fenced by its slice instead
    folder_id: UUID
    messages: tuple[NewMessage, ...]
    cursor: str | None = None
    version: int | None = None
    slice_id: UUID | None = None
    slice_from: int = 0
    slice_done: int = 0
    removed: tuple[str, ...] = ()
    flagged: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_live: bool = False  # arrived just now: say so on the open pages


@dataclass(frozen=True, slots=True)
class Saved:
    """What a page changed: messages that are new to the workspace, and how many of the page are on a record."""

    new: int = 0
    filed: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class PlannedSlice:
    """A slice to be imported: remote ids of one folder, newest first, with their sizes in octets."""

    folder_id: UUID
    position: int
    remote_ids: tuple[str, ...] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SliceState:
    """A slice as it is stored; the first `done_count` ids are saved."""

    id: UUID
    mailbox_id: UUID
    folder_id: UUID
    remote_name: str
    remote_ids: tuple[str, ...] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)
    done_count: int = 0
