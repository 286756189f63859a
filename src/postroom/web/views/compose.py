"""/write/: a new message or an answer, from a record or without one."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from postroom.mail.message import Address
from postroom.mail.mime.plain import text_of_html
from postroom.outbox.models import State, Submission
from postroom.outbox.sender import Choice
from postroom.outbox.submit import UNDO_SECONDS, Composition, SubmitRefused, dismiss, submit
from postroom.web.forms.compose import ComposeForm, clean_html, html_of_text
from postroom.web.rights import MemberRequest, signed_in
from postroom.web.writing import Occasion, offered_value, senders, signed
from postroom.workspaces.members import Member

FIELDS: Final = {
    "text": "body",
    "html": "body",
    "mailbox_id": "mailbox",
    "from_address": "mailbox",
}  # the outbox's names of inputs → ours


@signed_in
def write(request: MemberRequest) -> HttpResponse:
    occasion = Occasion.find(request.member, request.GET)
    if request.method != "POST":
        return _page(request, occasion, _new_form(request, occasion))
    files = occasion.unsent.files if occasion.unsent else ()
    form = ComposeForm(request.POST, request.FILES, files=files)
    if not form.is_valid():
        return _page(request, occasion, form)
    try:
        submission = _submit_once(request.member, form, occasion)
    except SubmitRefused as refused:
        field = FIELDS.get(refused.field, refused.field)
        form.add_error(field if field in form.fields else None, refused.words)
        return _page(request, occasion, form)
    if occasion.unsent is not None:
        dismiss(request.member, occasion.unsent.submission)
    _tell(request, submission)
    return redirect(occasion.back_url)


def _submit_once(member: Member, form: ComposeForm, occasion: Occasion) -> Submission:
    """One opened composer makes one submission, however often its form arrives."""
    key = form.cleaned_data["key"]
    mine = Submission.objects.filter(workspace=member.workspace, author=member.user, pk=key)
    if already := mine.first():
        return already
    try:
        return submit(member, _composition(form, occasion), undo_seconds=UNDO_SECONDS, submission_id=key)
    except IntegrityError as error:  # the other click was faster
        if already := mine.first():
            return already
        words = "This composer was used already. Load the page again, and nothing is sent twice."
        raise SubmitRefused("key_taken", "form", words) from error


def _new_form(request: MemberRequest, occasion: Occasion) -> ComposeForm:
    known: dict[str, Any] = {
        "to": _line(occasion.to()),
        "cc": _line(occasion.cc(request.member)),
        "subject": occasion.subject,
    }
    unsent = occasion.unsent
    if unsent is None:
        choice = occasion.choice(request.member)
        return ComposeForm.new(body=signed(choice.signature) if isinstance(choice, Choice) else "", **known)
    body = clean_html(unsent.html) if unsent.html else html_of_text(unsent.text)
    return ComposeForm.new(files=unsent.files, bcc=_line(unsent.bcc), body=body, **known)


def _line(addresses: list[Address]) -> str:
    return ", ".join(str(address) for address in addresses)


def _composition(form: ComposeForm, occasion: Occasion) -> Composition:
    typed = form.cleaned_data
    return Composition(
        record_type=occasion.record_type,
        record_id=occasion.record_id,
        mailbox_id=typed["mailbox"].mailbox_id,
        from_address=typed["mailbox"].address,
        to=typed["to"],
        cc=typed["cc"],
        bcc=typed["bcc"],
        subject=typed["subject"],
        text=text_of_html(typed["body"]),
        html=typed["body"],
        in_reply_to=occasion.message.pk if occasion.message else None,
        attachments=_kept(form, occasion)
        + [(file.name, file.content_type or "application/octet-stream", file.read()) for file in typed["attachments"]],
    )


def _kept(form: ComposeForm, occasion: Occasion) -> list[tuple[str, str, bytes]]:
    """The files that a message written again takes along."""
    if occasion.unsent is None:
        return []
    files = [occasion.unsent.attachments[int(position)] for position in form.cleaned_data.get("kept", ())]
    return [(file.filename, file.content_type, file.content) for file in files]


def _tell(request: MemberRequest, submission: Submission) -> None:
    to = submission.to[0]["name"] or submission.to[0]["address"] if submission.to else "nobody"
    what = f"“{submission.subject}”" if submission.subject else "The message without a subject"
    if submission.state == State.QUEUED:
        undo = reverse("submission_cancel", args=[submission.pk])
        messages.success(request, f"{what} to {to} leaves in {UNDO_SECONDS:.0f} seconds.", extra_tags=undo)
    else:
        messages.success(request, f"{what} to {to} is on its way already.")


def _page(request: MemberRequest, occasion: Occasion, form: ComposeForm) -> HttpResponse:
    choice = occasion.choice(request.member)
    offered = senders(request.member)
    offered_from = offered_value(choice, offered)
    context = {
        "section": "write",
        "occasion": occasion,
        "form": form,
        "choice": choice,
        "senders": offered,
        "offered_from": offered_from,
        "chosen": form.data.get("mailbox", "") if form.is_bound else offered_from,
        "editor_media": form.media.render(attrs={"nonce": str(request.csp_nonce)}),  # type: ignore[attr-defined]
    }
    return render(request, "postroom/outbox/write.html", context, status=422 if form.errors else 200)
