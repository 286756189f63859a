"""/mailboxes/{id}/tests: send a small marked message and follow it."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from ninja import Router, Status
from ninja.decorators import decorate_view

from postroom.api import connection_test_schemas as schemas
from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.problems import Problem, unfit
from postroom.filing.connection_test import Progress, Step, follow
from postroom.mailboxes.access import visible_mailboxes
from postroom.outbox.composition import SubmitRefused
from postroom.outbox.connection_test import begin_test, visible_tests
from postroom.records.access import contacts

router = Router(tags=["mailboxes"])


@router.post("/{uuid:mailbox_id}/tests", response={202: schemas.ConnectionTest})
@decorate_view(idempotent)
def start_connection_test(
    request: ApiRequest, mailbox_id: UUID, body: schemas.ConnectionTestIn
) -> Status[schemas.ConnectionTest]:
    """Prove that the mailbox works: it writes a small marked message to itself, or to a contact. Read it to follow.

    422 `submit_refused` within half a minute of the last one to the same address, and where you may not send.
    """
    mailbox = one(visible_mailboxes(request.auth), mailbox_id)
    contact = None
    if body.contact_id is not None:
        contact = contacts(request.auth).filter(pk=body.contact_id).first()
        if contact is None:
            raise unfit("contact_id", "There is no such contact in this workspace.")
    elif body.address:
        raise unfit("contact_id", "Name the contact whose address this is.")
    try:
        test = begin_test(request.auth, mailbox, contact, address=body.address or "")
    except SubmitRefused as refused:
        fields = {refused.field: refused.words}
        raise Problem("submit_refused", refused.words, fields=fields, reason=refused.code) from refused
    return Status(202, show_test(follow(request.auth, test)))


@router.get("/{uuid:mailbox_id}/tests/{uuid:test_id}", response=schemas.ConnectionTest)
def read_connection_test(request: ApiRequest, mailbox_id: UUID, test_id: UUID) -> schemas.ConnectionTest:
    """How far the message came: accepted, in Sent, seen by sync, back in the mailbox or on the contact, answered."""
    test = one(visible_tests(request.auth).filter(mailbox_id=mailbox_id), test_id)
    return show_test(follow(request.auth, test))


def show_test(progress: Progress) -> schemas.ConnectionTest:
    test = progress.test
    return schemas.ConnectionTest(
        id=test.pk,
        mailbox_id=test.mailbox_id,
        contact_id=test.contact_id,
        address=test.address,
        submission_id=test.submission_id,
        started_at=test.started_at,
        state=cast(Any, progress.state),
        steps=[show_step(step) for step in progress.steps],
    )


def show_step(step: Step) -> schemas.TestStep:
    shown = schemas.TestStep(
        name=cast(Any, step.name),
        state=step.state.value,
        needed=step.is_needed,
        at=step.at,
        seconds=None if step.seconds is None else round(step.seconds, 3),
    )
    if (entry := step.entry) is not None:
        shown.code, shown.what, shown.who = entry.code, entry.what, entry.who
        shown.fix, shown.server_words = " ".join(entry.fix), step.server_words or None
        shown.docs = f"{settings.BASE_URL}/{entry.docs}"
    return shown
