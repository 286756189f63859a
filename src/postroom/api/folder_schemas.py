"""What the API takes and gives of a mailbox's folders, their questions, and what was done with it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from postroom.api.fields import Name


class FolderQuestion(Schema):
    """What a folder asks before Postroom goes on with it. `answers` are the words that may be sent."""

    code: str
    title: str
    what: str
    answers: list[str]
    asked_at: datetime | None


class Folder(Schema):
    """A folder of a mailbox. `is_chosen`: by a person; null leaves it to Postroom's rule. `reason` says why it is (not)
    read. What came since the day `complete_since` is here or planned."""

    id: UUID
    name: str
    role: str
    is_synced: bool
    is_chosen: bool | None
    reason: str
    complete_since: date | None
    question: FolderQuestion | None


class FolderChoice(Schema):
    id: UUID
    is_synced: bool


class FolderChoices(Schema):
    """Folders to read (`is_synced`) or to leave out. A folder that is not named stays as it is."""

    folders: Annotated[list[FolderChoice], Field(max_length=1000)] = Field(default_factory=list)


class AnswerIn(Schema):
    """One of the `answers` of the folder's question."""

    answer: Annotated[Name, Field(max_length=40)]


class Answered(Schema):
    """What is done now, in a sentence."""

    told: str


class JournalEntry(Schema):
    """What was done with a mailbox: `sentence` says it, `kind` and `facts` are the same for programs."""

    id: UUID
    at: datetime
    kind: str
    sentence: str
    facts: dict[str, Any]
