"""How far the message of a connection test came: its steps, read from what is stored, and why it stopped.

    accepted    the outgoing server took it           the submission is sent
    in_sent     the Sent folder has it                its own copy, or sync saw it there
    seen        sync saw it                           it has a place in the mailbox's Sent folder
    returned    it came back                          … in another folder                 (a mailbox to itself)
    filed       it is on the contact                  a filing, by the same rules as all mail   (to a contact)
    answered    an answer is on the same record       a message of its thread; nobody has to    (to a contact)

Nothing here writes: a step that was late ticks as soon as what proves it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from postroom.filing.connection_evidence import Answer, Evidence, Place, gather
from postroom.mailboxes.models import DirectionState, Folder
from postroom.outbox.models import ConnectionTest, SentCopy, State
from postroom.providers import catalogue
from postroom.workspaces.ids import made_at
from postroom.workspaces.members import Member

# After how many seconds a step is late. Polls come every minute at the latest, and servers take a moment to deliver.
WORKER_SECONDS: Final = 8
LEAVE_SECONDS: Final = 45
COPY_SECONDS: Final = 60
SEEN_SECONDS: Final = 150
BACK_SECONDS: Final = 240
FILED_SECONDS: Final = 60
FOLLOWED_SECONDS: Final = 15 * 60  # then a page asks no more by itself


class StepState(StrEnum):
    DONE = "done"
    WARNED = "warned"  # done, and there is something to know
    RUNNING = "running"  # `code` says why it takes its time, if something does
    STOPPED = "stopped"  # somebody has to act
    WAITING = "waiting"  # for the step before it


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `seconds` from the test's start; `is_needed`: the test has passed only with it."""

    name: str
    words: str
    state: StepState
    at: datetime | None = None
    seconds: float | None = None
    code: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    server_words: str = ""
    is_needed: bool = True

    @property
    def is_done(self) -> bool:
        return self.state in (StepState.DONE, StepState.WARNED)

    @property
    def entry(self) -> catalogue.Entry | None:
        """Why, and what to do; None where there is nothing to say."""
        return catalogue.explain(self.code, **self.facts) if self.code else None


@dataclass(frozen=True, slots=True)
class Progress:
    """A test and its steps in order; `age_seconds` since it began."""

    test: ConnectionTest
    steps: tuple[Step, ...]
    age_seconds: float

    @property
    def state(self) -> str:
        """passed, stopped (somebody has to act) or running."""
        needed = [step for step in self.steps if step.is_needed]
        if all(step.is_done for step in needed):
            return "passed"
        return "stopped" if any(step.state is StepState.STOPPED for step in needed) else "running"

    @property
    def is_followed(self) -> bool:
        """Whether something may still happen that a page should look for."""
        return self.age_seconds < FOLLOWED_SECONDS and not all(step.is_done for step in self.steps)


def follow(member: Member, test: ConnectionTest) -> Progress:
    """How far a test of a mailbox came whose mail the member may read."""
    known = gather(member, test)
    judge = _Judge(known)
    steps = [judge.accepted(), judge.in_sent(), judge.seen()]
    steps += [judge.returned()] if test.contact_id is None else [judge.filed(), judge.answered()]
    return Progress(test, tuple(steps), known.age_seconds())


class _Judge:
    """Each step by what is known."""

    def __init__(self, known: Evidence) -> None:
        self.known = known
        self.mailbox = known.test.mailbox
        submission = known.submission
        self.sent_at = submission.sent_at if submission and submission.state == State.SENT else None
        contact = known.contact.name if known.contact else ""
        self.facts = {"address": known.test.address, "contact": contact, "host": self.mailbox.address}

    def accepted(self) -> Step:
        name, words, submission = "accepted", "Accepted by the outgoing server", self.known.submission
        if self.sent_at is not None:
            return self._done(name, words, self.sent_at)
        if submission is None or submission.state == State.CANCELLED:
            return self._open(name, words, "test_taken_back")
        if submission.state == State.UNKNOWN:  # whatever keeps Postroom from finding out: a person may know
            return self._open(name, words, "test_doubtful", server_words=submission.error_words)
        if submission.error_code:
            return self._open(name, words, submission.error_code, submission.error_facts, submission.error_words)
        if self._has_no_worker:
            return self._open(name, words, "worker_missing")
        return self._open(name, words, "test_slow_to_leave" if self.known.age_seconds() > LEAVE_SECONDS else "")

    def in_sent(self) -> Step:
        name, words, submission = "in_sent", "In the Sent folder", self.known.submission
        place = next((place for place in self.known.places if place.role == "sent"), None)
        if submission is not None and (place or submission.sent_copy == SentCopy.FILED):
            return self._done(name, words, submission.sent_copy_at or (place.at if place else None))
        if self.sent_at is None or submission is None:
            return self._waiting(name, words)
        is_late = submission.sent_copy == SentCopy.FAILED or self.known.age_seconds(self.sent_at) > COPY_SECONDS
        code = submission.error_code or ("test_no_copy" if is_late else "")
        return self._open(name, words, code, submission.error_facts, submission.error_words)

    def seen(self) -> Step:
        name, words = "seen", "Seen by sync"
        # What a mailbox writes to itself has a step of its own for where it arrives.
        is_own = self.known.test.contact_id is None and self.known.folder("sent") is not None
        place = next((place for place in self.known.places if place.role == "sent" or not is_own), None)
        if place is not None:
            return self._done(name, f"{words}, in {place.folder}", place.at)
        if self.sent_at is None:
            return self._waiting(name, words)
        late = self.known.age_seconds(self.sent_at) > SEEN_SECONDS
        return self._unseen(name, words, "sent", "test_not_seen" if late else "")

    def returned(self) -> Step:
        name, words = "returned", "Back in the mailbox"
        place = _returned_to(self.known.places)
        if place is not None and place.role == "junk":
            return self._warned(name, words, place.at, "test_in_junk", {"folder": place.folder})
        if place is not None:
            return self._done(name, f"{words}, in {place.folder}", place.at)
        if self.sent_at is None:
            return self._waiting(name, words)
        late = self.known.age_seconds(self.sent_at) > BACK_SECONDS
        return self._unseen(name, words, "inbox", "test_not_back" if late else "")

    def filed(self) -> Step:
        filing, contact = self.known.filing, self.known.contact
        name, words = "filed", f"On {contact.name}" if contact else "On the contact"
        if filing is not None and filing.removed_by_id is None:
            return self._done(name, words, made_at(filing.pk))
        if contact is None:
            return self._open(name, words, "test_contact_gone")
        if self.sent_at is None:
            return self._waiting(name, words)
        if filing is not None:
            return self._open(name, words, "test_filing_removed")
        if self.known.is_own_address:
            return self._open(name, words, "test_own_address")
        if not self.known.is_contacts_address:
            return self._open(name, words, "test_address_changed")
        late = self.known.age_seconds(self.sent_at) > FILED_SECONDS
        return self._open(name, words, "test_not_filed" if late else "")

    def answered(self) -> Step:
        name, words = "answered", "Answered, on the same record"
        answer = _best(self.known.answers)
        if answer is None:
            words = "An answer on the same record, if one comes"
            if self.sent_at is None:
                return self._waiting(name, words, is_needed=False)
            return self._unseen(name, words, "inbox", "", is_needed=False)
        told = {"other": answer.address}
        if answer.kind == "bounce":
            return self._open(name, words, "test_bounced", told, answer.words)
        if answer.kind == "machine":
            return self._open(name, words, "test_answered_by_program", told, is_needed=False)
        if not answer.is_filed:
            return self._open(name, words, "test_answer_not_filed", told, is_needed=False)
        if not answer.is_known:
            return self._warned(name, words, answer.at, "test_other_address", told, is_needed=False)
        return self._done(name, words, answer.at, is_needed=False)

    def _unseen(self, name: str, words: str, role: str, late: str, *, is_needed: bool = True) -> Step:
        """A step that waits for sync: what keeps sync from the folder of that role, or that it is `late`."""
        mailbox, folder = self.mailbox, self.known.folder(role)
        if mailbox.awaits_start:
            code = "test_not_begun"
        elif not mailbox.reads or mailbox.receiving_state == DirectionState.OFF:
            code = "test_not_read"
        elif mailbox.paused_at is not None:
            code = "test_paused"
        elif mailbox.error_code:
            facts = {**self.facts, **mailbox.error_facts}
            return self._open(name, words, mailbox.error_code, facts, mailbox.error_words, is_needed=is_needed)
        elif mailbox.import_planned_at is None:
            code = "test_first_look"
        elif folder is not None and _is_left_out(folder):
            return self._open(name, words, "test_folder_left_out", {"folder": str(folder)}, is_needed=is_needed)
        elif self._has_no_worker:
            code = "worker_missing"
        else:
            code = late
        return self._open(name, words, code, is_needed=is_needed)

    def _done(self, name: str, words: str, at: datetime | None, *, is_needed: bool = True) -> Step:
        return Step(name, words, StepState.DONE, at, self._seconds(at), is_needed=is_needed)

    def _warned(
        self, name: str, words: str, at: datetime | None, code: str, facts: Mapping[str, str], *, is_needed: bool = True
    ) -> Step:
        told = {**self.facts, **facts}
        return Step(name, words, StepState.WARNED, at, self._seconds(at), code, told, is_needed=is_needed)

    def _waiting(self, name: str, words: str, *, is_needed: bool = True) -> Step:
        return Step(name, words, StepState.WAITING, is_needed=is_needed)

    def _open(
        self,
        name: str,
        words: str,
        code: str,
        facts: Mapping[str, str] | None = None,
        server_words: str = "",
        *,
        is_needed: bool = True,
    ) -> Step:
        """Not done yet: it goes on by itself where nobody has to act."""
        passes = not code or catalogue.explain(code).who == "nobody"
        state = StepState.RUNNING if passes else StepState.STOPPED
        told = {**self.facts, **(facts or {})}
        return Step(name, words, state, code=code, facts=told, server_words=server_words, is_needed=is_needed)

    @property
    def _has_no_worker(self) -> bool:
        """One that has just begun to restart is not missed."""
        return not self.known.has_worker and self.known.age_seconds() > WORKER_SECONDS

    def _seconds(self, at: datetime | None) -> float | None:
        """Since the test began. The clocks of two machines may differ: never less than nothing."""
        return None if at is None else max(0.0, (at - self.known.test.started_at).total_seconds())


def _returned_to(places: tuple[Place, ...]) -> Place | None:
    """Where the message arrived: a folder that is none of what was sent, the junk folder last."""
    return next(iter(sorted((one for one in places if one.is_arrival), key=lambda one: one.role == "junk")), None)


def _is_left_out(folder: Folder) -> bool:
    return not folder.is_synced or not folder.is_wanted


def _best(answers: tuple[Answer, ...]) -> Answer | None:
    """Of several answers the one that says most: a person's that is on the record before a server's report."""
    order = {"person": 0, "bounce": 1, "machine": 2}
    ranked = sorted(answers, key=lambda one: (order[one.kind], not one.is_filed, not one.is_known))
    return ranked[0] if ranked else None
