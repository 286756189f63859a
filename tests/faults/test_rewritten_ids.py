"""A provider puts another Message-ID in the place of ours, drops our header, changes the date: one message, one thread.

Fault 32. What happens is drawn in every order: our own storing of what was sent, the copy that sync brings from Sent,
and replies to the one id and to the other. Each time the record has the message once, and both replies.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage

import pytest

from postroom.correspondence.models import Message, Placement
from postroom.engine.store import NewMessage
from postroom.filing.sent import store_sent
from postroom.mail.mime.identity import identity
from postroom.mail.mime.parsing import parse
from postroom.mailboxes.models import Kind, Mailbox
from postroom.outbox.models import Submission
from postroom.records.models import Deal, RecordType
from postroom.workspaces.members import Member
from tests.cast import Cast, make_cast
from tests.integration.mailroom import NOON, Mailroom, filed, open_mailroom, write

OWN, ANNA = "sales@own.example", "anna@customer.example"

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Stage:
    """`tells`: the provider said under which id it left. `keeps`: our header is on the copy."""

    room: Mailroom
    mailbox: Mailbox
    deal: Deal
    tells: bool = True
    keeps: bool = True

    def __post_init__(self) -> None:
        self.ours = f"<{self.deal.pk}@own.example>"
        self.theirs = f"<AM0PR04MB{self.deal.pk}@eurprd04.prod.outlook.com>"
        self.submission = Submission.objects.create(
            workspace=self.deal.workspace, mailbox=self.mailbox, record_type=RecordType.DEAL, record_id=self.deal.pk,
            state="sent", sent_at=NOON, internet_message_id=self.ours, from_address=OWN, subject="Offer",
            mime=self.written(self.ours).as_bytes(),
        )  # fmt: skip

    def written(self, message_id: str, seconds: int = 0) -> EmailMessage:
        mime = EmailMessage()
        mime["From"], mime["To"], mime["Subject"], mime["Message-ID"] = OWN, ANNA, "Offer", message_id
        mime["Date"] = NOON + timedelta(seconds=seconds)
        mime.set_content("Here it is.")
        return mime

    def store(self) -> None:
        self.submission.refresh_from_db()
        if self.tells:
            Submission.objects.filter(pk=self.submission.pk).update(sent_internet_message_id=self.theirs)
            self.submission.refresh_from_db()
        if self.submission.message_id is None:  # as ops/jobs.py asks
            store_sent(self.submission)

    def copy(self) -> None:
        mime = self.written(self.theirs, seconds=3)
        if self.keeps:
            mime["X-Postroom-Submission"] = str(self.submission.pk)
        raw = mime.as_bytes()
        parsed = parse(raw)
        self.room.deliver(
            self.mailbox, NewMessage(self.theirs, len(raw), identity(parsed, raw), NOON, (), parsed), folder="Sent"
        )

    def reply_to_ours(self) -> None:
        self.reply("One", self.ours)

    def reply_to_theirs(self) -> None:
        self.reply("Two", self.theirs)

    def reply(self, subject: str, to: str) -> None:
        mail = write(f"{subject} {self.deal.pk}", "colleague@customer.example", OWN)
        self.room.deliver(self.mailbox, replace(mail, parsed=replace(mail.parsed, references=(to,))))


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast) -> Member:
    return cast.alice


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def mailbox(alice: Member, room: Mailroom) -> Mailbox:
    return room.connect(alice, OWN, kind=Kind.PERSONAL)


def make_deal(member: Member) -> Deal:
    return Deal.objects.create(workspace=member.workspace, name="Deal")


HAPPENINGS: tuple[Callable[[Stage], None], ...] = (Stage.store, Stage.copy, Stage.reply_to_ours, Stage.reply_to_theirs)
ORDERS = list(itertools.permutations(HAPPENINGS))


@pytest.mark.parametrize(("tells", "keeps"), [(True, True), (True, False), (False, True)])
def test_whichever_id_a_reply_names_it_is_on_the_record_and_the_message_is_there_once(
    room: Mailroom, mailbox: Mailbox, alice: Member, tells: bool, keeps: bool
) -> None:
    for order in ORDERS:
        stage = Stage(room, mailbox, make_deal(alice), tells, keeps)
        for happening in order:
            happening(stage)
        told = " ".join(happening.__name__ for happening in order)
        assert sorted(subject[:3] for subject in filed(stage.deal.pk)) == ["Off", "One", "Two"], told
        stage.submission.refresh_from_db()
        offer = Message.objects.get(pk=stage.submission.message_id)
        assert not Message.objects.filter(internet_message_id=stage.ours).exists(), told
        assert Message.objects.get(internet_message_id=stage.theirs) == offer, told
        assert Message.objects.filter(thread_id=offer.thread_id).count() == 3, told
        assert Placement.objects.filter(message_id=offer.pk).count() == 1, told
        assert stage.submission.sent_internet_message_id == stage.theirs, told


def test_a_copy_in_ones_own_sent_folder_shows_nobody_what_a_colleague_sent(
    room: Mailroom, mailbox: Mailbox, alice: Member, cast: Cast
) -> None:
    stage = Stage(room, mailbox, make_deal(alice))
    stage.store()
    stage.mailbox = room.connect(cast.bob, "bob@own.example", kind=Kind.PERSONAL)
    stage.copy()
    assert Message.objects.filter(subject="Offer").count() == 2
    stage.submission.refresh_from_db()
    original = stage.submission.message_id
    assert not Placement.objects.filter(message_id=original, mailbox_id=stage.mailbox.pk).exists()
