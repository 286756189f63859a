"""A member's way to a provider's sign-in page and back (RFC 6749 section 4.1, RFC 9700).

`begin` sends off, `arrivals.arrive` receives. A journey belongs to one browser session, user, workspace and provider;
its state is used once, at most 15 minutes later. Only digests of what must come back are stored; PKCE verifier and
nonce are sealed. Where the provider's administrator has to approve first, a second state of the journey takes him
through that in his own browser, and the page that waits is told.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from postroom.mailboxes import same_account, sealing
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.models import Grant, Journey, Mailbox
from postroom.mailboxes.oauth_apps import AppSettings, approval_return_url, find_app_without_secret, oauth_of
from postroom.providers.oauth import Way
from postroom.providers.oauth_client import Proofs, authorization_url
from postroom.workspaces import events
from postroom.workspaces.approval import NotApproved, may_connect
from postroom.workspaces.members import Member

LONGEST = timedelta(minutes=15)
APPROVAL_LONGEST = timedelta(days=14)  # somebody else has to find the time
KEPT = timedelta(days=30)
_PLACE = {"table": "mailboxes_journey", "column": "sealed"}
_TYPED = (
    *("address", "kind", "display_name", "usage", "keep", "sharing", "backfill_days", "sign_in_user"),
    "awaits_start",
)


class AppMissing(Exception):
    """The workspace has no registration at this provider."""

    code = "app_missing"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes. The address holds the state: redirect there and keep it nowhere."""

    url: str = field(repr=False)
    journey_id: UUID


@dataclass(frozen=True, slots=True)
class JourneyState:
    """What the page of a journey shows. `outcome` is "", "connected", "reconnected" or a code of the catalogue."""

    journey_id: UUID
    provider: str
    outcome: str
    address: str  # of the mailbox that is to be connected; "" where any will do
    facts: dict[str, Any]
    mailbox: Mailbox | None
    is_approved: bool
    approval_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a journey keeps sealed."""

    verifier: str = field(repr=False)
    nonce: str = field(repr=False)
    approval: str = field(repr=False)


def journey_topic(journey_id: UUID) -> str:
    """The topic of the event stream that says "this journey can go on"."""
    return f"journey:{journey_id}"


def begin(
    member: Member, session_key: str, provider: str, request: ConnectRequest, mailbox: Mailbox | None = None
) -> Departure:
    """Send a member off to connect `request`, or to reconnect `mailbox`. Raises AppMissing, Mailbox.DoesNotExist, and
    NotApproved where the workspace does not let him connect such a mailbox.

    `request.address` is the address that is expected to come back, "" where any will do; with another
    `request.sign_in_user` that one signs in and the mailbox of the address is opened with that person's rights.
    """
    if mailbox is not None:
        mailbox = _reconnectable(member, provider, mailbox.pk)
    typed = {name: value for name, value in asdict(request).items() if name in _TYPED}
    return _depart(member, session_key, provider, typed, mailbox)


def begin_again(member: Member, session_key: str, journey_id: UUID) -> Departure:
    """Send the member off once more, with all that was typed; consent is asked for anew. Raises as `begin`."""
    journey = own_journeys(member).get(pk=journey_id)
    mailbox = _reconnectable(member, journey.provider, journey.mailbox_id) if journey.mailbox_id else None
    is_approved = journey.approved_at is not None  # then nobody has to be asked
    return _depart(member, session_key, journey.provider, journey.request, mailbox, asks_consent=not is_approved)


def _reconnectable(member: Member, provider: str, mailbox_id: UUID) -> Mailbox:
    """The mailbox, if the member may change it and that provider can open it: tokens never go to another one's API."""
    opened_by = (provider, oauth_of(provider).servers.provider)
    return manageable_mailboxes(member).get(pk=mailbox_id, provider__in=opened_by)


def own_journeys(member: Member) -> Any:
    """The member's own journeys in this workspace: nobody else sees one."""
    return Journey.objects.filter(workspace=member.workspace, user=member.user).select_related("mailbox")


def journey_state(member: Member, journey_id: UUID) -> JourneyState:
    """Raises Journey.DoesNotExist."""
    journey = own_journeys(member).get(pk=journey_id)
    return JourneyState(
        journey.pk,
        journey.provider,
        journey.outcome,
        str(journey.request.get("address") or ""),
        journey.facts,
        journey.mailbox,
        journey.approved_at is not None,
        approval_url(journey),
    )


def approval_url(journey: Journey) -> str:
    """The link to forward to the provider's administrator; "" where the provider has none."""
    app = find_app_without_secret(journey.workspace_id, journey.provider)
    if app is None or not app.endpoints.admin_consent:
        return ""
    # A page that serves all tenants cannot be approved for all: it asks the administrator for his own.
    shared = oauth_of(journey.provider).default_tenant
    endpoint = app.endpoints.admin_consent.replace(f"/{shared}/", "/organizations/") if shared else ""
    query = {
        "client_id": app.client_id,
        "scope": app.oauth.asked(way_of(journey.request), is_shared=is_shared(journey.request)),
        "redirect_uri": approval_return_url(journey.provider),
        "state": unseal(journey).approval,
    }
    return f"{endpoint or app.endpoints.admin_consent}?{urlencode(query)}"


def approve(provider: str, query: Mapping[str, str]) -> bool:
    """Take note of an administrator's approval, once; the page that waits goes on. False: it was none.

    Whoever holds the link may say so without signing in here, and what the address says besides (`tenant`) is not
    believed: all that follows is that the member is sent to the sign-in page again.
    """
    waiting = Journey.objects.filter(
        provider=provider,
        approval_digest=digest(query.get("state", "")),
        approved_at=None,
        created_at__gt=timezone.now() - APPROVAL_LONGEST,
    )
    if query.get("error") or query.get("admin_consent", "").lower() != "true":
        return False
    with transaction.atomic():
        journey = waiting.select_for_update().first()
        if journey is None:
            return False
        journey.approved_at = timezone.now()
        journey.approval_digest = ""
        journey.save(update_fields=["approved_at", "approval_digest"])
        events.notify(journey_topic(journey.pk))
    return True


def finish(journey: Journey, outcome: str, facts: dict[str, Any], mailbox: Mailbox | None = None) -> None:
    """Note how the journey ended."""
    # What the address said is among them, and PostgreSQL takes no NUL.
    journey.outcome, journey.facts = outcome, {name: str(value).replace("\0", "") for name, value in facts.items()}
    journey.mailbox = mailbox or journey.mailbox
    journey.save(update_fields=["outcome", "facts", "mailbox"])
    events.notify(journey_topic(journey.pk))


def prune() -> None:
    """Forget journeys that nobody can go on with any more."""
    Journey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def is_shared(typed: Mapping[str, Any]) -> bool:
    """Whether somebody signs in to open the mailbox of another address."""
    who, address = str(typed.get("sign_in_user") or ""), str(typed.get("address") or "")
    return bool(who) and bool(address) and who.lower() != address.lower()


def way_of(typed: Mapping[str, Any]) -> Way:
    """By the provider's own interface, or by its servers."""
    return "servers" if typed.get("way") == "servers" else "api"


def expected_address(typed: Mapping[str, Any]) -> str:
    """The address that has to sign in; "" where any will do."""
    return str(typed.get("sign_in_user") or typed.get("address") or "").lower()


def unseal(journey: Journey) -> Kept:
    """Raises sealing.Unsealable."""
    plain = sealing.unseal(bytes(journey.sealed), row_id=journey.pk, workspace_id=journey.workspace_id, **_PLACE)
    return Kept(**json.loads(plain))


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _depart(
    member: Member,
    session_key: str,
    provider: str,
    typed: dict[str, Any],
    mailbox: Mailbox | None,
    *,
    asks_consent: bool = False,
) -> Departure:
    app = find_app_without_secret(member.workspace_id, provider)
    if app is None:
        raise AppMissing
    verdict = may_connect(member, provider, str(typed.get("address") or ""), str(typed.get("kind") or ""))
    if mailbox is None and not verdict.allowed:
        raise NotApproved(verdict)
    known = _known(mailbox, app, str(typed.get("sign_in_user") or "")) if mailbox is not None else {}
    typed = typed | {"way": app.way} | known
    proofs, approval = Proofs.make(), secrets.token_urlsafe(32)
    journey = Journey(
        workspace=member.workspace,
        user=member.user,
        mailbox=mailbox,
        provider=provider,
        session_digest=digest(session_key),
        state_digest=digest(proofs.state),
        address=expected_address(typed),
        request=typed,
        approval_digest=digest(approval) if app.endpoints.admin_consent else "",
    )
    plain = json.dumps({"verifier": proofs.verifier, "nonce": proofs.nonce, "approval": approval}).encode()
    journey.sealed = sealing.seal(plain, row_id=journey.pk, workspace_id=member.workspace_id, **_PLACE)
    journey.save()
    url = authorization_url(
        app.oauth,
        app.registration,
        proofs,
        scope=app.oauth.asked(way_of(typed), is_shared=is_shared(typed)),
        login_hint=journey.address,
        asks_consent=asks_consent,
    )
    return Departure(url, journey.pk)


def _known(mailbox: Mailbox, app: AppSettings, wanted_user: str) -> dict[str, Any]:
    """What a reconnected mailbox keeps: its address, who signed in for it, and the way, whatever new ones take.

    Somebody else may sign in (`wanted_user`) for a mailbox that is opened with a person's rights, as when that person
    leaves: which mailbox it is, its address says.
    """
    grant = Grant.objects.filter(mailbox=mailbox).first()
    user = grant.sign_in_user if grant else ""
    if wanted_user and same_account.is_delegated(mailbox, grant) and wanted_user.lower() != mailbox.address.lower():
        user = wanted_user
    return {
        "address": mailbox.address,
        "kind": mailbox.kind,
        "sign_in_user": user,
        "way": "servers" if mailbox.provider == app.servers.provider else "api",
    }
