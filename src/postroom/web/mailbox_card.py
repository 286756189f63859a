"""What a mailbox's card says: three directions in words, the import in numbers, one problem with its cure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils import timezone

from postroom.mailboxes.models import DirectionState, Mailbox
from postroom.workspaces.members import Member

PROVIDER_WORDS: Final = {"imap": "IMAP and SMTP", "gmail": "Gmail", "outlook": "Outlook", "memory": "Sandbox"}
ESTIMATE_AFTER: Final = 20  # messages done before a guess at the time left is worth showing


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
class Card:
    mailbox: Mailbox
    directions: tuple[Direction, ...]
    progress: Progress | None
    can_change: bool
    is_mine: bool

    @property
    def provider(self) -> str:
        return PROVIDER_WORDS.get(self.mailbox.provider, self.mailbox.provider.title())


def card(member: Member, mailbox: Mailbox) -> Card:
    """The card of a mailbox as `member` sees it. No queries: the owner has to be loaded."""
    is_mine = mailbox.owner_id == member.user.pk
    return Card(
        mailbox=mailbox,
        directions=(_sign_in(mailbox), _receiving(mailbox), _sending(mailbox)),
        progress=_progress(mailbox, timezone.now()) if mailbox.is_importing else None,
        can_change=is_mine or (member.can_administer and mailbox.kind == "shared"),
        is_mine=is_mine,
    )


def _sign_in(mailbox: Mailbox) -> Direction:
    if mailbox.sign_in_state == DirectionState.FAILING or mailbox.needs_reconnect:
        return Direction("Sign-in", "bad", "Refused", "since", mailbox.error_at)
    if mailbox.sign_in_state == DirectionState.OK:
        return Direction("Sign-in", "ok", "Accepted", "since", mailbox.created_at)
    return Direction("Sign-in", "", "Not tried yet")


def _receiving(mailbox: Mailbox) -> Direction:
    if mailbox.paused_at:
        return Direction("Receiving", "warn", "Paused", "since", mailbox.paused_at)
    if mailbox.needs_reconnect:
        return Direction("Receiving", "warn", "Waiting", *_last("last looked", mailbox.last_synced_at))
    if mailbox.receiving_state == DirectionState.FAILING or mailbox.error_code:
        return Direction("Receiving", "bad", "Interrupted", *_last("last looked", mailbox.last_synced_at))
    if mailbox.is_importing:
        return Direction(
            "Receiving", "busy", "Importing", *_last("new mail comes first, last", mailbox.last_received_at)
        )
    return Direction("Receiving", "ok", "Up to date", *_last("looked", mailbox.last_synced_at))


def _sending(mailbox: Mailbox) -> Direction:
    if mailbox.needs_reconnect:
        return Direction("Sending", "warn", "Waiting", *_last("last sent", mailbox.last_sent_at))
    if mailbox.sending_state == DirectionState.FAILING:
        return Direction("Sending", "bad", "Not working", *_last("last sent", mailbox.last_sent_at))
    if mailbox.sending_state == DirectionState.OK:
        hint = _last("last sent", mailbox.last_sent_at) if mailbox.last_sent_at else ("nothing sent yet", None)
        return Direction("Sending", "ok", "Working", *hint)
    return Direction("Sending", "", "Not tried yet")


def _last(words: str, at: datetime | None) -> tuple[str, datetime | None]:
    return (words, at) if at else ("nothing yet", None)


def _progress(mailbox: Mailbox, now: datetime) -> Progress:
    return Progress(
        done=min(mailbox.done_count, mailbox.listed_count),
        listed=mailbox.listed_count,
        kept=mailbox.kept_count,
        filed=mailbox.filed_count,
        left=time_left(mailbox.import_started_at, mailbox.done_count, mailbox.listed_count, now),
    )


def time_left(started_at: datetime | None, done: int, listed: int, now: datetime) -> str:
    """How long the import still takes at its pace so far, in words; "" while that would be a guess."""
    if started_at is None or done < ESTIMATE_AFTER or listed <= done:
        return ""
    seconds = (now - started_at).total_seconds() / done * (listed - done)
    if seconds < 60:
        return "less than a minute left"
    if seconds < 3600:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"
