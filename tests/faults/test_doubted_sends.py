"""Many sends at each provider with an API, nearly all in doubt at some point: each leaves once, and is known to.

The row of a submission is kept here in memory, so that a thousand take a minute; the steps, the driver, the sender, the
looks and HTTP are the product's. test_send_faults.py kills real processes over PostgreSQL, by SMTP.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from postroom.engine.sending import Parcel, SendingDriver, drop_uploads
from postroom.mail.message import Address
from postroom.providers.base import Credentials, Envelope, Provider
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.provider import OutlookProvider
from postroom.sync import sending as steps
from tests.contract.outlook_place import GivenTokens
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft import FakeMicrosoft
from tests.letters import letter

SENDS, MAILBOXES = 50 * int(os.environ.get("FAULT_SEEDS", "8")), 20  # 1,000 in bin/ci
AT_ONCE = 3  # workers of one mailbox; Graph is asked by one of them at a time
BOB = Address("bob@customer.test")
DAMAGE = (
    "time_out_after_accepting",
    "time_out_after_accepting",
    "time_out_after_accepting",
    "drop_after_accepting",
    "fail_after_accepting",
    "time_out_before_accepting",
    "drop_next",
    "fail_next",
)
CRASHES = ("before in_doubt", "after in_doubt", "after the act", "", "", "", "", "", "")


class Killed(BaseException):
    """What kill -9 leaves of a worker: nothing runs any more."""


@dataclass
class Row:
    """A submission. Implements engine.sending.Desk for its worker, which may be killed at its next commit."""

    number: int
    place: Place
    state: str = "queued"
    upload: str = ""
    tries: int = 0
    looks: int = 0
    age_seconds: float = 0.0  # of the doubt; the hours between looks are left out
    crash: str = ""

    @property
    def message_id(self) -> str:
        return f"<{self.number}@example.test>"

    async def claim(self) -> steps.Claimed | None:
        assert self.state == "queued"
        self.state, self.tries = "sending", self.tries + 1
        return steps.Claimed(0)

    async def load(self) -> tuple[Provider, Credentials, Parcel]:
        own = self.place.credentials.address
        mime = letter(own, BOB, number=self.number)
        parcel = Parcel(Envelope(own, (BOB.address,)), mime, self.message_id, self.upload, self.tries > 1)
        return self.place.provider, self.place.credentials, parcel

    async def mark_in_doubt(self, upload: str) -> bool:
        if self.crash == "before in_doubt":
            raise Killed
        self.state, self.upload = "in_doubt", upload or self.upload
        self.looks, self.age_seconds = 0, 0.0
        if self.crash == "after in_doubt":
            raise Killed
        self.place.damage()
        return True

    async def record(self, outcome: steps.Outcome) -> None:
        if self.crash == "after the act" and isinstance(outcome, steps.Sent):
            raise Killed
        match outcome:
            case steps.Sent():
                self.state = "sent"
            case steps.QueuedAgain():
                self.state = "queued"
            case steps.Doubtful(looks, seconds, is_unknown):
                self.state, self.looks = "unknown" if is_unknown else "in_doubt", looks
                self.age_seconds += seconds or 0
            case steps.Failed():
                self.state = "failed"


@dataclass
class Place:
    """A mailbox at a fake, and the dice."""

    provider: Provider
    credentials: Credentials
    faults: object
    sent_count: Callable[[str], int]
    draft_count: Callable[[], int]
    dice: random.Random = field(default_factory=lambda: random.Random(4))
    done: Counter[str] = field(default_factory=Counter)

    def damage(self) -> None:
        """Most acts go wrong one way or the other."""
        if self.dice.random() < 0.8:
            what = self.dice.choice(DAMAGE)
            setattr(self.faults, what, getattr(self.faults, what) + 1)
            self.done[what] += 1


def address(number: int) -> str:
    return f"sales{number}@example.test"


@pytest.fixture
def google() -> Iterator[list[Place]]:
    with FakeGoogle() as google:
        google.faults.silence_seconds = 0.0
        provider = GmailProvider(NetworkPolicy(), endpoints=google.endpoints)

        def place(own: str) -> Place:
            mailbox, credentials = google.mailbox(own), Credentials(own, {}, GivenTokens(google.token_for(own)))
            return Place(provider, credentials, google.faults, mailbox.sent_count, lambda: len(mailbox.drafts))

        yield [place(address(number)) for number in range(MAILBOXES)]


@pytest.fixture
def microsoft() -> Iterator[list[Place]]:
    with FakeMicrosoft() as microsoft:
        microsoft.faults.silence_seconds = 0.0
        provider = OutlookProvider(NetworkPolicy(), endpoints=microsoft.endpoints)

        def place(own: str) -> Place:
            mailbox, credentials = microsoft.mailbox(own), Credentials(own, {}, GivenTokens(microsoft.token_for(own)))
            return Place(
                provider,
                credentials,
                microsoft.faults,
                mailbox.sent_count,
                lambda: sum(one.is_draft for one in mailbox.messages),
            )

        yield [place(address(number)) for number in range(MAILBOXES)]


async def work_off(row: Row) -> None:
    """What workers, looks and rescue do with one submission, with the hours between them left out."""
    settles = row.place.provider.capabilities.upload_settles_seconds
    for _ in range(100):
        row.crash = row.place.dice.choice(CRASHES)
        running = steps.send()
        if row.state == "sending":
            row.state = "queued"  # rescue: in_doubt was never committed
        if row.state == "in_doubt":
            doubt = steps.Doubt(row.looks, row.age_seconds, settles)
            running = steps.look(doubt, can_find=True)
        elif row.state != "queued":
            return
        try:
            await SendingDriver(row).run(running)
        except Killed:
            row.place.done[row.crash] += 1
    raise AssertionError(f"{row.message_id} is {row.state} after a hundred tries")


async def work_all_off(place: Place, sends: int) -> list[Row]:
    rows = [Row(number, place) for number in range(1, sends + 1)]
    todo = iter(rows)

    async def work() -> None:
        for row in todo:
            await work_off(row)

    held = await place.provider.open(place.credentials)  # as the worker's session is: connections stay
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    for row in rows:
        if row.tries > 1:
            await drop_uploads(place.provider, place.credentials, row.message_id, row.upload)
    await held.close()
    return rows


@pytest.mark.parametrize("provider", ["google", "microsoft"])
async def test_each_of_a_thousand_doubted_sends_leaves_once_and_is_known_to(
    provider: str, request: pytest.FixtureRequest
) -> None:
    places: list[Place] = request.getfixturevalue(provider)
    dice, done = random.Random(4), Counter[str]()
    copies, states = Counter[int](), Counter[str]()
    for place in places:
        place.dice, place.done = dice, done
        for row in await work_all_off(place, SENDS // MAILBOXES):
            copies[place.sent_count(row.message_id)] += 1
            states[row.state] += 1
        clear(place.faults)
    assert copies == {1: SENDS}
    assert states == {"sent": SENDS}
    assert all(done[fault] >= SENDS // 30 for fault in {*DAMAGE, *CRASHES} - {""})
    assert sum(place.draft_count() for place in places) == 0, "drafts pile up"


def clear(faults: object) -> None:
    """What was put on the wire for a send that needed no more requests is not for the next mailbox."""
    for what in DAMAGE:
        setattr(faults, what, 0)
