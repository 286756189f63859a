"""/settings/approvals/: who may connect which mailboxes, what members ask for, and what was decided."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from postroom.web.approvals_page import rows
from postroom.web.events.topics import stream_url
from postroom.web.forms.approvals import AnswerForm, AskForm, PolicyForm
from postroom.web.refusal import find_refusal, refusal_of
from postroom.web.rights import MemberRequest, administrators, own, signed_in
from postroom.web.ways import named
from postroom.workspaces import approval
from postroom.workspaces import members as people
from postroom.workspaces.approval import NotApproved, NotOpen
from postroom.workspaces.models import ApprovalRequest

GONE = "This request was decided or withdrawn meanwhile."


@signed_in
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    """Administrators decide here; members see what they asked for and what became of it."""
    return _page(request)


@administrators
@require_POST
def change_policy(request: MemberRequest) -> HttpResponse:
    form = PolicyForm(approval.policy_of(request.member.workspace), request.POST)
    if not form.is_valid():
        return _page(request, form)
    approval.change_policy(request.member, **form.decided())
    messages.success(request, "The rules are kept. Mailboxes that are connected stay as they are.")
    return redirect("approvals")


@signed_in
def ask(request: MemberRequest) -> HttpResponse:
    """A member asks for one mailbox; who need not ask is sent to connect it."""
    member = request.member
    asked = {name: request.GET.get(name, "")[:320] for name in ("provider", "address", "kind")}
    form = AskForm(request.POST or None, initial=asked)
    refusal = find_refusal(member, asked["provider"], asked["address"], asked["kind"]) if asked["provider"] else None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            approval.ask(member, typed["provider"], typed["address"], typed["kind"], typed["words"])
        except ValueError:
            messages.success(request, f"You may connect {typed['address']} without asking.")
            return redirect("connect")
        except NotApproved as refused:
            refusal = refusal_of(member, typed["provider"], refused.verdict)
        else:
            messages.success(request, "Your request is on its way. You are told when it was decided.")
            return redirect("approvals")
    context = {
        "section": "settings",
        "settings_page": "approvals",
        "form": form,
        "refusal": refusal if refusal and refusal.is_final else None,
        "administrators": named(people.administrators(member.workspace_id)),
    }
    return render(request, "postroom/approvals/ask.html", context, status=422 if form.errors else 200)


@administrators
@require_POST
def grant(request: MemberRequest, request_id: UUID) -> HttpResponse:
    form = AnswerForm(request.POST, needs_words=False)
    try:
        granted = approval.grant(request.member, request_id, form.cleaned_data["answer"] if form.is_valid() else "")
    except ApprovalRequest.DoesNotExist:
        raise Http404 from None
    except NotOpen:
        messages.error(request, GONE)
    else:
        messages.success(request, f"{granted.user} may connect {granted.address} now.")
    return redirect("approvals")


@administrators
@require_POST
def refuse(request: MemberRequest, request_id: UUID) -> HttpResponse:
    own(approval.requests(request.member), request_id)
    form = AnswerForm(request.POST, needs_words=True)
    if not form.is_valid():
        messages.error(request, "Say in a few words why not: the member reads it.")
        return redirect("approvals")
    try:
        refused = approval.refuse(request.member, request_id, form.cleaned_data["answer"])
    except ApprovalRequest.DoesNotExist:
        raise Http404 from None
    except NotOpen:
        messages.error(request, GONE)
    else:
        messages.success(request, f"{refused.user} is told that {refused.address} is not to be connected.")
    return redirect("approvals")


@signed_in
@require_POST
def withdraw(request: MemberRequest, request_id: UUID) -> HttpResponse:
    try:
        approval.withdraw(request.member, request_id)
    except ApprovalRequest.DoesNotExist:
        raise Http404 from None
    except NotOpen:
        messages.error(request, GONE)
    else:
        messages.success(request, "Your request is withdrawn.")
    return redirect("approvals")


def _page(request: MemberRequest, form: PolicyForm | None = None) -> HttpResponse:
    member = request.member
    context: dict[str, Any] = {
        "section": "settings",
        "settings_page": "approvals",
        "topic": approval.approvals_topic(member.workspace_id),
        "events_url": stream_url(member, [approval.approvals_topic(member.workspace_id)]),
        **rows(member),
    }
    if member.can_administer:
        context["form"] = form or PolicyForm(approval.policy_of(member.workspace))
    status = 422 if form is not None and form.errors else 200
    return render(request, "postroom/approvals/index.html", context, status=status)
