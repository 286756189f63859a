"""What a test of a connection takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Schema

from postroom.api.fields import MailAddress


class ConnectionTestIn(Schema):
    """Without `contact_id` the mailbox writes to itself. `address` is one of the contact's; absent: the first."""

    contact_id: UUID | None = None
    address: MailAddress | None = None


class TestStep(Schema):
    """One step. `seconds` from the test's start; `needed`: the test has passed only with it.

    state: `waiting` for the step before, `running`, `done`, `warned` (done, and there is something to know) or
    `stopped` (somebody has to act). `code`, `what`, `who` and `fix` say why it takes its time, stopped or warns.
    """

    name: Literal["accepted", "in_sent", "seen", "returned", "filed", "answered"]
    state: Literal["waiting", "running", "done", "warned", "stopped"]
    needed: bool
    at: datetime | None = None
    seconds: float | None = None
    code: str | None = None
    what: str | None = None
    who: str | None = None
    fix: str | None = None
    docs: str | None = None
    server_words: str | None = None


class ConnectionTest(Schema):
    """A small marked message that is followed. state: `running`, `passed`, or `stopped` (somebody has to act)."""

    id: UUID
    mailbox_id: UUID
    contact_id: UUID | None
    address: str
    submission_id: UUID | None
    started_at: datetime
    state: Literal["running", "passed", "stopped"]
    steps: list[TestStep]
