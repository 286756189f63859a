"""The ways of connecting that lead over a provider's own sign-in page, and the words about each.

What is the same everywhere comes from the provider's `OAuth`; what a provider's people see in its console and on its
error pages stands in templates/postroom/providers/<provider>/.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import Http404

from postroom.mailboxes.oauth_apps import AppSettings, find_app_without_secret
from postroom.providers import registry
from postroom.providers.base import Provider
from postroom.providers.oauth import OAuth, Scope
from postroom.workspaces.members import Member, administrators
from postroom.workspaces.models import User


@dataclass(frozen=True, slots=True)
class AskedScope:
    """A permission as the provider's console names it, with all that it is for."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Way:
    """One provider that is connected by signing in there. `app` is None while no administrator has set it up."""

    provider: str
    title: str
    oauth: OAuth
    app: AppSettings | None
    opens_shared: bool
    administrators: str

    @property
    def owner(self) -> str:
        return self.oauth.owner

    @property
    def domains(self) -> tuple[str, ...]:
        return self.oauth.domains

    @property
    def is_ready(self) -> bool:
        return self.app is not None

    @property
    def asked(self) -> tuple[str, ...]:
        """What will be asked for, in our words, each once."""
        way = self.app.way if self.app else "api"
        return tuple(dict.fromkeys(scope.words for scope in self.oauth.scopes[way] if not scope.for_shared))

    @property
    def asked_for_shared(self) -> tuple[str, ...]:
        """What will be asked for besides, for a mailbox that nobody signs in as."""
        way = self.app.way if self.app else "api"
        return tuple(dict.fromkeys(scope.words for scope in self.oauth.scopes[way] if scope.for_shared))

    @property
    def not_asked(self) -> tuple[str, ...]:
        return self.oauth.not_asked

    @property
    def pitch_template(self) -> str:
        return words_template(self.provider, "pitch.html")

    @property
    def failed_there_template(self) -> str:
        return words_template(self.provider, "failed_there.html")


def words_template(provider: str, name: str) -> str:
    """The template with a provider's own words."""
    return f"postroom/providers/{provider}/{name}"


def ways(member: Member) -> list[Way]:
    """Every provider that is connected by signing in, ready or not."""
    return [_way(member, provider) for provider in registry.PROVIDERS.values() if provider.oauth is not None]


def way_to(member: Member, name: str) -> Way:
    """The way to one provider; Http404 for a provider that is unknown or connected by a password."""
    provider = registry.PROVIDERS.get(name)
    if provider is None or provider.oauth is None:
        raise Http404
    return _way(member, provider)


def oauth_of(name: str) -> OAuth:
    """How permission is had at that provider; Http404 as above."""
    provider = registry.PROVIDERS.get(name)
    if provider is None or provider.oauth is None:
        raise Http404
    return provider.oauth


def by_name(scopes: Iterable[Scope]) -> list[AskedScope]:
    """The scopes as a console lists them: one that several features need stands there once, with all its words."""
    words: dict[str, list[str]] = {}
    for scope in scopes:
        words.setdefault(scope.name, []).append(scope.words)
    return [AskedScope(name, ". ".join(dict.fromkeys(said))) for name, said in words.items()]


def named(people: list[User]) -> str:
    """Whom to ask: "Alice Moreau", "Alice Moreau or Dana Petrova", "Alice Moreau, Dana Petrova or 2 others"."""
    names = [str(person) for person in people]
    if not names:
        return "an administrator"
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} others"]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _way(member: Member, provider: Provider) -> Way:
    assert provider.oauth is not None
    return Way(
        provider.name,
        provider.title,
        provider.oauth,
        find_app_without_secret(member.workspace_id, provider.name),
        provider.capabilities.opens_shared,
        named(administrators(member.workspace_id)),
    )
