"""/approvals and /connect-policy: who may connect which mailboxes, asking for one, and deciding."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from ninja import Router, Schema, Status
from ninja.decorators import decorate_view
from pydantic import AfterValidator, Field

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.fields import MailAddress, Name, Text
from postroom.api.find import one
from postroom.api.idempotency import idempotent
from postroom.api.paging import PageOf, PageQuery, page
from postroom.api.problems import Problem, unfit
from postroom.mail.address import is_valid
from postroom.mailboxes.models import Kind
from postroom.providers import catalogue, registry
from postroom.workspaces import approval
from postroom.workspaces.members import Member
from postroom.workspaces.models import Allowed, ApprovalRequest, ConnectPolicy, User

MOST_DOMAINS: Final = 500

router = Router(tags=["approvals"])
policy = Router(tags=["approvals"])


def _domain(value: str) -> str:
    domain = value.strip().lstrip("@").lower()
    if "." not in domain or not is_valid(f"x@{domain}"):
        raise ValueError("A domain looks like company.example.")
    return domain


Words = Annotated[Text, Field(max_length=approval.LONGEST_WORDS)]
Domain = Annotated[Name, Field(max_length=253), AfterValidator(_domain)]


class ApprovalIn(Schema):
    """A mailbox that you ask to connect. `words` say why you need it."""

    provider: Name
    address: MailAddress
    kind: Kind = Kind.PERSONAL
    words: Words = ""


class Decision(Schema):
    """What the member reads with the decision."""

    answer: Words = ""


class Refusal(Schema):
    """Why not: the member reads it."""

    answer: Annotated[Text, Field(min_length=1, max_length=approval.LONGEST_WORDS)]


class Approval(Schema):
    """A request: asked, granted, refused or withdrawn. `used_at`: when the mailbox was connected by it."""

    id: UUID
    provider: str
    address: str
    kind: str
    words: str
    state: str
    asked_by: schemas.Person
    asked_at: datetime
    decided_by: schemas.Person | None
    decided_at: datetime | None
    answer: str
    used_at: datetime | None


class Policy(Schema):
    """What members may connect: everyone, ask or nobody, by provider and by kind; the strictest that fits decides.

    A provider that is not named is everyone's. With `domains` addresses of others need an approval. Administrators may
    connect everything.
    """

    providers: dict[str, Allowed]
    personal: Allowed
    shared: Allowed
    domains: list[str]


class PolicyChange(Schema):
    providers: dict[str, Allowed] | None = None
    personal: Allowed | None = None
    shared: Allowed | None = None
    domains: Annotated[list[Domain], Field(max_length=MOST_DOMAINS)] | None = None


@router.get("", response=schemas.Page[Approval])
def list_approvals(request: ApiRequest, asked: PageQuery = PageOf) -> schemas.Page[Approval]:
    """Your requests; everybody's for owners and admins."""
    return page(approval.requests(request.auth), asked, schemas.Page[Approval], show_approval)


@router.post("", response={201: Approval})
@decorate_view(idempotent)
def ask_for_approval(request: ApiRequest, body: ApprovalIn) -> Status[Approval]:
    """Ask to connect a mailbox. While one about it waits, that one is answered with the new words.

    422 where you may connect it without asking, 403 `approval_needed` where nobody but administrators may.
    """
    if body.provider not in registry.PROVIDERS:
        raise unfit("provider", f"Choose one of: {', '.join(sorted(registry.PROVIDERS))}.")
    try:
        asked = approval.ask(request.auth, body.provider, body.address, body.kind, body.words)
    except ValueError as error:
        raise unfit("address", "You may connect this mailbox without asking.") from error
    except approval.NotApproved as refused:
        raise not_approved(refused) from refused
    return Status(201, show_approval(asked))


@router.get("/{uuid:approval_id}", response=Approval)
def read_approval(request: ApiRequest, approval_id: UUID) -> Approval:
    """One request and what became of it."""
    return show_approval(one(approval.requests(request.auth), approval_id))


@router.post("/{uuid:approval_id}/grant", response=Approval)
def grant_approval(request: ApiRequest, approval_id: UUID, body: Decision) -> Approval:
    """Let the member connect that mailbox, once. Owners and admins. 409 `not_open` when it was decided meanwhile."""
    return _decide(request.auth, approval_id, lambda: approval.grant(request.auth, approval_id, body.answer))


@router.post("/{uuid:approval_id}/refuse", response=Approval)
def refuse_approval(request: ApiRequest, approval_id: UUID, body: Refusal) -> Approval:
    """Say no, with a reason. Owners and admins. 409 `not_open` when it was decided meanwhile."""
    return _decide(request.auth, approval_id, lambda: approval.refuse(request.auth, approval_id, body.answer))


@router.post("/{uuid:approval_id}/withdraw", response=Approval)
def withdraw_approval(request: ApiRequest, approval_id: UUID) -> Approval:
    """Take your own request back. 409 `not_open` when it was decided meanwhile, or is not yours."""
    try:
        return show_approval(approval.withdraw(request.auth, approval_id))
    except ApprovalRequest.DoesNotExist as error:
        raise Problem("not_found") from error
    except approval.NotOpen as error:
        raise Problem("not_open") from error


@policy.get("", response=Policy)
def read_policy(request: ApiRequest) -> Policy:
    """What members may connect."""
    return show_policy(approval.policy_of(request.auth.workspace))


@policy.patch("", response=Policy)
def change_policy(request: ApiRequest, body: PolicyChange) -> Policy:
    """Change what members may connect. Owners and admins. Mailboxes that are connected stay."""
    if not request.auth.can_administer:
        raise Problem("not_allowed")
    unknown = set(body.providers or {}) - registry.PROVIDERS.keys()
    if unknown:
        raise unfit("providers", f"There is no provider {', '.join(sorted(unknown))}.")
    now = approval.policy_of(request.auth.workspace)
    changed = approval.change_policy(
        request.auth,
        providers=now.providers if body.providers is None else body.providers,
        personal=body.personal or now.personal,
        shared=body.shared or now.shared,
        domains=now.domains if body.domains is None else body.domains,
    )
    return show_policy(changed)


def not_approved(refused: approval.NotApproved) -> Problem:
    """Why a mailbox may not be connected, in the catalogue's words; `reason` is its code, `may_ask` the way out."""
    entry = catalogue.explain(refused.code, **refused.facts)
    waiting = refused.verdict.request
    return Problem(
        "approval_needed",
        entry.what,
        reason=refused.code,
        may_ask=refused.verdict.asks,
        approval_id=str(waiting.pk) if waiting is not None else None,
    )


def show_approval(request: ApprovalRequest) -> Approval:
    return Approval(
        id=request.pk,
        provider=request.provider,
        address=request.address,
        kind=request.kind,
        words=request.words,
        state=request.state,
        asked_by=_person(request.user),
        asked_at=request.asked_at,
        decided_by=_person(request.decided_by) if request.decided_by else None,
        decided_at=request.decided_at,
        answer=request.answer,
        used_at=request.used_at,
    )


def show_policy(policy: ConnectPolicy) -> Policy:
    return Policy(
        providers={name: Allowed(level) for name, level in policy.providers.items()},
        personal=Allowed(policy.personal),
        shared=Allowed(policy.shared),
        domains=policy.domains,
    )


def _decide(member: Member, approval_id: UUID, decide: Callable[[], ApprovalRequest]) -> Approval:
    one(approval.requests(member), approval_id)
    if not member.can_administer:
        raise Problem("not_allowed")
    try:
        return show_approval(decide())
    except approval.NotOpen as error:
        raise Problem("not_open") from error


def _person(user: User) -> schemas.Person:
    return schemas.Person(id=user.pk, name=user.name, email=user.email)
