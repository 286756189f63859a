"""The tabs of a contact and of a deal: Overview, Emails, Notes; adding a note, deleting the record."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from postroom.filing.access import find_message
from postroom.filing.explain import why
from postroom.filing.threads import thread_of
from postroom.records.access import notes as notes_of
from postroom.records.models import Contact
from postroom.records.notes import add_note
from postroom.web.connection_test_page import latest_with
from postroom.web.forms.records import NoteForm
from postroom.web.open_thread import OpenThread
from postroom.web.record_page import RecordPage, by_day, coverage, find_page, frame, load_timeline
from postroom.web.rights import MemberRequest, signed_in

OVERVIEW_ENTRIES = 5


@signed_in
@require_safe
def overview(request: MemberRequest, kind: str, record_id: UUID) -> HttpResponse:
    page = find_page(request.member, kind, record_id)
    latest = load_timeline(request.member, page, limit=OVERVIEW_ENTRIES)
    context = frame(request.member, page, "overview") | {
        "days": by_day(latest.entries, timezone.now()),
        "coverage": coverage(request.member),
        "test": latest_with(request.member, page.record) if isinstance(page.record, Contact) else None,
        "source": request.get_full_path(),
    }
    return render(request, "postroom/records/overview.html", context)


@signed_in
@require_safe
def emails(request: MemberRequest, kind: str, record_id: UUID) -> HttpResponse:
    """The timeline, newest first. `?open=<message>` opens its thread in place, `?before=` shows an older page."""
    page = find_page(request.member, kind, record_id)
    shown = load_timeline(request.member, page, before=request.GET.get("before", "")[:200])
    opened = find_open_thread(request, page)
    entries = opened.beside(shown.entries) if opened else shown.entries
    context = frame(request.member, page, "emails") | {
        "days": by_day(entries, timezone.now()),
        "next": shown.next,
        "opened": opened,
        "is_opened_above": opened is not None and not opened.is_among(entries),
        "coverage": coverage(request.member),
        "source": request.get_full_path(),
    }
    if opened:
        context["events_url"] = opened.stream_url(request.member, page)
    return render(request, "postroom/records/emails.html", context)


def find_open_thread(request: MemberRequest, page: RecordPage) -> OpenThread | None:
    """The thread that the address opens; None for none, for a foreign one and for nonsense."""
    try:
        message_id = UUID(request.GET["open"])
    except (KeyError, ValueError):
        return None
    message = find_message(request.member, message_id)
    if message is None:
        return None
    return OpenThread.of(thread_of(request.member, message), message, why(request.member, message), page)


@signed_in
def notes(request: MemberRequest, kind: str, record_id: UUID) -> HttpResponse:
    page = find_page(request.member, kind, record_id)
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            add_note(request.member, page.record_type, page.pk, form.cleaned_data["text"])
            return redirect(page.notes_url)
        except ValidationError as refused:
            form.add_error("text", refused)
    written = notes_of(request.member, page.record_type, page.pk).select_related("author").order_by("-created_at")
    context = frame(request.member, page, "notes") | {"form": form, "notes": written}
    return render(request, "postroom/records/notes.html", context, status=422 if form.errors else 200)


def deleted(request: MemberRequest, name: str, to: str) -> HttpResponse:
    messages.success(request, f"{name} is deleted. The mail stays in its mailboxes.")
    return redirect(to)
