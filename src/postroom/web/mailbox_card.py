"""What a mailbox's card says: three directions in words, the import in numbers, one problem with its cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from postroom.mailboxes.actions import Action, offered
from postroom.mailboxes.models import DirectionState, Folder, Mailbox
from postroom.mailboxes.progress import estimate, left_in_words
from postroom.mailboxes.questions import Question, question_of
from postroom.mailboxes.troubles import Trouble, fails_only_to_send, troubles_of
from postroom.web.health_page import History, histories
from postroom.web.permission import Permission, permissions
from postroom.workspaces.members import Member

PROVIDER_WORDS: Final = {"imap": "IMAP and SMTP", "gmail": "Gmail", "outlook": "Outlook", "memory": "Sandbox"}


@dataclass(frozen=True, slots=True)
class Direction:
    """Sign-in, receiving or sending: `mark` is the state's class, `hint` and `at` the small line below."""

    title: str
    mark: str
    word: str
    hint: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The running import. `left` in words, "" while nothing can be said."""

    done: int
    listed: int
    kept: int
    filed: int
    left: str

    @property
    def is_counting(self) -> bool:
        return self.listed == 0


@dataclass(frozen=True, slots=True)
class Rest:
    """The mailbox is left alone until `until`, after `failures` in a row that began at `since`."""

    until: datetime
    failures: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A folder that waits for an answer, and its question."""

    folder: Folder
    question: Question


@dataclass(frozen=True, slots=True)
class Card:
    mailbox: Mailbox
    directions: tuple[Direction, ...]
    progress: Progress | None
    rest: Rest | None
    asked: tuple[Asked, ...]
    can_change: bool
    is_mine: bool
    permission: Permission | None
    troubles: tuple[Trouble, ...]
    history: History

    @property
    def needs_you(self) -> bool:
        """Whether it waits for the one who looks at it: he may change it, and it does not pass by itself."""
        waits = bool(self.asked) or any(trouble.needs_a_person for trouble in self.troubles)
        return self.can_change and waits

    @property
    def offers(self) -> frozenset[Action]:
        """What makes sense now, for whoever may ask for it."""
        return offered(self.mailbox)

    @property
    def needs_reconnect_button(self) -> bool:
        """Whether signing in again, or other servers, may mend it, sending alone too, or keep it from stopping."""
        return (
            self.counts_down
            or bool(self.mailbox.error_code)
            or any(trouble.needs_a_person for trouble in self.troubles)
        )

    @property
    def counts_down(self) -> bool:
        """Whether its permission ends within days, while it works."""
        return self.permission is not None and self.permission.ends_soon and not self.troubles

    @property
    def off(self) -> str:
        """The directions that were not allowed at the provider's sign-in page, in words; "" for none."""
        states = {"receiving": self.mailbox.receiving_state, "sending": self.mailbox.sending_state}
        return " and ".join(name for name, state in states.items() if state == DirectionState.OFF).capitalize()

    @property
    def provider(self) -> str:
        if self.permission is not None and self.permission.by_servers:
            return f"{self.permission.title} by {PROVIDER_WORDS['imap']}"
        return PROVIDER_WORDS.get(self.mailbox.provider, self.mailbox.provider.title())

    @property
    def glyph(self) -> str:
        """The letter of the provider that was signed in at; "" for servers of one's own."""
        return self.permission.title[:1] if self.permission else ""


def cards(member: Member, mailboxes: Sequence[Mailbox]) -> list[Card]:
    """The cards of several mailboxes, with one query of each kind for all of them together."""
    asking = Folder.objects.filter(mailbox__in=mailboxes, may_remove=False).exclude(held_code="").order_by("held_at")
    by_mailbox: dict[UUID, list[Folder]] = {}
    for folder in asking:
        by_mailbox.setdefault(folder.mailbox_id, []).append(folder)
    allowed, pictures = permissions(mailboxes), histories(mailboxes)
    return [
        _card(member, mailbox, by_mailbox.get(mailbox.pk, []), allowed.get(mailbox.pk), pictures[mailbox.pk])
        for mailbox in mailboxes
    ]


def card(member: Member, mailbox: Mailbox) -> Card:
    """The card of one mailbox as `member` sees it. The owner has to be loaded."""
    return cards(member, [mailbox])[0]


def _card(
    member: Member, mailbox: Mailbox, asking: Sequence[Folder], permission: Permission | None, history: History
) -> Card:
    is_mine, now = mailbox.owner_id == member.user.pk, timezone.now()
    asked = tuple(Asked(folder, question) for folder in asking if (question := question_of(folder)))
    return Card(
        mailbox=mailbox,
        directions=(_sign_in(mailbox), _receiving(mailbox), _sending(mailbox)),
        progress=_progress(mailbox, now) if mailbox.has_open_import else None,
        rest=_rest(mailbox, now),
        asked=asked,
        can_change=is_mine or (member.can_administer and mailbox.kind == "shared"),
        is_mine=is_mine,
        permission=permission,
        troubles=troubles_of(mailbox),
        history=history,
    )


def _sign_in(mailbox: Mailbox) -> Direction:
    if mailbox.sign_in_state == DirectionState.FAILING or _is_locked_out(mailbox):
        return Direction("Sign-in", "bad", "Refused", "since", mailbox.error_at)
    if mailbox.sign_in_state == DirectionState.OK:
        return Direction("Sign-in", "ok", "Accepted", "since", mailbox.created_at)
    return Direction("Sign-in", "", "Not tried yet")


def _receiving(mailbox: Mailbox) -> Direction:
    if mailbox.receiving_state == DirectionState.OFF:
        return Direction("Receiving", "warn", "Off", "not allowed")
    if not mailbox.reads:
        return Direction("Receiving", "", "Off", "it only sends")
    if mailbox.paused_at:
        return Direction("Receiving", "warn", "Paused", "since", mailbox.paused_at)
    if _is_locked_out(mailbox):
        return Direction("Receiving", "warn", "Waiting", *_last("last looked", mailbox.last_synced_at))
    if mailbox.receiving_state == DirectionState.FAILING or (mailbox.error_code and not fails_only_to_send(mailbox)):
        return Direction("Receiving", "bad", "Interrupted", *_last("last looked", mailbox.last_synced_at))
    if mailbox.awaits_start:
        return Direction("Receiving", "", "Not begun", "waits for a yes")
    if mailbox.is_importing:
        return Direction(
            "Receiving", "busy", "Importing", *_last("new mail comes first, last", mailbox.last_received_at)
        )
    return Direction("Receiving", "ok", "Up to date", *_last("looked", mailbox.last_synced_at))


def _sending(mailbox: Mailbox) -> Direction:
    if mailbox.sending_state == DirectionState.OFF:
        return Direction("Sending", "warn", "Off", "not allowed")
    if not mailbox.sends:
        return Direction("Sending", "", "Off", "it only reads")
    if _is_locked_out(mailbox):
        return Direction("Sending", "warn", "Waiting", *_last("last sent", mailbox.last_sent_at))
    if mailbox.sending_state == DirectionState.FAILING:
        return Direction("Sending", "bad", "Not working", *_last("last sent", mailbox.last_sent_at))
    if mailbox.sending_state == DirectionState.OK:
        hint = _last("last sent", mailbox.last_sent_at) if mailbox.last_sent_at else ("nothing sent yet", None)
        return Direction("Sending", "ok", "Working", *hint)
    return Direction("Sending", "", "Not tried yet")


def _is_locked_out(mailbox: Mailbox) -> bool:
    """Whether nothing works before somebody signs in; where only sending is refused, receiving goes on."""
    return mailbox.needs_reconnect and not fails_only_to_send(mailbox)


def _last(words: str, at: datetime | None) -> tuple[str, datetime | None]:
    return (words, at) if at else ("nothing yet", None)


def _progress(mailbox: Mailbox, now: datetime) -> Progress:
    return Progress(
        done=min(mailbox.done_count, mailbox.listed_count),
        listed=mailbox.listed_count,
        kept=mailbox.kept_count,
        filed=mailbox.filed_count,
        left="" if mailbox.paused_at else left_in_words(estimate(mailbox, now)),
    )


def _rest(mailbox: Mailbox, now: datetime) -> Rest | None:
    if mailbox.not_before is None or not mailbox.is_resting(now):
        return None
    return Rest(mailbox.not_before, mailbox.failures, mailbox.failing_since)
