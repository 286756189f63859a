"""What Settings > Apps says about each registration: its state in a word, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from django.db.models import Q
from django.utils import timezone

from postroom.mailboxes.models import OAuthApp
from postroom.mailboxes.oauth_apps import EXPIRES_SOON, AppState, app_states, oauth_of, oauth_providers
from postroom.providers import catalogue
from postroom.providers.oauth import OAuth
from postroom.web.ways import AskedScope, by_name, words_template
from postroom.workspaces.models import Workspace


@dataclass(frozen=True, slots=True)
class AppCard:
    """One registration, or its place. `mark` is the state's class; `trouble` the catalogue's entry of a refusal."""

    state: AppState
    mark: str
    word: str
    what: str
    trouble: catalogue.Entry | None
    is_next: bool = False

    @property
    def provider(self) -> str:
        return self.state.provider

    @property
    def title(self) -> str:
        return self.state.title

    @property
    def owner(self) -> str:
        return self.state.owner

    @property
    def oauth(self) -> OAuth:
        return oauth_of(self.provider)

    @property
    def environment(self) -> str:
        return self.oauth.environment

    @property
    def is_set_up(self) -> bool:
        return self.state.settings is not None

    @property
    def from_environment(self) -> bool:
        return self.state.settings is not None and self.state.settings.from_environment

    @property
    def can_be_removed(self) -> bool:
        return self.is_set_up and not self.from_environment

    @property
    def is_next_to_use(self) -> bool:
        """Whether it works and nobody has connected a mailbox by it."""
        return self.is_set_up and self.trouble is None and not self.mailbox_count

    @property
    def mailbox_count(self) -> int:
        return self.state.mailbox_count

    @property
    def trouble_words(self) -> str:
        return self.state.error_words

    @property
    def expires_on(self) -> date | None:
        return self.state.settings.secret_expires_on if self.state.settings else None

    @property
    def register_template(self) -> str:
        return words_template(self.provider, "register.html")

    @property
    def scopes(self) -> dict[str, list[AskedScope]]:
        """What the registration has to name in the provider's console, by the way that mailboxes are read."""
        return {way: by_name(scopes) for way, scopes in self.oauth.scopes.items()}

    @property
    def way(self) -> str:
        return self.state.settings.way if self.state.settings else "api"

    @property
    def address_fits(self) -> bool:
        """Whether providers take our redirect address: https, or http on this very machine."""
        address = urlsplit(self.state.redirect_uri)
        return address.scheme == "https" or address.hostname in ("localhost", "127.0.0.1", "::1")


def app_cards(workspace: Workspace) -> list[AppCard]:
    """Every provider that asks for a registration; the first that is missing is the next to set up."""
    found = [_card(state) for state in app_states(workspace)]
    missing = [card.provider for card in found if not card.is_set_up]
    nothing_yet = len(missing) == len(found)
    return [
        AppCard(card.state, card.mark, card.word, card.what, card.trouble, nothing_yet and card.provider == missing[0])
        for card in found
    ]


def alarms(workspace: Workspace) -> Sequence[AppCard]:
    """The registrations that an administrator has to look after: refused, or about to expire.

    Every page of an administrator asks this; one look at the rows says that there is nothing to say.
    """
    soon = timezone.now().date() + EXPIRES_SOON
    troubled = OAuthApp.objects.filter(workspace=workspace).filter(~Q(error_code="") | Q(secret_expires_on__lte=soon))
    if not (troubled.exists() or any(map(_names_a_day, oauth_providers()))):
        return ()
    return [card for card in map(_card, app_states(workspace)) if card.mark in ("bad", "warn")]


def _names_a_day(provider: str) -> bool:
    """Whether the operator's environment says when its secret expires."""
    return bool(os.environ.get(f"POSTROOM_{oauth_of(provider).environment}_SECRET_EXPIRES_ON"))


def _card(state: AppState) -> AppCard:
    if state.settings is None:
        return AppCard(state, "", "Not set up", f"Takes about ten minutes in {state.owner}'s console.", None)
    if state.error_code:
        trouble = catalogue.explain(state.error_code, provider=state.owner, owner=state.owner, host=state.owner)
        word = "Secret unreadable" if state.error_code == "app_secret_unreadable" else "Refused"
        return AppCard(state, "bad", word, f"{trouble.title}. {_stopped(state)}", trouble)
    if state.expires_soon:
        return AppCard(state, "warn", *_expiry(state), None)
    whence = ", from the environment" if state.settings.from_environment else ""
    return AppCard(state, "ok", f"Ready{whence}", _connected(state.mailbox_count), None)


def _expiry(state: AppState) -> tuple[str, str]:
    day = state.settings.secret_expires_on if state.settings else None
    assert day is not None
    said = f"{day:%-d %B %Y}"
    what = f"Make a new secret at {state.owner} and save it in Settings > Apps. {_connected(state.mailbox_count)}"
    return (f"Secret expired on {said}" if day <= timezone.now().date() else f"Secret expires on {said}"), what


def _stopped(state: AppState) -> str:
    count = state.mailbox_count
    if not count:
        return "No mailbox can be connected until it is mended."
    return f"{count} {'mailboxes wait' if count > 1 else 'mailbox waits'} until it is mended; nobody has to reconnect."


def _connected(count: int) -> str:
    if not count:
        return "No mailbox is connected by it yet."
    return f"{count} {'mailboxes are' if count > 1 else 'mailbox is'} connected by it."
