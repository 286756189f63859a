"""What a workspace's administrators let its members connect, and the members' requests for more.

Every way of connecting a mailbox asks here: before anything is tried (`may_connect`), and once more in the transaction
that saves the mailbox (`use`), where an approval is used up. Administrators may connect everything, since they could
change the policy too. A mailbox that is connected stays so whatever is decided later, and is reconnected without
asking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from postroom.mail.address import address_key
from postroom.workspaces import audit, events
from postroom.workspaces.database import lock_workspace, orm_connection
from postroom.workspaces.members import Member, as_of_now
from postroom.workspaces.models import Allowed, ApprovalRequest, ConnectPolicy, Membership, Workspace

LONGEST_WORDS: Final = 1000
MOST_A_DAY: Final = 20  # requests of one member, withdrawn ones too: each is a letter to every administrator
_STRICTEST_LAST: Final = (Allowed.EVERYONE, Allowed.ASK, Allowed.NOBODY)
State = ApprovalRequest.State


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a member may connect a mailbox. If not, `code` of the catalogue says why, and `asks` whether he may ask.

    `request` is what he asked before about this mailbox, while it waits or after it was refused.
    """

    allowed: bool
    asks: bool = False
    code: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    request: ApprovalRequest | None = None


class NotApproved(Exception):
    """The workspace does not let this member connect this mailbox."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.code = verdict.code
        self.facts = verdict.facts
        super().__init__(verdict.code)


class NotOpen(Exception):
    """The request was decided or withdrawn meanwhile."""


def approvals_topic(workspace_id: UUID) -> str:
    """The topic of the event stream that says "a request was made or decided"."""
    return f"approvals:{workspace_id}"


def policy_of(workspace: Workspace) -> ConnectPolicy:
    """The workspace's policy; one that allows everything, and is not stored, where nobody has decided yet."""
    return ConnectPolicy.objects.filter(workspace=workspace).first() or ConnectPolicy(workspace=workspace)


@transaction.atomic
def change_policy(
    member: Member, *, providers: Mapping[str, str], personal: str, shared: str, domains: Sequence[str]
) -> ConnectPolicy:
    """Store what an administrator decided. `domains` as people write them; none: addresses of any domain."""
    # Two administrators may decide at once, and for the first time.
    lock_workspace(orm_connection(), member.workspace_id)
    policy = policy_of(member.workspace)
    policy.providers = {name: level for name, level in sorted(providers.items()) if level != Allowed.EVERYONE}
    policy.personal, policy.shared = personal, shared
    policy.domains = sorted({_domain_of(f"x@{domain}") for domain in domains})
    policy.save()
    audit.record(member, "connect_policy.changed", _in_words(policy))
    return policy


def may_connect(member: Member, provider: str, address: str, kind: str) -> Verdict:
    """Whether the member may connect this mailbox. `provider` is whose sign-in page or server form it is.

    `address` is "" where only the provider's sign-in page will tell it: then its domain is not judged yet, and an
    approval for whatever address there will do to leave.
    """
    why = _refusal(member, provider, address, kind)
    if not why or _granted(member, provider, address, kind).exists():
        return Verdict(allowed=True)
    facts = {"address": address, "domain": _domain_of(address), "kind": kind}
    if why == "connect_not_allowed":
        return Verdict(allowed=False, code=why, facts=facts)
    last = _of_mailbox(member, provider, address, kind).exclude(state=State.WITHDRAWN).last() if address else None
    if last is not None and last.state == State.ASKED:
        return Verdict(allowed=False, code="approval_waits", facts=facts, request=last)
    if last is not None and last.state == State.REFUSED:
        facts["answer"] = last.answer.strip().rstrip(".") or "no reason was given"
        return Verdict(allowed=False, asks=True, code="approval_refused", facts=facts, request=last)
    return Verdict(allowed=False, asks=True, code=why, facts=facts)


def use(member: Member, provider: str, address: str, kind: str) -> None:
    """Use up the member's approval for this mailbox, where he needs one. Raises NotApproved.

    Call it in the transaction that saves the mailbox: of two that use one approval, the second waits and finds none.
    """
    if not _refusal(member, provider, address, kind):
        return
    first = _granted(member, provider, address, kind).select_for_update().first()
    if first is None:
        raise NotApproved(may_connect(member, provider, address, kind))
    first.used_at = timezone.now()
    first.save(update_fields=["used_at"])


def is_offered(policy: ConnectPolicy, alias: str, of: str) -> bool:
    """Whether an address that a provider lets the mailbox `of` send as may be written from here.

    Who says which domains are connected says which ones people write from. A mailbox's own domain is among them,
    however it came to be connected; subdomains are domains of their own.
    """
    return not policy.domains or _domain_of(alias) in {*policy.domains, _domain_of(of)}


def has_grant(member: Member, provider: str, address: str, kind: str) -> bool:
    """Whether an administrator has allowed the member this mailbox, and it is not connected yet."""
    return _granted(member, provider, address, kind).exists()


def requests(member: Member) -> QuerySet[ApprovalRequest]:
    """The requests a member may see, newest first: his own, and as administrator everybody's."""
    found = ApprovalRequest.objects.filter(workspace=member.workspace).select_related("user", "decided_by")
    return (found if member.can_administer else found.filter(user=member.user)).order_by("-asked_at", "-pk")


def waiting(member: Member) -> QuerySet[ApprovalRequest]:
    """The requests that wait for this member's decision: none for who decides nothing."""
    return requests(member).filter(state=State.ASKED) if member.can_administer else ApprovalRequest.objects.none()


@transaction.atomic
def ask(member: Member, provider: str, address: str, kind: str, words: str = "") -> ApprovalRequest:
    """Ask the administrators to be let connect a mailbox. Who asks again while one waits says it in other words.

    Raises NotApproved where nothing is to be asked: nobody may connect such a mailbox, or he asked for MOST_A_DAY;
    ValueError where he need not.
    """
    Membership.objects.select_for_update(of=("self",)).get(pk=member.membership.pk)  # of two clicks one asks
    verdict = may_connect(member, provider, address, kind)
    if verdict.allowed:
        raise ValueError("This mailbox needs no approval.")
    if verdict.request is not None and verdict.request.state == State.ASKED:
        verdict.request.words = words[:LONGEST_WORDS]
        verdict.request.save(update_fields=["words"])
        return verdict.request
    if not verdict.asks:
        raise NotApproved(verdict)
    own = ApprovalRequest.objects.filter(workspace=member.workspace, user=member.user)
    if own.filter(asked_at__gt=timezone.now() - timedelta(days=1)).count() >= MOST_A_DAY:
        raise NotApproved(replace(verdict, asks=False, code="approval_limit"))
    asked = ApprovalRequest.objects.create(
        workspace=member.workspace,
        user=member.user,
        provider=provider,
        # As DNS spells it: who decides sees letters, and "ı" is no "i".
        address=address if address.isascii() else address_key(address),
        kind=kind,
        words=words[:LONGEST_WORDS],
    )
    audit.record(member, "approval.asked", f"{address} ({provider}, {kind})")
    events.notify(approvals_topic(member.workspace_id))
    return asked


def grant(member: Member, request_id: UUID, answer: str = "") -> ApprovalRequest:
    """Let the member connect that mailbox, once. Raises ApprovalRequest.DoesNotExist and NotOpen."""
    return _decide(member, waiting(member), request_id, State.GRANTED, answer)


def refuse(member: Member, request_id: UUID, answer: str = "") -> ApprovalRequest:
    """Say no, with the reason. Raises ApprovalRequest.DoesNotExist and NotOpen."""
    return _decide(member, waiting(member), request_id, State.REFUSED, answer)


def withdraw(member: Member, request_id: UUID) -> ApprovalRequest:
    """Take one's own request back. Raises ApprovalRequest.DoesNotExist and NotOpen."""
    own = requests(member).filter(user=member.user, state=State.ASKED)
    return _decide(member, own, request_id, State.WITHDRAWN, "")


@transaction.atomic
def _decide(
    member: Member, open_ones: QuerySet[ApprovalRequest], request_id: UUID, state: State, answer: str
) -> ApprovalRequest:
    request = open_ones.select_for_update(of=("self",)).filter(pk=request_id).first()
    if request is None:
        requests(member).get(pk=request_id)  # one the member does not see does not exist for him
        raise NotOpen
    request.state, request.answer = state, answer[:LONGEST_WORDS]
    request.decided_by, request.decided_at = member.user, timezone.now()
    request.save(update_fields=["state", "answer", "decided_by", "decided_at"])
    audit.record(member, f"approval.{state.value}", f"{request.address} ({request.provider}, {request.kind})")
    events.notify(approvals_topic(member.workspace_id))
    return request


def _refusal(member: Member, provider: str, address: str, kind: str) -> str:
    """Why the policy does not let the member connect it without an approval: a code, "" for no reason."""
    now = as_of_now(member)  # he may have asked long ago
    if now is None:
        return "connect_not_allowed"
    if now.can_administer:
        return ""
    policy = policy_of(member.workspace)
    levels = (
        policy.providers.get(provider, Allowed.EVERYONE),
        policy.personal if kind == "personal" else policy.shared,
    )
    strictest = max(levels, key=lambda level: _STRICTEST_LAST.index(Allowed(level)))
    if strictest == Allowed.NOBODY:
        return "connect_not_allowed"
    if address and policy.domains and _domain_of(address) not in policy.domains:
        return "connect_domain_not_listed"
    return "connect_needs_approval" if strictest == Allowed.ASK else ""


def _of_mailbox(member: Member, provider: str, address: str, kind: str) -> QuerySet[ApprovalRequest]:
    """The member's own requests about that mailbox, oldest first."""
    own = ApprovalRequest.objects.filter(
        workspace=member.workspace, user=member.user, provider=provider, kind=kind, used_at=None
    )
    if address:  # not by iexact: PostgreSQL's capital of "ı" is "I", and that may be somebody else's domain
        key = address_key(address)
        own = own.filter(pk__in=[pk for pk, asked in own.values_list("pk", "address") if address_key(asked) == key])
    return own.order_by("asked_at", "pk")


def _granted(member: Member, provider: str, address: str, kind: str) -> QuerySet[ApprovalRequest]:
    return _of_mailbox(member, provider, address, kind).filter(state=State.GRANTED)


def _domain_of(address: str) -> str:
    """As addresses are compared: lower case, and in one form where the name is an international one."""
    return address_key(address).rpartition("@")[2] if address else ""


def _in_words(policy: ConnectPolicy) -> str:
    """What an audit entry says of it."""
    kinds = f"personal {policy.personal}, shared {policy.shared}"
    providers = ", ".join(f"{name} {level}" for name, level in policy.providers.items())
    domains = f"only {' '.join(policy.domains)}" if policy.domains else "any domain"
    return "; ".join(part for part in (kinds, providers, domains) if part)
