"""What the pages show of a connection test: who wrote to whom, each step with its mark, and why it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils import timezone

from postroom.filing.connection_test import Progress, Step, StepState, follow
from postroom.mailboxes.access import sendable_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.outbox.connection_test import visible_tests
from postroom.outbox.models import ConnectionTest
from postroom.records.access import contacts
from postroom.records.models import Contact, ContactAddress
from postroom.workspaces.members import Member

SHOWN_ON_CONTACT: Final = timedelta(days=1)
MOST_OFFERED: Final = 50  # addresses of contacts, the newest; any other can be typed
_STATES: Final = {"passed": ("ok", "Passed"), "stopped": ("bad", "Stopped"), "running": ("busy", "Working")}
# The class and the icon of a step (css/mailboxes.css).
_MARKS: Final = {
    StepState.DONE: ("", "check"),
    StepState.WARNED: ("warned", "alert"),
    StepState.RUNNING: ("running", ""),
    StepState.STOPPED: ("failed", "x"),
    StepState.WAITING: ("waiting", ""),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A step as a line of the list."""

    step: Step

    @property
    def mark(self) -> str:
        if not self.step.is_needed and self.step.state is StepState.RUNNING:
            return "waiting"  # nobody has to answer: nothing turns for it
        return _MARKS[self.step.state][0]

    @property
    def icon(self) -> str:
        return _MARKS[self.step.state][1]


@dataclass(frozen=True, slots=True)
class ShownTest:
    """A test as its part of a page; `contact` is None when the mailbox writes to itself, or when it is gone."""

    progress: Progress
    contact: Contact | None

    @property
    def test(self) -> ConnectionTest:
        return self.progress.test

    @property
    def mailbox(self) -> Mailbox:
        return self.test.mailbox

    @property
    def lines(self) -> Sequence[Line]:
        return [Line(step) for step in self.progress.steps]

    @property
    def explained(self) -> Sequence[Step]:
        """The steps that have something to say, one for each cause."""
        return list({step.code: step for step in reversed(self.progress.steps) if step.code}.values())[::-1]

    @property
    def mark(self) -> str:
        return _STATES[self.progress.state][0]

    @property
    def word(self) -> str:
        return _STATES[self.progress.state][1]

    @property
    def is_asked_for(self) -> bool:
        """Whether the page looks again by itself, besides when something happens: some steps become late in silence."""
        return self.progress.is_followed and self.progress.state == "running"

    @property
    def topics(self) -> list[str]:
        """What the page has to listen to."""
        return [f"mailbox:{self.mailbox.pk}", f"record:{self.test.contact_id}"][: 1 if self.contact is None else 2]


@dataclass(frozen=True, slots=True)
class TestPanel:
    """The part of a mailbox's page: whether the member may begin a test, the latest one, and whom it may go to."""

    may_begin: bool
    latest: ShownTest | None
    addresses: Sequence[ContactAddress]


def shown(member: Member, test: ConnectionTest) -> ShownTest:
    contact = contacts(member).filter(pk=test.contact_id).first() if test.contact_id else None
    return ShownTest(follow(member, test), contact)


def latest_with(member: Member, contact: Contact) -> ShownTest | None:
    """The latest test with the contact, while it is news."""
    since = timezone.now() - SHOWN_ON_CONTACT
    test = visible_tests(member).filter(contact_id=contact.pk, started_at__gt=since).first()
    return shown(member, test) if test else None


def test_panel(member: Member, mailbox: Mailbox) -> TestPanel:
    test = visible_tests(member).filter(mailbox=mailbox).first()
    addresses = ContactAddress.objects.filter(contact__in=contacts(member)).select_related("contact")
    return TestPanel(
        may_begin=sendable_mailboxes(member).filter(pk=mailbox.pk).exists(),
        latest=shown(member, test) if test else None,
        addresses=list(addresses.order_by("-created_at")[:MOST_OFFERED]),
    )
