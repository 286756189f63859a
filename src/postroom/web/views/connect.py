"""/settings/mailboxes/connect/ and the check that its form starts. Nothing is saved before every step has passed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from asgiref.sync import async_to_sync
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes import connect
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.same_account import OtherAccount
from postroom.providers import registry
from postroom.providers.errors import ProviderError
from postroom.web import check_words, checking
from postroom.web.forms.mailboxes import ConnectForm, known_settings
from postroom.web.rights import MemberRequest, own, signed_in
from postroom.web.ways import ways

STREAM_HEADER = "Postroom-Stream"


@signed_in
@require_safe
def form(request: MemberRequest) -> HttpResponse:
    """The empty form; with ?mailbox= the one of a connected mailbox, without its password."""
    mailbox = _find(request, request.GET.get("mailbox"))
    initial = known_settings(mailbox) if mailbox else {"address": request.GET.get("address", "")[:320]}
    return _page(request, ConnectForm(initial=initial), mailbox=mailbox)


@signed_in
@require_POST
@never_cache
def check(request: MemberRequest) -> HttpResponseBase:
    """Run the check: live to a page with script, whole to one without."""
    mailbox = _find(request, request.POST.get("mailbox"))
    typed = ConnectForm(_with_address(request.POST, mailbox))
    is_live = STREAM_HEADER in request.headers
    if not typed.is_valid():
        return _stream(checking.refusal_lines(typed)) if is_live else _page(request, typed, mailbox=mailbox)
    if is_live:
        return _stream(checking.lines(request.member, typed.request(), mailbox))
    return _check_whole(request, typed, mailbox)


def _find(request: MemberRequest, mailbox_id: str | None) -> Mailbox | None:
    """The connected mailbox that the form is about.

    Http404 for one that the member may not change, or that no password opens.
    """
    if not mailbox_id:
        return None
    try:
        mailbox = own(manageable_mailboxes(request.member), UUID(mailbox_id))
    except ValueError:
        raise Http404 from None
    if registry.provider(mailbox.provider).capabilities.needs_oauth:
        raise Http404
    return mailbox


def _with_address(typed: QueryDict, mailbox: Mailbox | None) -> QueryDict:
    """What was typed; a connected mailbox keeps its address."""
    if mailbox is None:
        return typed
    kept = typed.copy()
    kept["address"] = mailbox.address
    return kept


def _check_whole(request: MemberRequest, typed: ConnectForm, mailbox: Mailbox | None) -> HttpResponse:
    wanted = typed.request()
    try:
        if mailbox is None and connect.is_connected(request.member, wanted.address):
            raise connect.AlreadyConnected(wanted.address)
        steps = async_to_sync(connect.check_all)(wanted)
        if steps and all(step.ok for step in steps):
            checking.save(request.member, wanted, mailbox)
            return redirect("mailboxes")
    except connect.AlreadyConnected:
        return _page(request, typed, verdict=checking.already_connected(wanted.address))
    except (OtherAccount, ProviderError) as error:
        steps = [*steps, checking.not_the_same(error)]
    rows = {
        server: {
            "title": title,
            "steps": [checking.step_html(step) for step in steps if step.server == server],
            "state": checking.state_html(steps, server, running=False),
        }
        for server, title in check_words.SERVERS.items()
    }
    return _page(request, typed, mailbox=mailbox, rows=rows, verdict=checking.verdict_html(steps))


def _page(request: MemberRequest, typed: ConnectForm, **report: object) -> HttpResponse:
    context = {"section": "settings", "form": typed, "ways": ways(request.member), **report}
    return render(request, "postroom/connect/connect.html", context, status=422 if typed.errors else 200)


def _stream(lines: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    response["X-Accel-Buffering"] = "no"
    return response
