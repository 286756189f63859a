"""What is stored of a mailbox, and what is to be stored, as values. `engine.store.Store` speaks in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from postroom.mail.message import ParsedMessage
from postroom.sync.remote import RemoteMessage


class Fenced(Exception):
    """The mailbox has a newer owner: nothing was saved, and nothing may be saved from here."""


class Conflict(Exception):
    """Somebody saved the folder meanwhile: load it again."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as it is stored. `version` rises with every save of its cursor.

    `identity` is RemoteFolder's. `listed_since`: from this day on everything is stored or planned (None: nothing yet).
    `held` is the code of the question its owner has to answer ("" none); `may_remove` is the answer "yes, remove".
    `rebuilds` counts how often the folder was renumbered within a day.
    """

    id: UUID
    remote_name: str
    role: str
    cursor: str
    version: int
    is_synced: bool = True
    identity: str = ""
    listed_since: date | None = None
    swept_at: datetime | None = None
    held: str = ""
    may_remove: bool = False
    rebuilds: int = 0


@dataclass(frozen=True, slots=True)
class MailboxState:
    """A mailbox as it is stored, with its folders.

    `failures` in a row, and `not_before` until when it is left alone after them; both survive restarts.
    """

    id: UUID
    workspace_id: UUID
    address: str
    provider: str
    keep: str
    backfill_days: int
    epoch: int
    is_planned: bool
    folders: tuple[FolderState, ...]
    failures: int = 0
    not_before: datetime | None = None

    @property
    def keeps_everything(self) -> bool:
        return self.keep == "everything"

    def since(self, today: date) -> date:
        """The first day of the window that is imported."""
        return today - timedelta(days=self.backfill_days)


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
class NewHeader:
    """A message of which only the header was fetched. `refs` are reference keys: its own first (mail/mime/identity.py).

    `parsed` has the ids, the people and the subject (mail/mime/parsing.py, parse_headers).
    """

    remote_id: str
    size: int
    received_at: datetime
    flags: tuple[str, ...]
    refs: tuple[UUID, ...]
    parsed: ParsedMessage


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A stored message in one folder (a live placement). `size` in octets, 0 when it is not known.

    The rest tells it from others when the remote ids are void; it is empty where nobody asked for it.
    """

    remote_id: str
    message_id: UUID
    flags: tuple[str, ...]
    size: int = 0
    internet_message_id: str = ""
    received_at: datetime | None = None
    subject: str = ""
    from_address: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Everything stored of one folder: messages, sightings, remote ids that open slices will fetch.

    `sighted` has the sizes of sightings in octets by remote id; `sighted_at`, for matching, when they were received.
    """

    messages: tuple[KnownMessage, ...] = field(default=(), repr=False)
    sighted: Mapping[str, int] = field(default_factory=dict, repr=False)
    sighted_at: Mapping[str, datetime] = field(default_factory=dict, repr=False)
    planned: frozenset[str] = field(default_factory=frozenset, repr=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """A question to the owner: `code` mass_deletion or renumbered_often; `facts` fill its sentences."""

    code: str
    facts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Match:
    """A stored message found again: under another remote id, or in another folder. `listed` is how it is there."""

    message_id: UUID
    listed: RemoteMessage
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """A stored message that some folder of the mailbox has or had under a remote id (sync/placing.py).

    `folders`: in how many it sits now.
    """

    remote_id: str
    message_id: UUID
    received_at: datetime
    size: int = 0
    flags: tuple[str, ...] = ()
    folders: int = 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the mail of the workspace's records is found by: addresses in lower case, and "@domain" for a whole domain.

    `until`: what was added before this moment, by the store's clock, is among them.
    """

    keys: tuple[str, ...] = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """What is saved in one transaction: messages of one folder, and how far that gets us.

    `placed` are stored already, under the same remote id in another folder: they get a placement here.
    Exactly one of `cursor` (catching up: with the folder's `version` as it was loaded) and `slice_id` (import:
    `slice_done` is the new done count) is set; None for both stores messages alone.
    `passed_over` leave a sighting each. `hold` asks the owner (`Hold`), `releases` withdraws the question;
    `is_swept` notes that the folder was compared with the server whole.
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
    passed_over: tuple[NewHeader, ...] = ()
    placed: tuple[Match, ...] = ()
    hold: Hold | None = None
    releases: bool = False
    is_swept: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Sightings of one folder that a record wants now, newest first, with their sizes in octets."""

    folder_id: UUID
    remote_name: str
    remote_ids: tuple[str, ...] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A folder whose remote ids became void, saved in one transaction (sync/rebuilding.py).

    Every earlier placement and sighting of the folder goes, open slices too; `matches` are placed anew; the rest of the
    listing is fetched by `slices`. With `hold`, unmatched placements stay until the owner has answered.
    """

    mailbox_id: UUID
    epoch: int
    folder_id: UUID
    version: int
    cursor: str
    matches: tuple[Match, ...] = field(repr=False)
    passed_over: tuple[NewHeader, ...] = field(repr=False)
    slices: tuple[PlannedSlice, ...] = field(repr=False)
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a page changed: messages that are new to the workspace, and how many of the page are on a record.

    Of a whole step also: messages `matched` under new remote ids, `removed` from the folder, `asked` for the code of a
    question that was put to the owner, and `slice_ids` that were planned and wait for an importer.
    """

    new: int = 0
    filed: int = 0
    kept: int = 0
    matched: int = 0
    removed: int = 0
    asked: str = ""
    slice_ids: tuple[UUID, ...] = ()

    def __add__(self, later: Saved) -> Saved:
        return Saved(
            new=self.new + later.new,
            filed=self.filed + later.filed,
            kept=self.kept + later.kept,
            matched=self.matched + later.matched,
            removed=self.removed + later.removed,
            asked=later.asked or self.asked,
            slice_ids=self.slice_ids + later.slice_ids,
        )


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
    keeps_everything: bool = True
