"""What may be done with a submission: undo while it is queued; dismiss when it failed; decide when nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from postroom.outbox import submit
from postroom.outbox.access import visible_submissions
from postroom.outbox.composition import SubmitRefused
from postroom.outbox.models import Submission
from postroom.records.models import RecordType
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_POST
def cancel(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    submission = own(visible_submissions(request.member), submission_id)
    if _decided(request, lambda: submit.cancel(request.member, submission)):
        messages.success(request, "Undone: the message was not sent. Here it is, to go on writing.")
        return redirect(f"{reverse('write')}?again={submission.pk}")
    return redirect(record_url(submission))


@signed_in
@require_POST
def dismiss(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    submission = own(visible_submissions(request.member), submission_id)
    _decided(request, lambda: submit.dismiss(request.member, submission))
    return redirect(_back(request, submission))


@signed_in
@require_POST
def look(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    submission = own(visible_submissions(request.member), submission_id)
    if _decided(request, lambda: submit.check_again(request.member, submission)):
        messages.success(request, "Looking in the Sent folder again.")
    return redirect(record_url(submission))


@signed_in
@require_POST
def mark_sent(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    submission = own(visible_submissions(request.member), submission_id)
    if _decided(request, lambda: submit.mark_as_sent(request.member, submission)):
        messages.success(request, "Marked as sent.")
    return redirect(record_url(submission))


@signed_in
@require_POST
def again(request: MemberRequest, submission_id: UUID) -> HttpResponse:
    submission = own(visible_submissions(request.member), submission_id)
    if _decided(request, lambda: submit.send_again(request.member, submission)):
        messages.success(request, "Sending it again.")
    return redirect(record_url(submission))


def _decided(request: MemberRequest, decide: Callable[[], object]) -> bool:
    """Run a decision; tell the member when it came too late or was not his."""
    try:
        decide()
    except SubmitRefused as refused:
        messages.error(request, refused.words)
        return False
    return True


def _back(request: MemberRequest, submission: Submission) -> str:
    """Home when it was dismissed there, else its record."""
    return reverse("home") if request.POST.get("from") == "home" else record_url(submission)


def record_url(submission: Submission) -> str:
    """The emails of the record it was sent from; home without one."""
    if submission.record_id and submission.record_type == RecordType.CONTACT:
        return reverse("contact_emails", args=[submission.record_id])
    if submission.record_id and submission.record_type == RecordType.DEAL:
        return reverse("deal_emails", args=[submission.record_id])
    return reverse("home")
