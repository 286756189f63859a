"""/settings/mailboxes/<id>/: one mailbox with its folders, what was done with it, its pause and its questions."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from postroom.mailboxes import connect, folder_choice, pause, questions
from postroom.mailboxes.access import manageable_mailboxes, visible_mailboxes
from postroom.mailboxes.models import Folder, mailbox_topic
from postroom.web.connection_test_page import test_panel
from postroom.web.events.topics import stream_url
from postroom.web.forms.mailboxes import AnswerForm, FolderForm
from postroom.web.health_page import chart
from postroom.web.mailbox_card import card
from postroom.web.mailbox_page import earlier_lines, folder_rows, newer_lines, newest_lines
from postroom.web.not_now import refusal_told
from postroom.web.proof_panel import proof_panel
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_safe
def show(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    if request.htmx and not visible_mailboxes(request.member).filter(pk=mailbox_id).exists():
        # The page lay open while somebody else disconnected the mailbox: nothing on it works any more.
        messages.success(request, "The mailbox of the page is not here any more. Somebody has disconnected it.")
        return HttpResponseClientRedirect(reverse("mailboxes"))
    mailbox = own(visible_mailboxes(request.member), mailbox_id)
    context = {
        "section": "settings",
        "settings_page": "mailboxes",
        "card": card(request.member, mailbox),
        "health": chart(mailbox),
        "folders": folder_rows(mailbox),
        "panel": proof_panel(request.member, mailbox),
        "test": test_panel(request.member, mailbox),
        "journal": newest_lines(mailbox),
        "most_days": connect.MAX_BACKFILL_DAYS,
        "events_url": stream_url(request.member, [mailbox_topic(mailbox.pk)]),
    }
    return render(request, "postroom/mailboxes/show.html", context)


@signed_in
@require_safe
def journal(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """A part of the journal: `?before=` goes on where the page ends, `?after=` is what came since."""
    if request.htmx and not visible_mailboxes(request.member).filter(pk=mailbox_id).exists():
        return HttpResponse(status=204)  # the page leaves (show)
    mailbox = own(visible_mailboxes(request.member), mailbox_id)
    if "before" in request.GET:
        lines = earlier_lines(mailbox, _id_of(request.GET["before"]))
        is_newer = False
    else:
        after = request.GET.get("after", "")
        lines = newer_lines(mailbox, _id_of(after) if after else None)
        is_newer = True
    context = {"mailbox": mailbox, "journal": lines, "is_newer": is_newer, "after": request.GET.get("after", "")}
    name = "_journal_lines" if request.htmx else "journal"
    return render(
        request, f"postroom/mailboxes/{name}.html", context | {"section": "settings", "settings_page": "mailboxes"}
    )


def _id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


@signed_in
@require_POST
def choose_folders(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """Keep which folders are read. The form names the folders it showed, so that one that came since stays as it is."""
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    form = FolderForm(mailbox, request.POST)
    if not form.is_valid():
        messages.error(request, "A folder of the page is gone by now. Look again and choose anew.")
    elif folder_choice.choose_folders(request.member, mailbox, form.wanted):
        messages.success(request, "The choice is kept. Messages that are already on records stay.")
    else:
        messages.success(request, "Nothing was changed.")
    return redirect("mailbox", mailbox_id)


@signed_in
@require_POST
def pause_mailbox(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    with refusal_told(request):
        pause.pause(request.member, mailbox)
        messages.success(request, f"{mailbox.address} is paused. What arrives meanwhile stays on the server.")
    return redirect("mailbox", mailbox_id)


@signed_in
@require_POST
def resume_mailbox(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    pause.resume(request.member, mailbox)
    messages.success(request, f"{mailbox.address} goes on where it was.")
    return redirect("mailbox", mailbox_id)


@signed_in
def question(request: MemberRequest, mailbox_id: UUID, folder_id: UUID) -> HttpResponse:
    """What a folder asks, for whoever may answer."""
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    folder = own(Folder.objects.filter(mailbox=mailbox), folder_id)
    asked = questions.question_of(folder)
    if asked is None:
        messages.success(request, f"The question about {folder} is settled.")
        return redirect("mailbox", mailbox_id)
    form = AnswerForm(asked, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, questions.answer(request.member, folder, form.cleaned_data["answer"]))
        except questions.NotAsked:
            messages.error(request, f"Meanwhile the question about {folder} changed. Look at it again.")
        return redirect("mailbox", mailbox_id)
    context = {
        "section": "settings",
        "settings_page": "mailboxes",
        "mailbox": mailbox,
        "folder": folder,
        "question": asked,
        "form": form,
    }
    return render(request, "postroom/mailboxes/question.html", context, status=422 if form.errors else 200)
