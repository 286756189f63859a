"""What the page of approvals shows, and how many requests wait, on every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from postroom.providers import registry
from postroom.workspaces import approval
from postroom.workspaces.members import Member
from postroom.workspaces.models import ApprovalRequest

SHOWN_DECIDED: Final = 50
_MARKS: Final = {"asked": "busy", "granted": "ok", "refused": "bad", "withdrawn": ""}
_WORDS: Final = {"asked": "Waiting", "granted": "Granted", "refused": "Refused", "withdrawn": "Withdrawn"}


@dataclass(frozen=True, slots=True)
class Row:
    """A request with its words; `connect_url` is there for the member who may connect it now."""

    request: ApprovalRequest
    provider: str
    mark: str
    word: str
    is_mine: bool
    connect_url: str


def rows(member: Member) -> dict[str, list[Row]]:
    """The open requests and the latest others that the member may see, as the template names them."""
    seen = approval.requests(member)
    waiting = seen.filter(state=ApprovalRequest.State.ASKED)
    decided = seen.exclude(state=ApprovalRequest.State.ASKED).order_by("-decided_at")[:SHOWN_DECIDED]
    return {"waiting": [_row(member, one) for one in waiting], "decided": [_row(member, one) for one in decided]}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: how many requests wait for this member's decision. Lazy, for pages without the frame."""
    member: Member | None = getattr(request, "member", None)
    if member is None or not member.can_administer:
        return {"approvals_waiting": 0}
    return {"approvals_waiting": SimpleLazyObject(lambda: approval.waiting(member).count())}


def _row(member: Member, request: ApprovalRequest) -> Row:
    provider = registry.PROVIDERS.get(request.provider)
    is_used = request.used_at is not None
    is_mine = request.user_id == member.user.pk
    may_connect = is_mine and request.state == ApprovalRequest.State.GRANTED and not is_used
    return Row(
        request,
        provider.title if provider else request.provider,
        _MARKS[request.state],
        "Connected" if is_used else _WORDS[request.state],
        is_mine,
        _connect_url(request) if may_connect else "",
    )


def _connect_url(request: ApprovalRequest) -> str:
    """The provider's own page with the address in it; where servers are to be found, the page that looks at once."""
    provider = registry.PROVIDERS.get(request.provider)
    by_sign_in = provider is not None and provider.oauth is not None
    if by_sign_in:
        return f"{reverse('connect_at', args=[request.provider])}?{urlencode({'address': request.address})}"
    return f"{reverse('connect')}?{urlencode({'request': request.pk})}"
