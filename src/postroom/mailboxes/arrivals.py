"""What comes back from a provider's sign-in page: checked in the order of what can be believed, then the mailbox.

1. The journey: state, session, user, workspace, provider, age; used up by one atomic update before anything else.
2. The answer: an error by name; `iss` where it is given (RFC 9207), so that no other provider's code is taken.
3. The code, exchanged once; the ID token, proven; who signed in, compared with who was expected.
4. What was granted, what lasts (a refresh token), and the mailbox itself: it is opened before it is saved.

Whoever is known to have signed in and gets no mailbox out of it has his permission given back (revocation.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.utils import timezone

from postroom.mailboxes import connect
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.connect import AlreadyConnected, ConnectRequest
from postroom.mailboxes.credentials import Granted
from postroom.mailboxes.journeys import LONGEST, Kept, digest, expected_address, finish, is_shared, unseal, way_of
from postroom.mailboxes.models import Grant, Journey, Mailbox
from postroom.mailboxes.oauth_apps import AppSettings, find_app, note_refusal, note_use
from postroom.mailboxes.revocation import give_back_later
from postroom.mailboxes.same_account import OtherAccount
from postroom.mailboxes.sealing import Unsealable
from postroom.providers import registry
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, ProviderError
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth import Scope
from postroom.providers.oauth_client import OAuthClient, Person, TokenAnswer, error_of
from postroom.workspaces import approval
from postroom.workspaces.members import Member


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a journey ended: "connected", "reconnected" or a code of the catalogue with its facts.

    `missing` are the permissions that were not given; the mailbox works without them as far as it can.
    """

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    mailbox: Mailbox | None = None
    journey_id: UUID | None = None
    missing: tuple[Scope, ...] = ()


class _Stop(Exception):
    """The journey ends here, with a code of the catalogue."""

    def __init__(self, code: str, **facts: Any) -> None:
        self.code = code
        self.facts = facts
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class _Fixed:
    """Tokens of a grant that is not saved yet."""

    token: str = field(repr=False)

    async def access_token(self, refused: str = "") -> str:
        if refused:
            raise NeedsReconnect("grant_revoked")
        return self.token


async def arrive(member: Member, session_key: str, provider: str, query: Mapping[str, str]) -> Arrival:
    """End the journey that this request comes from. Raises nothing of what may go wrong there."""
    journey = await sync_to_async(_take)(member, session_key, provider, query.get("state", ""))
    if isinstance(journey, Arrival):
        return journey
    missing: tuple[Scope, ...] = ()
    mailbox: Mailbox | None = None
    try:
        code, mailbox, missing = await _complete(member, journey, query)
        facts: dict[str, Any] = {"address": mailbox.address}
    except _Stop as stop:
        code, facts = stop.code, stop.facts
    except Unsealable:
        code, facts = "secret_unreadable", {}
    except ProviderError as error:
        code, facts = error.code, {**error.facts, "server_words": error.server_words}
        if isinstance(error, NeedsAdministrator) and code.startswith("app_secret"):
            await sync_to_async(note_refusal)(member.workspace_id, provider, error)
    owner = registry.provider(provider).oauth
    facts = {"provider": owner.owner if owner else provider, **facts}
    await sync_to_async(finish)(journey, code, facts, mailbox)
    return Arrival(code, facts, mailbox, journey.pk, missing)


def _take(member: Member, session_key: str, provider: str, state: str) -> Journey | Arrival:
    """The journey of this state, used up; or why there is none. Only the last update decides, so of two one loses."""
    found = Journey.objects.filter(state_digest=digest(state), workspace=member.workspace, user=member.user)
    journey = found.select_related("mailbox").first()
    if journey is None:
        return Arrival("journey_unknown")
    if journey.provider != provider:  # another provider's answer with this one's state: RFC 9700 section 4.4
        found.update(used_at=timezone.now())
        return Arrival("journey_mixed_up", journey_id=journey.pk)
    if journey.session_digest != digest(session_key):
        return Arrival("journey_other_browser", journey_id=journey.pk)
    taken = found.filter(
        used_at=None,
        provider=provider,
        session_digest=digest(session_key),
        created_at__gt=timezone.now() - LONGEST,
    ).update(used_at=timezone.now())
    if not taken:
        is_late = journey.used_at is None and journey.created_at <= timezone.now() - LONGEST
        mailbox = journey.mailbox if journey.outcome in ("connected", "reconnected") else None
        return Arrival("journey_late" if is_late else "journey_used", {}, mailbox, journey.pk)
    return journey


async def _complete(
    member: Member, journey: Journey, query: Mapping[str, str]
) -> tuple[str, Mailbox, tuple[Scope, ...]]:
    """From the answer's parameters to a saved mailbox. Raises _Stop or a ProviderError."""
    app = await sync_to_async(find_app)(member.workspace_id, journey.provider)
    if app is None:
        raise _Stop("app_missing")
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        client = OAuthClient(http, app.oauth, app.registration)
        if query.get("iss") and not client.believes(query["iss"]):
            raise _Stop("journey_mixed_up")
        if query.get("error"):
            words = f"{query['error']}: {query.get('error_description', '')}".strip(": ")[:500]
            raise error_of(app.oauth, query, server_words=words)
        if not query.get("code"):
            raise _Stop("journey_unknown")
        kept: Kept = await sync_to_async(unseal)(journey)
        answer = await client.exchange(query["code"], kept.verifier)
        person = await client.identify(answer, kept.nonce)
    finally:
        await http.close()
    await sync_to_async(note_use)(member.workspace_id, journey.provider)
    is_saved = False
    try:
        await sync_to_async(_compare)(journey, app, person)
        ended = await _save(member, journey, app, answer, person)
        is_saved = True
        return ended
    finally:  # whatever ends it: a refusal of ours, the mailbox that does not open, the window that was closed
        if not is_saved:
            await sync_to_async(give_back_later)(journey, person.subject, answer.refresh_token or answer.access_token)


def _compare(journey: Journey, app: AppSettings, person: Person) -> None:
    """Stop when somebody else signed in than the one who was expected, and name both."""
    expected = expected_address(journey.request)
    grant = Grant.objects.filter(mailbox=journey.mailbox).first() if journey.mailbox else None
    is_other_asked = grant is not None and expected != (grant.sign_in_user or expected).lower()
    if grant is not None and grant.app == app.provider and grant.subject and not is_other_asked:
        if grant.subject != person.subject:
            raise _Stop("wrong_account", expected=expected, address=person.address)
    elif expected and expected != person.address:
        raise _Stop("wrong_account", expected=expected, address=person.address)
    if not person.address:
        raise _Stop("identity_not_proven")


async def _save(
    member: Member, journey: Journey, app: AppSettings, answer: TokenAnswer, person: Person
) -> tuple[str, Mailbox, tuple[Scope, ...]]:
    shared, way = is_shared(journey.request), way_of(journey.request)
    scope = answer.scope or app.oauth.asked(way, is_shared=shared)
    features = app.oauth.granted(way, scope, is_shared=shared)
    missing = app.oauth.missing(way, scope, is_shared=shared)
    if not features & {"receiving", "sending"}:
        raise _Stop("permission_missing", permissions="; ".join(one.words for one in missing))
    if not answer.refresh_token:
        raise _Stop("refresh_token_missing")
    request = _request(journey, app, answer, person, scope)
    request = replace(request, off=frozenset({"receiving", "sending"}) - features)
    await _try_out(request)
    code, mailbox = await sync_to_async(_store)(member, journey, request)
    return code, mailbox, missing


def _request(journey: Journey, app: AppSettings, answer: TokenAnswer, person: Person, scope: str) -> ConnectRequest:
    typed, way = dict(journey.request), way_of(journey.request)
    typed.pop("way", None)
    now = timezone.now()
    lives = answer.refresh_life_seconds
    if lives is None and app.audience == "testing" and app.oauth.testing_days:
        lives = timedelta(days=app.oauth.testing_days).total_seconds()
    address = str(typed.get("address") or person.address)
    secrets: dict[str, Any] = {
        "oauth": {
            "access_token": answer.access_token,
            "refresh_token": answer.refresh_token,
            "client_id": app.client_id,
        }
    }
    provider = app.provider
    if way == "servers":
        provider = app.servers.provider
        secrets |= app.servers.settings(address)
    return ConnectRequest(
        **{**typed, "provider": provider, "address": address, "sign_in_user": person.address},
        secrets=secrets,
        granted=Granted(
            app=app.provider,
            subject=person.subject,
            scope=scope,
            expires_at=now + timedelta(seconds=answer.life_seconds),
            dies_at=now + timedelta(seconds=lives) if lives else None,
        ),
        tokens=_Fixed(answer.access_token),
    )


async def _try_out(request: ConnectRequest) -> None:
    """Open the mailbox as it will be opened. What was not granted need not work."""
    async for step in connect.check(request):
        if step.ok or ("sending" if step.server == "smtp" else "receiving") in request.off:
            continue
        raise _Stop(step.code, **step.facts, server_words=step.server_words)


def _store(member: Member, journey: Journey, request: ConnectRequest) -> tuple[str, Mailbox]:
    if journey.mailbox_id:
        mailbox = manageable_mailboxes(member).filter(pk=journey.mailbox_id).first()
        if mailbox is None:
            raise _Stop("mailbox_gone")
        try:
            connect.reconnect(member, mailbox, request)
        except OtherAccount as other:
            raise _Stop("wrong_account", **other.facts) from None
        except connect.MailboxGone as gone:
            raise _Stop(gone.code) from None
        code = "reconnected"
    else:
        try:
            mailbox = connect.store_mailbox(member, request)
        except AlreadyConnected:
            raise _Stop("address_connected", address=request.address) from None
        except approval.NotApproved as refused:
            raise _Stop(refused.code, **refused.facts) from None
        code = "connected"
    mailbox.refresh_from_db()
    return code, mailbox
