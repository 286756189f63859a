"""One send, the looks that follow a doubt, and the copy in Sent, as steps without I/O (DESIGN.md 7).

    state      leaves by                       to         because
    queued     claim (its time has come)       sending    one worker claims: the claim's number fences all that follows
    sending    trouble that may pass           queued     nothing was handed over, so trying again cannot double
    sending    owner must mend the sign-in     queued     the mail is fine; it waits for its mailbox
    sending    refusal, or too many failures   failed     the server said no, or nobody answered for a day
    sending    claim is dead (rescue)          queued     in_doubt is committed before the act, so the act never began
    sending    just before the act             in_doubt   committed *before* the final dot or the API's send: from here
                                                          a crash must not look like "not sent"
    in_doubt   the server took it              sent
    in_doubt   the server said a clear no      queued | failed    a reply is proof (RFC 5321 section 4.2.1)
    in_doubt   a look found it                 sent
    in_doubt   a look proved it unsent         queued     what was handed over still waits at the provider, long after
                                                          the act: the next try sends that very upload, and one upload
                                                          leaves once, even if the first act comes late after all
    in_doubt   proved unsent for a day         failed     nothing left, and the provider does not take it
    in_doubt   the looks found nothing         unknown    a missing copy in Sent proves nothing: a person chooses
    in_doubt   the upload is gone, no copy     unknown    it left, or somebody deleted it: nobody knows
    unknown    a late look found it            sent       an index may lag
    unknown    a late look proved it unsent    queued     as above

There is no way from in_doubt or unknown back to queued without such a proof: silence is never a reason to send. And no
try after a doubt hands the message over anew: an upload that is not there any more makes a doubt again (Upload).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

RETRY_SECONDS = (30, 120, 600, 1_800, 7_200)  # then the last one again
GIVE_UP_SECONDS = 24 * 3_600
OWNER_WAIT_SECONDS = 3_600  # a refused sign-in; a mended one is noticed at once (outbox/rescue.py)
LOOK_SECONDS = (2, 10, 30, 120, 600, 3_600, 86_400)  # after the doubt began: Sent folders and indexes lag
TROUBLED_LOOK_SECONDS = 60  # after a look that could not look
PATIENT_LOOKS = 6  # without a find until here it is unknown; the looks after it may still turn it to sent
REPLY_SECONDS = 630  # a live sender may wait 600 s for the reply (RFC 5321 section 4.5.3.2.6): no looks before
COPY_SETTLE_SECONDS = 4  # servers that file Sent by themselves take a moment
COPY_GIVE_UP_SECONDS = 24 * 3_600
PASSING_REFUSALS = {"mailbox_full"}  # of a copy: somebody can make room


class Kind(Enum):
    """What a provider's error means for a message that is being sent."""

    LATER = "later"  # a clear "not now"
    LOST = "lost"  # no clear answer: not sent before the act, in doubt after it
    OWNER = "owner"  # only the mailbox's owner or administrator can mend it
    REFUSED = "refused"  # a clear no, for good
    IN_DOUBT = "in_doubt"  # the provider itself says that nobody knows


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as the steps see it. `retry_after_seconds` is the server's wish."""

    kind: Kind
    code: str
    words: str = ""
    retry_after_seconds: float | None = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the message. `refused` maps a recipient to the server's words."""

    reply: str
    refused: dict[str, str] = field(default_factory=dict)
    internet_message_id: str = ""  # as it left, where the provider tells


@dataclass(frozen=True, slots=True)
class Claimed:
    """The claim is ours. `failures` counts earlier tries that were put off."""

    failures: int = 0


class Finding(Enum):
    """What a look at the provider showed."""

    FOUND = "found"
    NOT_FOUND = "not_found"  # proves nothing
    WAITING = "waiting"  # what was handed over is still there, unsent; a proof once it has been so for long enough


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look showed. `internet_message_id` is the one it left with, where the provider tells."""

    finding: Finding
    internet_message_id: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is known of a doubt when it is looked into.

    `seconds` have passed since just before the act; what waits for `settles_seconds` never left (None: nothing can be
    seen waiting). `failures` counts the tries that came to nothing, this one among them.
    """

    looks: int = 0
    seconds: float = 0.0
    settles_seconds: float | None = None
    failures: int = 1


# Asks.


@dataclass(frozen=True, slots=True)
class Claim:
    """→ Claimed | None: make it ours if it is queued and due."""


@dataclass(frozen=True, slots=True)
class Connect:
    """→ None | Trouble: open the conversation that takes messages."""


@dataclass(frozen=True, slots=True)
class Upload:
    """→ None | Trouble: hand over everything up to the act that cannot be taken back, and stop there.

    What an earlier try handed over is taken up again. IN_DOUBT when that is gone: it may have left.
    """


@dataclass(frozen=True, slots=True)
class MarkInDoubt:
    """→ bool: commit in_doubt, and in the same commit what the provider calls the upload.

    False when the claim is not ours any more; then the act must not happen.
    """


@dataclass(frozen=True, slots=True)
class LetGo:
    """→ Accepted | Trouble: the act itself, once."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """→ None: drop the conversation before the act."""


@dataclass(frozen=True, slots=True)
class Look:
    """→ Looked | Trouble: what became of the upload, and is it in Sent?

    Without `is_thorough` an upload that waits is told of at once: it is not sent again yet, whatever Sent may hold.
    """

    is_thorough: bool = True


@dataclass(frozen=True, slots=True)
class Wait:
    """→ None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AppendCopy:
    """→ None | Trouble: put the message into Sent, marked as read."""


# Outcomes, recorded in one transaction each.


@dataclass(frozen=True, slots=True)
class Sent:
    """The message left. `has_copy` when a look found it in Sent."""

    accepted: Accepted = Accepted("")
    has_copy: bool = False


@dataclass(frozen=True, slots=True)
class QueuedAgain:
    """Certainly not sent; it is due again after `seconds`."""

    seconds: float
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Certainly not sent, and not tried again."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Nobody knows. The next look comes after `seconds`; None: there is no further look. `looks` were made."""

    looks: int
    seconds: float | None
    is_unknown: bool
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class CopyFiled:
    """The message is in Sent."""


@dataclass(frozen=True, slots=True)
class CopyMissing:
    """The message is not in Sent yet; tried again after `seconds`, or given up (None)."""

    seconds: float | None
    trouble: Trouble


Outcome: TypeAlias = Sent | QueuedAgain | Failed | Doubtful | CopyFiled | CopyMissing


@dataclass(frozen=True, slots=True)
class Record:
    """→ None: store how it ended."""

    outcome: Outcome


Ask: TypeAlias = Claim | Connect | Upload | MarkInDoubt | LetGo | Abandon | Look | Wait | AppendCopy | Record
Steps: TypeAlias = Generator[Ask, Any, Outcome | None]


def send() -> Steps:
    """One try. Returns its outcome; None when there was nothing to claim or the claim was lost."""
    claimed: Claimed | None = yield Claim()
    if claimed is None:
        return None
    trouble: Trouble | None = yield Connect()
    if trouble is None:
        trouble = yield Upload()
    if trouble is not None and trouble.kind is not Kind.IN_DOUBT:
        return (yield from _record(before_the_act(trouble, claimed.failures)))
    is_ours: bool = yield MarkInDoubt()
    if trouble is not None:  # the provider went past the act without asking us: believe the worst
        return (yield from _record(after_the_act(trouble, claimed.failures)))
    if not is_ours:
        yield Abandon()
        return None
    answer: Accepted | Trouble = yield LetGo()
    if isinstance(answer, Accepted):
        return (yield from _record(Sent(answer)))
    return (yield from _record(after_the_act(answer, claimed.failures)))


def look(doubt: Doubt, *, can_find: bool) -> Steps:
    """The next look at a message in doubt. Never sends."""
    if not can_find:
        return (yield from _record(Doubtful(doubt.looks, None, is_unknown=True)))
    has_settled = doubt.settles_seconds is not None and doubt.seconds >= doubt.settles_seconds
    answer: Looked | Trouble = yield Look(is_thorough=has_settled)
    if isinstance(answer, Trouble):
        return (yield from _record(after_no_look(doubt, answer)))
    if answer.finding is Finding.FOUND:
        accepted = Accepted("", internet_message_id=answer.internet_message_id)
        return (yield from _record(Sent(accepted, has_copy=True)))
    if answer.finding is Finding.WAITING and has_settled:
        return (yield from _record(proven_unsent(doubt.failures)))
    doubtful = after_a_look(doubt.looks + 1)
    if answer.finding is Finding.WAITING and doubt.settles_seconds is not None:  # it is known where it is
        seconds = min(doubtful.seconds or doubt.settles_seconds, doubt.settles_seconds - doubt.seconds)
        doubtful = replace(doubtful, seconds=seconds, is_unknown=False)
    return (yield from _record(doubtful))


def file_copy(*, files_itself: bool | None, age_seconds: float) -> Steps:
    """Make sure that Sent holds the message, once. `age_seconds` since it was sent decides when to give up.

    Safe to repeat: an append whose answer was lost is found by the look of the next run.
    """
    if files_itself:
        return (yield from _record(CopyFiled()))
    yield Wait(COPY_SETTLE_SECONDS)
    found: Looked | Trouble = yield Look()
    trouble = found if isinstance(found, Trouble) else None
    if isinstance(found, Looked) and found.finding is not Finding.FOUND:
        trouble = yield AppendCopy()
    if trouble is None:
        return (yield from _record(CopyFiled()))
    may_pass = trouble.kind is not Kind.REFUSED or trouble.code in PASSING_REFUSALS
    is_tried_on = may_pass and age_seconds < COPY_GIVE_UP_SECONDS
    seconds = min(max(age_seconds, RETRY_SECONDS[0]), 3_600) if is_tried_on else None
    return (yield from _record(CopyMissing(seconds, trouble)))


def _record(outcome: Outcome) -> Generator[Ask, Any, Outcome]:
    yield Record(outcome)
    return outcome


def before_the_act(trouble: Trouble, failures: int) -> Outcome:
    """Certainly not sent: every way on is open."""
    if trouble.kind is Kind.REFUSED:
        return Failed(trouble)
    if trouble.kind is Kind.OWNER:
        return QueuedAgain(OWNER_WAIT_SECONDS, trouble)
    if waited_seconds(failures + 1) > GIVE_UP_SECONDS:
        return Failed(trouble)
    return QueuedAgain(max(retry_seconds(failures), trouble.retry_after_seconds or 0), trouble)


def after_the_act(trouble: Trouble, failures: int) -> Outcome:
    """A clear answer decides as before; anything else leaves the doubt."""
    if trouble.kind in (Kind.LOST, Kind.IN_DOUBT):
        return Doubtful(0, LOOK_SECONDS[0], is_unknown=False, trouble=trouble)
    return before_the_act(trouble, failures)


def proven_unsent(failures: int) -> Outcome:
    """Certainly not sent, after `failures` tries: again at once, since the looks took their time, then ever later."""
    if waited_seconds(failures) > GIVE_UP_SECONDS:
        return Failed(Trouble(Kind.LOST, "never_taken"))
    return QueuedAgain(retry_seconds(failures - 2) if failures > 1 else 0)


def after_no_look(doubt: Doubt, trouble: Trouble) -> Doubtful:
    """Who could not look has not looked, and comes back soon; within the time that all patient looks take."""
    if doubt.seconds < LOOK_SECONDS[PATIENT_LOOKS - 1]:
        seconds = max(TROUBLED_LOOK_SECONDS, trouble.retry_after_seconds or 0)
        return Doubtful(doubt.looks, seconds, is_unknown=False, trouble=trouble)
    return after_a_look(max(doubt.looks + 1, PATIENT_LOOKS), trouble)


def after_a_look(looks: int, trouble: Trouble | None = None) -> Doubtful:
    """The state after the n-th look (1, 2 …) that found nothing, and when to look again."""
    next_seconds = LOOK_SECONDS[looks] - LOOK_SECONDS[looks - 1] if looks < len(LOOK_SECONDS) else None
    return Doubtful(looks, next_seconds, is_unknown=looks >= PATIENT_LOOKS, trouble=trouble)


def retry_seconds(failures: int) -> float:
    """The wait after the try that followed `failures` failed ones."""
    return RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]


def waited_seconds(tries: int) -> float:
    """How long all waits after that many failed tries are together."""
    return sum(retry_seconds(number) for number in range(tries))
