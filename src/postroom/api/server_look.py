"""POST /explain/look: search the mail servers themselves for a message that is missed."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from asgiref.sync import async_to_sync
from ninja import Router, Schema

from postroom.api.auth import ApiRequest
from postroom.api.fields import Line
from postroom.api.problems import unfit
from postroom.filing.absence import Asked
from postroom.filing.server_finds import Found, FoundCode
from postroom.filing.server_look import MailboxLook, prepare_look
from postroom.filing.server_verdict import VerdictCode, sentence, verdict

router = Router(tags=["history"])


class LookIn(Schema):
    """A message by its Message-ID, or with `query` an address or words of a subject. `month`, as its first day,
    narrows it down."""

    internet_message_id: Line = ""
    query: Line = ""
    month: date | None = None


class FoundInFolder(Schema):
    """Messages of one folder that are here, or not here for one reason. `is_floor`: there are more in the folder.

    `folder_id` is null where Postroom does not know the folder yet. `days` would have to be imported to have the oldest
    one, `address` would have to be a record's.
    """

    code: FoundCode
    sentence: str
    folder: str
    folder_id: UUID | None
    count: int
    is_floor: bool
    first_on: date
    last_on: date
    days: int | None
    address: str | None


class MailboxSearched(Schema):
    """One mailbox. state: `done` or `not_asked`; `not_searched` are folders that were not reached, `code` and `what`
    say why."""

    mailbox_id: UUID
    address: str
    state: Literal["done", "not_asked"]
    folder_count: int
    folders_searched: int
    not_searched: list[str]
    code: str | None
    what: str | None
    found: list[FoundInFolder]


class ServerLook(Schema):
    """What the servers say. `code` is that of what explains best, or `nowhere` (it never arrived at these mailboxes),
    `not_in_searched` (not everything could be searched) or `not_asked` (nothing could)."""

    code: VerdictCode
    title: str
    detail: str
    mailboxes: list[MailboxSearched]


@router.post("/look", response=ServerLook)
def look_on_servers(request: ApiRequest, body: LookIn) -> ServerLook:
    """Search all folders of the mailboxes whose mail you may read at their servers, spam and trash included.

    Takes a minute at most, and stores nothing. What is missing from a folder that is read is fetched after it.
    """
    text = (body.internet_message_id or body.query).strip()
    if not text:
        raise unfit("internet_message_id", "Name a message by its Message-ID, or give a query.")
    month = body.month.replace(day=1) if body.month else None
    if month and not date.min.year < month.year < date.max.year:
        raise unfit("month", "Name a month of this age.")
    looks = async_to_sync(prepare_look(request.auth, Asked(text, month)).run_whole)()
    answer = verdict(looks)
    return ServerLook(
        code=answer.code, title=answer.title, detail=answer.detail, mailboxes=[_mailbox(look) for look in looks]
    )


def _mailbox(look: MailboxLook) -> MailboxSearched:
    return MailboxSearched(
        mailbox_id=look.mailbox.pk,
        address=look.mailbox.address,
        state="done" if look.state == "done" else "not_asked",
        folder_count=look.folder_count,
        folders_searched=look.looked_in,
        not_searched=list(look.not_reached),
        code=look.problem.code if look.problem else None,
        what=look.problem.what if look.problem else None,
        found=[_found(found) for found in look.found],
    )


def _found(found: Found) -> FoundInFolder:
    return FoundInFolder(
        code=found.code,
        sentence=sentence(found),
        folder=found.folder_name,
        folder_id=found.folder.pk if found.folder else None,
        count=found.count,
        is_floor=found.is_floor,
        first_on=found.first_on,
        last_on=found.last_on,
        days=found.days,
        address=found.address or None,
    )
