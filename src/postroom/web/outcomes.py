"""How a journey to a provider ended, in words, and the one next step that helps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string

from postroom.mailboxes.access import visible_mailboxes
from postroom.mailboxes.journeys import JourneyState, journey_topic
from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.oauth_apps import AppRefused
from postroom.providers import catalogue
from postroom.web.ways import Way, words_template
from postroom.workspaces.members import Member

ENDED_WELL: Final = ("connected", "reconnected")
# What the last journey cannot note itself, because it is another one's, over, or used already.
WHY: Final = ("journey_late", "journey_used", "journey_other_browser", "journey_mixed_up")
NEEDS_APPROVAL: Final = ("admin_approval_needed", "app_blocked_by_administrator")
# The provider refused our registration for everybody: the administrators have one alarm (oauth_apps.note_refusal).
ALARMED: Final = ("app_secret_refused", "app_secret_expired", "app_deleted")
AGAIN_WORDS: Final = {
    "wrong_account": "Sign in with the other account",
    "consent_missing": "Ask again",
    "consent_refused": "Ask again",
    "permission_missing": "Ask again",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One entry of the catalogue, and what the provider said."""

    entry: catalogue.Entry
    words: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What the provider's administrator gets: a link where there is one, and a letter."""

    url: str
    letter: str
    mailto: str
    steps_template: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The page of a journey. `entry` is None while nobody has come back, and after a good end.

    Of the buttons at most one is the primary one: `app_link` before `mailbox` before `again_words`.
    """

    state: JourneyState
    title: str
    entry: catalogue.Entry | None
    words: str
    awaits_approval: bool
    told_administrators: bool
    app_link: bool
    mailbox: Mailbox | None
    again_words: str

    @property
    def journey_id(self) -> UUID:
        return self.state.journey_id

    @property
    def not_allowed(self) -> list[str]:
        """The permissions that were not given, in our words."""
        return [words for words in str(self.state.facts.get("permissions") or "").split("; ") if words]

    @property
    def is_approved(self) -> bool:
        return self.awaits_approval and self.state.is_approved

    @property
    def again_is_next(self) -> bool:
        return not self.app_link and self.mailbox is None and (self.is_approved or not self.awaits_approval)

    @property
    def topic(self) -> str:
        return journey_topic(self.state.journey_id)


def refusal(refused: AppRefused, owner: str) -> Verdict:
    """Why a registration was not saved."""
    return Verdict(catalogue.explain_check(refused.code, **_facts({}, owner)), refused.words)


def verdict(code: str, facts: dict[str, object], owner: str) -> Verdict:
    """Why somebody came back without a mailbox."""
    said = _facts(facts, owner)
    return Verdict(catalogue.explain_check(code, **said), str(facts.get("server_words") or ""))


def outcome(member: Member, state: JourneyState, way: Way, why: str = "") -> Outcome:
    """What the page of a journey says to the member who made it. `why` he came back to it without a new end (WHY)."""
    if why in WHY and state.outcome not in ENDED_WELL:
        state = replace(state, outcome=why, facts={})
    code = state.outcome
    is_over = code in ENDED_WELL
    said = verdict(code, state.facts, way.owner) if code and not is_over else None
    is_apps_fault = said is not None and said.entry.who == "Postroom administrator"
    return Outcome(
        state=state,
        title=_title(state, way, said),
        entry=said.entry if said else None,
        words=said.words if said else "",
        awaits_approval=code in NEEDS_APPROVAL or not code,
        told_administrators=code in ALARMED and not member.can_administer,
        app_link=is_apps_fault and member.can_administer,
        mailbox=state.mailbox if is_over else _already(member, state),
        again_words="" if is_over or code == "address_connected" else _again_words(state, way),
    )


def approval(member: Member, state: JourneyState, way: Way) -> Approval:
    """What to send to the provider's administrator."""
    words = {
        "address": state.address or member.user.email,
        "base_url": settings.BASE_URL,
        "approval_url": state.approval_url,
        "client_id": way.app.client_id if way.app else "",
        "member": member.user,
    }
    letter = render_to_string(words_template(way.provider, "approval_letter.txt"), words).strip()
    mail = {"subject": "Approving an app for our mail", "body": letter}
    return Approval(
        state.approval_url,
        letter,
        f"mailto:?{urlencode(mail, quote_via=quote)}",
        words_template(way.provider, "approval.html"),
    )


def _title(state: JourneyState, way: Way, said: Verdict | None) -> str:
    if said is not None:
        return "The approval is there" if _is_approved(state) else said.entry.title
    if state.outcome:
        return f"Connected at {way.owner}"
    return "The approval is there" if state.is_approved else f"Not back from {way.owner} yet"


def _already(member: Member, state: JourneyState) -> Mailbox | None:
    """The mailbox that is connected already, as far as the member may see it."""
    if state.outcome != "address_connected":
        return None
    return visible_mailboxes(member).filter(address__iexact=state.facts.get("address", "")).first()


def _is_approved(state: JourneyState) -> bool:
    return state.is_approved and state.outcome in NEEDS_APPROVAL


def _again_words(state: JourneyState, way: Way) -> str:
    if state.is_approved or not state.outcome:
        return f"Go on to {way.owner}"
    return AGAIN_WORDS.get(state.outcome, "Try again")


def _facts(facts: dict[str, object], owner: str) -> dict[str, object]:
    return {"provider": owner, "owner": owner, "host": owner, **facts}
