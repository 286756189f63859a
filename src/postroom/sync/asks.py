"""What a step may ask of the world. A step is a generator that yields asks and is sent the answers.

The engine answers with a provider session and a store; a test may answer anything, a crash included. An ask that
fails raises its error inside the step.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from postroom.sync.remote import RemoteFolder
from postroom.sync.state import NewHeader, Page, PlannedSlice, Rebuild

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ListFolders:
    """→ Sequence[RemoteFolder]: the provider's folders as they are now."""


@dataclass(frozen=True, slots=True)
class SaveFolders:
    """→ tuple[FolderState, ...]: those that are to be synced, with their cursors.

    `folders` are all there are; `left_out` names those that are not read unless the owner chose them.
    """

    folders: tuple[RemoteFolder, ...]
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListWindow:
    """→ Window: what a folder holds since a day (None: since ever) and before another (None: until now).

    With `addresses` (LoadAddresses) only what is from or to one of them, and the rest of those conversations.
    """

    remote_name: str
    since: date | None
    before: date | None = None
    addresses: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LoadAddresses:
    """→ Addresses: those of the workspace's records; `is_new`: that the mailbox was not asked for yet."""

    is_new: bool = False


@dataclass(frozen=True, slots=True)
class FindPlaced:
    """→ tuple[Placed, ...]: what is stored under these ids in any folder of the mailbox, or was until it left it."""

    remote_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListAll:
    """→ Changes, `is_full`: everything a folder holds, with flags, newest first."""

    remote_name: str


@dataclass(frozen=True, slots=True)
class KnownMessages:
    """→ Known: everything that is stored of a folder, `for_matching` with what tells the messages from others.

    Of a large folder that is much: `remote_ids` asks about these alone.
    """

    folder_id: UUID
    for_matching: bool = False
    remote_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SaveRebuild:
    """→ tuple[UUID, ...]: ids of the slices that fetch what could not be matched."""

    rebuild: Rebuild = field(repr=False)


@dataclass(frozen=True, slots=True)
class FetchHeaders:
    """→ tuple[NewHeader, ...]: headers of messages; those that are gone are left out."""

    remote_name: str
    remote_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChooseWanted:
    """→ frozenset[str]: the remote ids of those that belong to a record, or to a thread that does."""

    headers: tuple[NewHeader, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SavePlan:
    """→ tuple[UUID, ...]: the slices' ids; slices, cursors and days are stored in one transaction.

    The slices come beside those that are open. `listed_since`: FolderState's, of the folders that were listed.
    `asked_until`: Addresses', where all folders were asked for all of those.
    """

    cursors: dict[UUID, str]
    slices: tuple[PlannedSlice, ...] = field(repr=False)
    listed_since: dict[UUID, date] = field(default_factory=dict)
    asked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListChanges:
    """→ Changes of a folder since the cursor."""

    remote_name: str
    cursor: str


@dataclass(frozen=True, slots=True)
class FetchMessages:
    """→ tuple[NewMessage, ...]: whole messages, parsed; those that are gone are left out."""

    remote_name: str
    remote_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchGiant:
    """→ tuple[NewMessage, ...]: one message that is too large for memory, parsed; empty when it is gone.

    Its attachments lie on the disk until the page is saved. Of the largest there is but a stub.
    """

    remote_name: str
    remote_id: str
    size: int


@dataclass(frozen=True, slots=True)
class SavePage:
    """→ Saved: the page and its cursor or slice, in one transaction."""

    page: Page = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoadWanted:
    """→ Sequence[Wanted]: sightings that a record wants now (DESIGN.md 5), not all when there are many."""


Ask = (
    ListFolders
    | SaveFolders
    | ListWindow
    | LoadAddresses
    | FindPlaced
    | SavePlan
    | ListChanges
    | FetchMessages
    | FetchGiant
    | SavePage
    | LoadWanted
    | ListAll
    | KnownMessages
    | SaveRebuild
    | FetchHeaders
    | ChooseWanted
)
Steps = Generator[Ask, Any, Answer]
