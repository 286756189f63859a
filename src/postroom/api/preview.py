"""POST /mailboxes/preview and /mailboxes/{id}/preview: what an import would bring; nothing is stored."""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import async_to_sync
from ninja import Router, Schema

from postroom.api import schemas
from postroom.api.approvals import not_approved
from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.api.mailboxes import connect_request
from postroom.api.problems import Problem
from postroom.filing.dry_run import Counts, Planned, count_all, planned_mailbox, planned_request
from postroom.mailboxes import connect
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.sealing import Unsealable
from postroom.providers import catalogue
from postroom.providers.errors import ProviderError
from postroom.records.access import contacts
from postroom.workspaces.approval import NotApproved
from postroom.workspaces.members import Member

router = Router(tags=["mailboxes"])


class PreviewContact(Schema):
    """A contact, and how many messages are to or from it."""

    id: UUID
    name: str
    messages: int


class Preview(Schema):
    """What the import of so many days would bring. `kept` of `listed` messages would be stored.

    A message counts in the first group that fits: `known` (on a record), `colleagues` (only addresses of the
    workspace's own domains), `private` (the others are at domains of private persons), `unknown`. With `is_sample` only
    `looked_at` of them were looked at, the newest first. `contacts` are the 20 with most messages. `not_counted` are
    folders that the import would read too: there was no time for them within five minutes.
    """

    listed: int
    looked_at: int
    kept: int
    known: int
    colleagues: int
    private: int
    unknown: int
    is_sample: bool
    contacts: list[PreviewContact]
    folders: list[str]
    left_out: list[str]
    not_counted: list[str]


@router.post("/preview", response=Preview)
def preview_mailbox(request: ApiRequest, body: schemas.MailboxIn) -> Preview:
    """Count by known contacts, colleagues, private domains and unknown, before anything is connected or stored.

    The body is that of POST /mailboxes. Reads headers only; 422 `check_failed` where the mailbox cannot be opened.
    """
    wanted = connect_request(body)
    try:
        connect.require_open(request.auth, wanted)
        planned = planned_request(request.auth.workspace_id, wanted)
        return show_preview(request.auth, planned, async_to_sync(count_all)(planned))
    except connect.AlreadyConnected as error:
        raise Problem("already_connected", fields={"address": "This address is connected already."}) from error
    except NotApproved as refused:
        raise not_approved(refused) from refused
    except ProviderError as error:
        raise _not_counted(error.code, **error.facts) from error


@router.post("/{uuid:mailbox_id}/preview", response=Preview)
def preview_import(request: ApiRequest, mailbox_id: UUID) -> Preview:
    """The same for a connected mailbox, as one that `awaits_start`. 422 `check_failed` where it does not open."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    try:
        planned = planned_mailbox(mailbox)
        return show_preview(request.auth, planned, async_to_sync(count_all)(planned))
    except Unsealable as error:
        raise _not_counted("secret_unreadable") from error
    except ProviderError as error:
        raise _not_counted(error.code, **error.facts) from error


def show_preview(member: Member, planned: Planned, counts: Counts) -> Preview:
    names = dict(contacts(member).filter(pk__in=[pk for pk, _ in counts.contacts]).values_list("pk", "name"))
    return Preview(
        listed=counts.listed,
        looked_at=counts.looked_at,
        kept=counts.kept(keeps_everything=planned.keeps_everything),
        known=counts.known,
        colleagues=counts.colleagues,
        private=counts.private,
        unknown=counts.unknown,
        is_sample=counts.is_sample,
        contacts=[PreviewContact(id=pk, name=names[pk], messages=n) for pk, n in counts.contacts if pk in names],
        folders=list(counts.folders),
        left_out=list(counts.left_out),
        not_counted=list(counts.not_counted),
    )


def _not_counted(code: str, **facts: object) -> Problem:
    entry = catalogue.explain_check(code, **facts)
    return Problem("check_failed", entry.what, reason=entry.code)
