"""What the API gives of how complete a history is, and of why a message is not on a contact."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from ninja import Schema


class Counts(Schema):
    """Messages that the server has; of these `here`, `left_out` (seen, and kept out by a rule), `missing` (fetched
    just now)."""

    at_server: int
    here: int
    left_out: int
    missing: int


class Month(Counts):
    """One month of a folder, by its first day, as it was counted last. `repaired_at`: when a gap was closed."""

    month: date
    checked_at: datetime
    repaired_at: datetime | None


class FolderCompleteness(Counts):
    """A folder that is read; `months` newest first, `waiting` how many are not counted yet."""

    id: UUID
    name: str
    role: str
    waiting: int
    months: list[Month]


class Completeness(Counts):
    """What the server counts in the folders that are read, and what of it is here. `is_counting`: some months are
    counted for the first time, or again."""

    is_counting: bool
    folders: list[FolderCompleteness]


class UnreadFolder(Schema):
    """A folder that is not read, and why in a sentence."""

    name: str
    reason: str


class MailboxCoverage(Counts):
    """What is read of a mailbox: from `since` to `last_synced_at`. `not_kept` and `wanted` messages were seen: left
    because no record has their address, and being fetched. `state` is complete, importing, interrupted or off."""

    mailbox_id: UUID
    address: str
    state: str
    since: date
    last_synced_at: datetime | None
    folders_read: list[str]
    folders_left_out: list[UnreadFolder]
    not_kept: int
    wanted: int


class LeftOut(Schema):
    """Mail that is not here, by one rule; `count` is null where nobody can know."""

    rule: str
    sentence: str
    count: int | None
    mailbox_id: UUID | None


class NearMiss(Schema):
    """An address that is not the contact's and may be: `nearness` is "name and domain", "name" or "domain". `new` of
    the messages with it are not on the contact."""

    address: str
    name: str
    nearness: str
    messages: int
    new: int
    last_at: datetime


class Coverage(Schema):
    """What a history rests on: `state` is none, complete, importing or interrupted."""

    state: str
    since: date | None
    mailboxes: list[MailboxCoverage]
    left_out: list[LeftOut]
    near: list[NearMiss]


class Look(Schema):
    """One look on the way to the answer: passed, stopped or not_reached."""

    name: str
    title: str
    state: str
    detail: str
    seconds: float | None


class Explanation(Schema):
    """Why a message is not on a contact. `address` would have to be added to it, `filing_id` is the removed filing,
    `contact_id` another contact that has the address."""

    code: str
    title: str
    detail: str
    address: str | None
    filing_id: UUID | None
    contact_id: UUID | None
    message_ids: list[UUID]
    looks: list[Look]
