"""/mailboxes: connect after a check, read, change, sync, import further back, disconnect."""

from __future__ import annotations

import os
from typing import Any, Final, cast
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.utils import timezone
from ninja import Router, Status
from ninja.decorators import decorate_view

from postroom.api import mailbox_settings, schemas
from postroom.api.approvals import not_approved
from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.paging import PageOf, PageQuery, page
from postroom.api.permissions import permission_of
from postroom.api.problems import Problem, unfit
from postroom.mailboxes import connect
from postroom.mailboxes.access import manageable_mailboxes, visible_mailboxes
from postroom.mailboxes.actions import offered
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.progress import estimate
from postroom.mailboxes.start import begin_import
from postroom.mailboxes.waking import sync_as_asked
from postroom.providers import catalogue, registry
from postroom.providers.base import CheckStep
from postroom.workspaces.approval import NotApproved
from postroom.workspaces.members import Member
from postroom.workspaces.models import User

SANDBOX: Final = "memory"  # the double that ships; only a demo lets people connect it

router = Router(tags=["mailboxes"])


@router.post("", response={201: schemas.Mailbox})
@decorate_view(idempotent)
def connect_mailbox(request: ApiRequest, body: schemas.MailboxIn) -> Status[schemas.Mailbox]:
    """Check both servers, then save. 422 `check_failed` with `steps` when a step fails; nothing is saved then.

    For mailboxes that a password opens. Those of Gmail and Outlook are connected in the browser: who owns one signs in
    at the provider (Settings > Mailboxes > Connect). 403 `approval_needed` where the workspace's policy asks for it.
    """
    try:
        mailbox = async_to_sync(connect.connect)(request.auth, connect_request(body))
    except connect.AlreadyConnected as error:
        raise Problem("already_connected", fields={"address": "This address is connected already."}) from error
    except NotApproved as refused:
        raise not_approved(refused) from refused
    except connect.CheckFailed as failed:
        steps = [show_step(step).model_dump() for step in failed.steps]
        raise Problem("check_failed", _first_failure(failed.steps), ok=False, steps=steps) from failed
    return Status(201, show_mailbox(mailbox))


@router.post("/check", response=schemas.CheckReport)
def check_mailbox(request: ApiRequest, body: schemas.MailboxIn) -> schemas.CheckReport:
    """Try both servers step by step. Nothing is stored. Steps that passed with a `warning` count as `ok`.

    403 `approval_needed` for a mailbox that you may not connect, unless it is connected and yours to change.
    """
    wanted = connect_request(body)
    if connect.find_of_address(manageable_mailboxes(request.auth), wanted.address) is None:
        try:
            connect.require_approval(request.auth, wanted)
        except NotApproved as refused:
            raise not_approved(refused) from refused
    steps = async_to_sync(connect.check_all)(wanted)
    return schemas.CheckReport(ok=bool(steps) and all(step.ok for step in steps), steps=[show_step(s) for s in steps])


@router.get("", response=schemas.Page[schemas.Mailbox])
def list_mailboxes(request: ApiRequest, asked: PageQuery = PageOf) -> schemas.Page[schemas.Mailbox]:
    """The mailboxes whose mail you may read, newest first."""
    mailboxes = visible_mailboxes(request.auth).select_related("owner", "workspace")
    rows = mailboxes.prefetch_related("identities", "members")
    return page(rows, asked, schemas.Page[schemas.Mailbox], lambda mailbox: show_mailbox(mailbox, request.auth))


@router.get("/{uuid:mailbox_id}", response=schemas.Mailbox)
def read_mailbox(request: ApiRequest, mailbox_id: UUID) -> schemas.Mailbox:
    """One mailbox with its state, progress and error."""
    return show_mailbox(one(visible_mailboxes(request.auth), mailbox_id), request.auth)


@router.patch("/{uuid:mailbox_id}", response=schemas.Mailbox)
def change_mailbox(request: ApiRequest, mailbox_id: UUID, body: mailbox_settings.MailboxChange) -> schemas.Mailbox:
    """Change what it is for, who uses it, how it signs, whose it is. Mail that is here stays."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    mailbox_settings.change(request.auth, mailbox, body)
    return show_mailbox(Mailbox.objects.select_related("owner", "workspace").get(pk=mailbox_id), request.auth)


@router.delete("/{uuid:mailbox_id}", response={204: None})
def disconnect_mailbox(request: ApiRequest, mailbox_id: UUID, keep_history: bool = True) -> Status[None]:
    """Disconnect. `keep_history=false` also deletes its mail here; at its server nothing is deleted."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    connect.disconnect(request.auth, mailbox, keep_history=keep_history)
    return Status(204, None)


@router.post("/{uuid:mailbox_id}/sync", response={202: schemas.Accepted})
def sync_mailbox(request: ApiRequest, mailbox_id: UUID) -> Status[schemas.Accepted]:
    """Look for new mail now. 409 `not_now` where nothing is looked for: paused, only sending, waiting for its yes."""
    sync_as_asked(one(visible_mailboxes(request.auth), mailbox_id))
    return Status(202, schemas.Accepted())


@router.post("/{uuid:mailbox_id}/start", response=schemas.Mailbox)
def start_import(request: ApiRequest, mailbox_id: UUID) -> schemas.Mailbox:
    """Say yes to the import of a mailbox that was connected with `awaits_start`. One that began goes on as it is."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    begin_import(request.auth, mailbox)
    return show_mailbox(one(manageable_mailboxes(request.auth), mailbox_id), request.auth)


@router.post("/{uuid:mailbox_id}/backfill", response={202: schemas.Accepted})
def extend_backfill(request: ApiRequest, mailbox_id: UUID, body: schemas.BackfillIn) -> Status[schemas.Accepted]:
    """Import further back: `days` before today. Fewer days than now change nothing. 409 `not_now` as for sync."""
    connect.extend_backfill(request.auth, one(manageable_mailboxes(request.auth), mailbox_id), body.days)
    return Status(202, schemas.Accepted())


def connect_request(body: schemas.MailboxIn) -> connect.ConnectRequest:
    """The body as the check takes it. Raises Problem for an unknown provider and for missing servers."""
    allowed = registry.PROVIDERS.keys() - ({SANDBOX} if not os.environ.get("POSTROOM_DEMO") else set())
    by_browser = {name for name in allowed if registry.PROVIDERS[name].capabilities.needs_oauth}
    if body.provider in by_browser:
        raise unfit("provider", "Such a mailbox is connected in the browser, by signing in: Settings > Mailboxes.")
    if body.provider not in allowed:
        raise unfit("provider", f"Choose one of: {', '.join(sorted(allowed - by_browser))}.")
    servers = {"imap": body.imap, "smtp": body.smtp}
    if body.provider != SANDBOX and None in servers.values():
        missing = {name: "This server is needed." for name, server in servers.items() if server is None}
        raise Problem("invalid_fields", fields=missing)
    return connect.ConnectRequest(
        provider=body.provider,
        address=body.address,
        kind=body.kind,
        display_name=body.display_name,
        usage=body.usage,
        keep=body.keep or "",
        sharing=body.sharing or "",
        backfill_days=body.backfill_days,
        awaits_start=body.awaits_start,
        secrets={name: server.model_dump() for name, server in servers.items() if server is not None},
    )


def show_mailbox(mailbox: Mailbox, member: Member | None = None) -> schemas.Mailbox:
    now = timezone.now()
    left = estimate(mailbox, now)
    return schemas.Mailbox(
        id=mailbox.pk,
        address=mailbox.address,
        display_name=mailbox.display_name,
        kind=mailbox.kind,
        usage=mailbox.usage,
        keep=mailbox.keep,
        sharing=mailbox.sharing,
        provider=mailbox.provider,
        owner=show_person(mailbox.owner),
        backfill_days=mailbox.backfill_days,
        state=cast(Any, mailbox.state),
        progress=schemas.Progress(
            listed=mailbox.listed_count,
            kept=mailbox.kept_count,
            filed=mailbox.filed_count,
            total=mailbox.listed_count if mailbox.import_planned_at else None,
            done=min(mailbox.done_count, mailbox.listed_count),
            seconds_left=None if left is None else round(left),
        ),
        last_synced_at=mailbox.last_synced_at,
        error=show_trouble(mailbox.error),
        created_at=mailbox.created_at,
        paused_at=mailbox.paused_at,
        folders_asking=mailbox.folders.filter(may_remove=False).exclude(held_code="").count(),
        next_look_at=mailbox.not_before if mailbox.is_resting(now) else None,
        permission=permission_of(mailbox),
        actions=sorted(offered(mailbox)),
        awaits_start=mailbox.awaits_start,
        **mailbox_settings.shown_settings(member, mailbox),
    )


def show_person(user: User) -> schemas.Person:
    return schemas.Person(id=user.pk, name=user.name, email=user.email)


def show_trouble(entry: catalogue.Entry | None) -> schemas.Trouble | None:
    return schemas.Trouble(code=entry.code, what=entry.what, fix=" ".join(entry.fix)) if entry else None


def show_step(step: CheckStep) -> schemas.CheckedStep:
    shown = schemas.CheckedStep(name=step.name, server=step.server, ok=step.ok, seconds=round(step.seconds, 3))
    if not step.ok or step.code:
        entry = catalogue.explain_check(step.code, **step.facts)
        shown.warning, shown.code, shown.title = step.ok, entry.code, entry.title
        shown.what, shown.fix, shown.who = entry.what, " ".join(entry.fix), entry.who
        shown.docs = f"{settings.BASE_URL}/{entry.docs}"
        shown.server_words = step.server_words or None
    return shown


def _first_failure(steps: list[CheckStep]) -> str:
    failed = next((step for step in steps if not step.ok), None)
    return catalogue.explain_check(failed.code, **failed.facts).what if failed else ""
