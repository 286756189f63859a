"""/settings/mailboxes/connect/ and the check that its form starts. Nothing is saved before every step has passed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from asgiref.sync import async_to_sync
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes import connect
from postroom.web import check_words, checking
from postroom.web.forms.mailboxes import ConnectForm
from postroom.web.rights import MemberRequest, signed_in

STREAM_HEADER = "Postroom-Stream"


@signed_in
@require_safe
def form(request: MemberRequest) -> HttpResponse:
    return _page(request, ConnectForm(initial={"address": request.GET.get("address", "")}))


@signed_in
@require_POST
@never_cache
def check(request: MemberRequest) -> HttpResponseBase:
    """Run the check: live to a page with script, whole to one without."""
    typed = ConnectForm(request.POST)
    is_live = STREAM_HEADER in request.headers
    if not typed.is_valid():
        return _stream(checking.refusal_lines(typed)) if is_live else _page(request, typed)
    if is_live:
        return _stream(checking.lines(request.member, typed.request()))
    return _check_whole(request, typed)


def _check_whole(request: MemberRequest, typed: ConnectForm) -> HttpResponse:
    try:
        async_to_sync(connect.connect)(request.member, typed.request())
    except connect.AlreadyConnected:
        return _page(request, typed, verdict=checking.already_connected(typed.cleaned_data["address"]))
    except connect.CheckFailed as failed:
        rows = {
            server: {
                "title": title,
                "steps": [checking.step_html(step) for step in failed.steps if step.server == server],
                "state": checking.state_html(failed.steps, server, running=False),
            }
            for server, title in check_words.SERVERS.items()
        }
        return _page(request, typed, rows=rows, verdict=checking.verdict_html(failed.steps))
    return redirect("mailboxes")


def _page(request: MemberRequest, typed: ConnectForm, **report: object) -> HttpResponse:
    context = {"section": "settings", "form": typed, **report}
    return render(request, "postroom/connect/connect.html", context, status=422 if typed.errors else 200)


def _stream(lines: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    response["X-Accel-Buffering"] = "no"
    return response
