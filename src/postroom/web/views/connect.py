"""/settings/mailboxes/connect/: the address, what is found for it, and the check. Nothing is saved before it passed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode
from uuid import UUID

from asgiref.sync import async_to_sync
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes import connect
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.same_account import OtherAccount, OtherServer
from postroom.providers import registry
from postroom.providers.discovery.found import Look
from postroom.providers.errors import ProviderError
from postroom.web import check_words, checking, discovering
from postroom.web.forms.mailboxes import AddressForm, ConnectForm, found_settings, known_settings
from postroom.web.lines import STREAM_HEADER, stream
from postroom.web.refusal import closed_html
from postroom.web.rights import MemberRequest, own, signed_in
from postroom.web.ways import ways
from postroom.workspaces import approval
from postroom.workspaces.approval import NotApproved
from postroom.workspaces.members import Member
from postroom.workspaces.models import ApprovalRequest


@signed_in
@require_safe
@never_cache
def form(request: MemberRequest) -> HttpResponse:
    """Only the address; with ?mailbox= the settings of a connected mailbox, without its password.

    With ?request=, one of the member's own that was granted, its settings are looked for at once: by the page's script,
    and without one by a second request that has ?look= too. No other address is looked for by an address line alone.
    """
    mailbox = _find(request, request.GET.get("mailbox"))
    if mailbox is not None:
        return _page(request, ConnectForm(initial=known_settings(mailbox)), mailbox=mailbox)
    granted = _find_granted(request.member, request.GET.get("request", ""))
    address = granted.address if granted else request.GET.get("address", "")[:320]
    typed = AddressForm(initial={"address": address})
    if granted is None or connect.is_connected(request.member, address):
        return _page(request, typed, step="address")
    if "look" in request.GET:
        return _look(request, address, registry.discovery().looks(address))
    looks_at = f"{reverse('connect')}?{urlencode({'request': granted.pk, 'look': 1})}"
    return _page(request, typed, step="address", looks_at=looks_at)


@signed_in
@require_POST
@never_cache
def discover(request: MemberRequest) -> HttpResponseBase:
    """Look for the settings of an address, live to a page with script; by=hand asks for them instead."""
    typed = AddressForm(request.POST)
    is_live = STREAM_HEADER in request.headers
    if not typed.is_valid():
        return stream(discovering.refusal_lines(typed)) if is_live else _page(request, typed, step="address")
    address = typed.cleaned_data["address"]
    if connect.is_connected(request.member, address):
        closed = render_to_string("postroom/connect/_already_connected.html", {"address": address})
        return stream(discovering.closed_lines(closed)) if is_live else _page(request, typed, closed=closed)
    by_hand = request.POST.get("by") == "hand"
    looks = discovering.nowhere() if by_hand else registry.discovery().looks(address)
    if is_live:
        question = discovering.Question.of(request.member, address)
        context = {"member": request.member, "csrf_token": get_token(request)}
        return stream(discovering.lines(question, looks, context))
    return _look(request, address, looks)


@signed_in
@require_POST
@never_cache
def check(request: MemberRequest) -> HttpResponseBase:
    """Run the check: live to a page with script, whole to one without."""
    mailbox = _find(request, request.POST.get("mailbox"))
    typed = ConnectForm(_with_address(request.POST, mailbox))
    is_live = STREAM_HEADER in request.headers
    if not typed.is_valid():
        return stream(checking.refusal_lines(typed)) if is_live else _page(request, typed, mailbox=mailbox)
    if is_live:
        return stream(checking.lines(request.member, typed.request(), mailbox, typed.read_warnings))
    return _check_whole(request, typed, mailbox)


def _find_granted(member: Member, request_id: str) -> ApprovalRequest | None:
    """The member's own request, while it was granted and nothing is connected by it."""
    try:
        own_ones = approval.requests(member).filter(pk=UUID(request_id), user=member.user, used_at=None)
    except ValueError:
        return None
    return own_ones.filter(state=ApprovalRequest.State.GRANTED).first()


def _look(request: MemberRequest, address: str, looks: AsyncIterator[Look]) -> HttpResponse:
    """The whole page with what was found."""
    question = discovering.Question.of(request.member, address)
    told = async_to_sync(discovering.whole)(question, looks)
    typed = ConnectForm(initial=found_settings(address, told.found) | dict(question.granted))
    return _page(request, typed, findings=told, looks=discovering.looks_html(told))


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
    if mailbox is None and (closed := closed_html(request.member, wanted)):
        return _page(request, typed, verdict=closed)
    if told := checking.unread_warnings(checking.plain_text(wanted), typed.read_warnings):
        return _page(
            request, typed, mailbox=mailbox, verdict=checking.warnings_html(told, is_whole=True, was_tried=False)
        )
    try:
        steps = async_to_sync(connect.check_all)(wanted)
        unread = checking.unread_warnings(steps, typed.read_warnings)
        if steps and not unread and all(step.ok for step in steps):
            return redirect(checking.save(request.member, wanted.settled(steps), mailbox, typed.read_warnings))
    except (connect.AlreadyConnected, NotApproved):
        return _page(request, typed, verdict=closed_html(request.member, wanted))
    except OtherServer as moved:
        html = checking.moved_html(moved, typed.read_warnings, is_whole=True)
        return _page(request, typed, mailbox=mailbox, verdict=html)
    except (OtherAccount, connect.MailboxGone, ProviderError) as error:
        steps, unread = [*steps, checking.not_the_same(error)], []
    passed = all(step.ok for step in steps) and unread
    wrong = [] if passed else checking.whats_wrong(wanted, steps, mailbox)
    verdict = checking.warnings_html(unread, is_whole=True) if passed else checking.verdict_html(wrong)
    rows = {
        server: {
            "title": title,
            "steps": [checking.step_html(step) for step in steps if step.server == server],
            "state": checking.state_html(steps, server, running=False),
        }
        for server, title in check_words.SERVERS.items()
    }
    return _page(request, typed, mailbox=mailbox, rows=rows, verdict=verdict, step="check")


def _page(
    request: MemberRequest, typed: AddressForm | ConnectForm, *, step: str = "settings", **report: object
) -> HttpResponse:
    context = {"section": "settings", "form": typed, "ways": ways(request.member), "step": step, **report}
    return render(request, "postroom/connect/connect.html", context, status=422 if typed.errors else 200)
