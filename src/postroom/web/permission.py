"""What a mailbox that was connected at a provider's sign-in page says about it: who signed in, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from postroom.mailboxes.models import Grant, Identity, Mailbox, PushWatch
from postroom.outbox.app_notice import due
from postroom.providers import registry
from postroom.providers.oauth import OAuth, Scope, Way
from postroom.workspaces.approval import is_offered, policy_of
from postroom.workspaces.models import ConnectPolicy

SHOWN_COUNTDOWN: Final = (7, 1)  # days; 30 days before is a letter only
FEATURE_WORDS: Final = {"sign_in": "staying connected", "receiving": "receiving", "sending": "sending"}


@dataclass(frozen=True, slots=True)
class MissingScope:
    """A permission that was not given, and what is off without it."""

    words: str
    feature_words: str


@dataclass(frozen=True, slots=True)
class Permission:
    """`app` is the provider whose sign-in page gave it, `title` its name for people, `owner` the company's.

    `aliases` are addresses that the mailbox may send as besides its own; `not_offered` those at domains that the
    workspace does not allow. `pushed_until`: the provider has promised to tell of new mail until then; None where it is
    asked.
    """

    app: str
    title: str
    owner: str
    signed_in_as: str
    opens_other: bool  # the mailbox is not the account's own, but one that it may open
    is_revoked_there: bool  # disconnecting takes the permission back at the provider
    by_servers: bool
    allowed: tuple[str, ...]
    missing: tuple[MissingScope, ...]
    aliases: tuple[str, ...]
    not_offered: tuple[str, ...]
    pushed_until: datetime | None
    ends_at: datetime | None
    ends_soon: bool  # its owner has to sign in again within days


def permissions(mailboxes: Sequence[Mailbox]) -> dict[UUID, Permission]:
    """By mailbox, of those of one workspace that were connected at a sign-in page.

    One query where there is none, else four.
    """
    grants = Grant.objects.filter(mailbox__in=mailboxes).exclude(app="").defer("sealed")
    by_mailbox = {grant.mailbox_id: grant for grant in grants}
    if not by_mailbox:
        return {}
    aliases: dict[UUID, list[str]] = {}
    for identity in Identity.objects.filter(mailbox__in=by_mailbox, is_listed=True).order_by("address"):
        aliases.setdefault(identity.mailbox_id, []).append(identity.address)
    policy = policy_of(mailboxes[0].workspace)
    alive = PushWatch.objects.filter(mailbox__in=by_mailbox, expires_at__gt=timezone.now(), error_code="")
    watched = {watch.mailbox_id: watch.expires_at for watch in alive}
    return {
        mailbox.pk: _permission(
            mailbox, by_mailbox[mailbox.pk], aliases.get(mailbox.pk, []), watched.get(mailbox.pk), policy
        )
        for mailbox in mailboxes
        if mailbox.pk in by_mailbox and by_mailbox[mailbox.pk].app in registry.PROVIDERS
    }


def ends_soon(grant: Grant, now: datetime) -> bool:
    """Whether pages count it down: not of one that is over, or refused already."""
    if grant.dies_at is None or grant.dies_at <= now or grant.refused_code:
        return False
    return due(grant.dies_at - now, grant.dies_at - grant.updated_at) in SHOWN_COUNTDOWN


def missing_words(scopes: Iterable[Scope]) -> tuple[MissingScope, ...]:
    """Each permission that was not given, for people."""
    return tuple(MissingScope(scope.words, FEATURE_WORDS[scope.feature]) for scope in scopes)


def _permission(
    mailbox: Mailbox, grant: Grant, listed: list[str], pushed_until: datetime | None, policy: ConnectPolicy
) -> Permission:
    provider = registry.PROVIDERS[grant.app]
    oauth = provider.oauth
    assert oauth is not None
    way: Way = "api" if mailbox.provider == grant.app else "servers"
    opens_other = bool(grant.sign_in_user) and grant.sign_in_user.lower() != mailbox.address.lower()
    missing = oauth.missing(way, grant.scope, is_shared=opens_other)
    others = [alias for alias in listed if alias.lower() != mailbox.address.lower()]
    aliases = tuple(alias for alias in others if is_offered(policy, alias, mailbox.address))
    return Permission(
        app=grant.app,
        title=provider.title,
        owner=oauth.owner,
        signed_in_as=grant.sign_in_user or mailbox.address,
        opens_other=opens_other,
        is_revoked_there=bool(oauth.endpoints.revoke),
        by_servers=way == "servers",
        allowed=_allowed(oauth, way, missing, is_shared=opens_other),
        missing=missing_words(missing),
        aliases=aliases,
        not_offered=tuple(alias for alias in others if alias not in aliases),
        pushed_until=pushed_until,
        ends_at=grant.dies_at,
        ends_soon=ends_soon(grant, timezone.now()),
    )


def _allowed(oauth: OAuth, way: Way, missing: tuple[Scope, ...], *, is_shared: bool) -> tuple[str, ...]:
    asked = (scope for scope in oauth.scopes[way] if is_shared or not scope.for_shared)
    return tuple(dict.fromkeys(scope.words for scope in asked if scope not in missing))
