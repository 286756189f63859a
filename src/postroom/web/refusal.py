"""What a member sees who may not connect a mailbox without an approval: why, and the way to ask for it.

The connect pages include postroom/approvals/_banner.html with a `refusal`, or put `closed_html` where a check tells its
verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.template.loader import render_to_string
from django.urls import reverse

from postroom.mailboxes.connect import AlreadyConnected, ConnectRequest, require_open
from postroom.mailboxes.models import Kind
from postroom.providers import catalogue
from postroom.web.ways import named
from postroom.workspaces.approval import NotApproved, Verdict, has_grant, may_connect
from postroom.workspaces.members import Member, administrators

CODES: Final = (
    *("connect_needs_approval", "connect_domain_not_listed", "connect_not_allowed"),
    *("approval_waits", "approval_refused"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a mailbox may not be connected. `ask_url` is "" where nothing is to be asked, or the request waits."""

    entry: catalogue.Entry
    ask_url: str
    is_waiting: bool
    administrators: str

    @property
    def is_final(self) -> bool:
        return not self.ask_url and not self.is_waiting


def find_refusal(member: Member, provider: str, address: str, kind: str) -> Refusal | None:
    """Why the member may not connect this mailbox; None where he may. `address` "": one that nobody knows yet."""
    verdict = may_connect(member, provider, address, kind)
    return None if verdict.allowed else refusal_of(member, provider, verdict)


def find_flat_refusal(member: Member, provider: str, address: str) -> Refusal | None:
    """Why the member may not connect this address there, whosever mailbox it is: what waits, else where he may ask."""
    told = find_kind_refusals(member, provider, address)
    if len(told) < len(Kind.values):
        return None
    return min(told.values(), key=lambda refusal: (not refusal.is_waiting, refusal.is_final))


def find_kind_refusals(member: Member, provider: str, address: str) -> dict[str, Refusal]:
    """Why the member may not connect this address there, by whose mailbox it would be."""
    refusals = {kind: find_refusal(member, provider, address, kind) for kind in Kind.values}
    return {kind: refusal for kind, refusal in refusals.items() if refusal is not None}


def granted_kind(member: Member, provider: str, address: str) -> dict[str, str]:
    """What the form begins with where an administrator has allowed this mailbox: {"kind": …}; else {}."""
    granted = [kind for kind in Kind.values if has_grant(member, provider, address, kind)]
    return {"kind": granted[0]} if granted else {}


def refusal_of(member: Member, provider: str, verdict: Verdict) -> Refusal:
    """The verdict of a NotApproved in words."""
    query = {"provider": provider, "address": verdict.facts["address"], "kind": verdict.facts["kind"]}
    return Refusal(
        catalogue.explain(verdict.code, **verdict.facts),
        f"{reverse('approval_ask')}?{urlencode(query)}" if verdict.asks else "",
        verdict.code == "approval_waits",
        named(administrators(member.workspace_id)),
    )


def closed_html(member: Member, request: ConnectRequest) -> str:
    """Why this mailbox cannot be connected by this member, before anything is tried; "" where it can."""
    try:
        require_open(member, request)
    except AlreadyConnected:
        return render_to_string("postroom/connect/_already_connected.html", {"address": request.address})
    except NotApproved as refused:
        return refusal_html(member, request, refused)
    return ""


def refusal_html(member: Member, request: ConnectRequest, refused: NotApproved) -> str:
    """The banner alone, for a decision that came while the check ran."""
    refusal = refusal_of(member, request.asked_at, refused.verdict)
    return render_to_string("postroom/approvals/_banner.html", {"refusal": refusal})
