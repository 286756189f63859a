"""Sending by Graph, against the fake Microsoft: from one's own mailbox and from a shared one."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from postroom.mail.message import ParsedAttachment
from postroom.providers.base import Credentials, Envelope
from postroom.providers.errors import InDoubt, Refused, Unsupported
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.provider import OutlookProvider
from tests.contract.outlook_place import GivenTokens
from tests.contract.provider_place import make_mail
from tests.contract.sender_contract import (
    BOB,
    CAROL,
    DAVE,
    ENVELOPE,
    MESSAGE_ID,
    OWN,
    Brink,
    Fault,
    SenderContract,
    SendingPlace,
    looking,
    sending,
)
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.letters import letter

USER = "jane@example.test"
ASKED = "<letter-1@customer.test>"


class OutlookPlace(SendingPlace):
    def __init__(self, microsoft: FakeMicrosoft, *, user: str = "", send_as: bool = True) -> None:
        self.microsoft = microsoft
        self.faults = microsoft.faults
        self.faults.silence_seconds = 0.05
        self.mailbox = microsoft.share(OWN, with_=user, send_as=send_as) if user else microsoft.mailbox(OWN)
        self.provider = OutlookProvider(NetworkPolicy(), endpoints=microsoft.endpoints, poll_seconds=0.2)
        self.credentials = Credentials(OWN, {}, GivenTokens(microsoft.token_for(user or OWN)), sign_in_user=user)

    def fail_next(self, fault: Fault) -> None:
        match fault:
            case "lost after":
                self.faults.time_out_after_accepting = 1
            case "lost before":
                self.faults.time_out_before_accepting = 1
            case "unavailable after":
                self.faults.fail_after_accepting = 1
            case "throttled":
                self.faults.refuse_send = (429, "ApplicationThrottled", "MailboxConcurrency limit")
            case "refused":
                self.faults.refuse_send = (400, "ErrorInvalidRecipients", "At least one recipient is not valid.")

    def sent_count(self, internet_message_id: str) -> int:
        return self.mailbox.sent_count(internet_message_id)

    def recipients(self, internet_message_id: str) -> set[str]:
        return {
            person
            for one in self.mailbox.submitted
            if one.internet_message_id == internet_message_id
            for person in one.recipients
        }

    def draft_count(self) -> int:
        return sum(one.is_draft for one in self.mailbox.messages)

    def delete_drafts(self) -> None:
        for one in self.mailbox.messages:
            if one.is_draft:
                self.mailbox.delete(one.id)

    @property
    def left(self) -> bytes:
        return self.mailbox.submitted[-1].raw


@pytest.fixture
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        yield microsoft


@pytest.fixture
def place(microsoft: FakeMicrosoft) -> OutlookPlace:
    return OutlookPlace(microsoft)


class TestOutlookSender(SenderContract):
    @pytest.fixture
    def place(self, microsoft: FakeMicrosoft) -> OutlookPlace:
        return OutlookPlace(microsoft)


class TestSharedMailboxSender(SenderContract):
    @pytest.fixture
    def place(self, microsoft: FakeMicrosoft) -> OutlookPlace:
        return OutlookPlace(microsoft, user=USER)


async def test_an_answer_joins_the_conversation_that_it_answers(place: OutlookPlace) -> None:
    asked_id = place.mailbox.deliver(make_mail(1))
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB, subject="Re: Letter 1", answers=ASKED), Brink())
    asked = place.mailbox.find(asked_id)
    [answer] = place.mailbox.messages_in("sentitems")
    assert answer.conversation == asked.conversation
    assert place.microsoft.heard(method="POST", path="createReply")
    assert message_from_bytes(place.left)["In-Reply-To"] == ASKED


async def test_the_message_id_that_it_left_with_is_read_back(place: OutlookPlace) -> None:
    place.faults.replaces_message_id = True
    brink = Brink()
    async with sending(place) as sender:
        receipt = await sender.send(ENVELOPE, letter(OWN, BOB), brink)
    assert receipt.internet_message_id == place.mailbox.submitted[-1].final_id != MESSAGE_ID
    async with looking(place) as session:
        assert (await session.find_upload(brink.name)).internet_message_id == receipt.internet_message_id


async def test_a_copy_that_appears_late_is_sent_nevertheless(place: OutlookPlace) -> None:
    place.faults.sent_copy_after_seconds = 60
    brink = Brink()
    async with sending(place) as sender:
        receipt = await sender.send(ENVELOPE, letter(OWN, BOB), brink)
    assert receipt.internet_message_id == ""
    async with looking(place) as session:
        assert (await session.find_upload(brink.name)).state == "gone"


@pytest.mark.parametrize("answers", ["", ASKED])
async def test_a_large_message_goes_in_pieces_and_arrives_whole(place: OutlookPlace, answers: str) -> None:
    place.mailbox.deliver(make_mail(1))
    files = [
        ParsedAttachment("small.txt", "text/plain", b"small"),
        ParsedAttachment("middle.bin", "application/octet-stream", b"m" * 2_900_000),
        ParsedAttachment("large.bin", "application/octet-stream", b"0123456789" * 1_000_000),
    ]
    raw = letter(OWN, BOB, cc=[CAROL], answers=answers, attachments=files, html="<p>Hello <b>Bob</b></p>")
    async with sending(place) as sender:
        await sender.send(Envelope(OWN, (BOB.address, CAROL.address, DAVE.address)), raw, Brink())
    left = message_from_bytes(place.left, policy=default)
    assert _contents(left) == [one.content for one in files]
    assert (left["Message-ID"], left["Subject"]) == (MESSAGE_ID, "Offer")
    assert left["X-Postroom-Submission"].endswith("01") and (left["In-Reply-To"] or "") == answers
    assert place.recipients(MESSAGE_ID) == {BOB.address, CAROL.address, DAVE.address}
    assert place.draft_count() == 0
    tokens = [one for one in place.microsoft.requests if one.path.startswith("/upload/")]
    assert len(tokens) == 4  # ten million octets by ranges below 4 MB


def _contents(message: EmailMessage) -> list[bytes]:
    return [part.get_payload(decode=True) for part in message.iter_attachments()]  # type: ignore[misc]


async def test_an_upload_that_is_cut_goes_on_where_it_was(place: OutlookPlace) -> None:
    files = [ParsedAttachment("large.bin", "application/octet-stream", b"0123456789" * 1_000_000)]
    place.faults.drop_ranges = 2
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB, attachments=files), Brink())
    assert place.faults.drop_ranges == 0
    assert _contents(message_from_bytes(place.left, policy=default)) == [files[0].content]
    assert len(place.microsoft.heard(method="PUT", path="^/upload/")) == 4


async def test_half_a_draft_of_a_dead_try_is_replaced_by_a_whole_one(place: OutlookPlace) -> None:
    files = [ParsedAttachment("large.bin", "application/octet-stream", b"0123456789" * 500_000)]
    raw = letter(OWN, BOB, attachments=files)
    async with sending(place) as sender:
        with pytest.raises(ConnectionError):
            await sender.send(ENVELOPE, raw, Brink(breaks=True))
        await sender.send(ENVELOPE, raw, Brink(), was_tried=True)
    assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (1, 0)


async def test_who_may_not_send_as_the_shared_mailbox_is_told_so(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft, user=USER, send_as=False)
    async with sending(place) as sender:
        with pytest.raises(Refused) as refused:
            await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
    assert refused.value.code == "send_as_denied"
    assert refused.value.facts["address"] == OWN


async def test_on_behalf_names_who_wrote_and_is_filed_in_the_shared_mailbox(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft, user=USER, send_as=False)
    place.mailbox.share(USER, full_access=True, on_behalf=True)
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
    left = message_from_bytes(place.left)
    assert (left["Sender"], "sales@example.test" in left["From"]) == (USER, True)
    assert len(place.mailbox.messages_in("sentitems")) == 1
    assert microsoft.mailbox(USER).messages_in("sentitems") == []


async def test_an_answer_of_202_is_sent_whatever_else_it_says_and_5xx_is_a_doubt(place: OutlookPlace) -> None:
    place.faults.refuse_send = (503, "ServiceUnavailable", "The service is temporarily unavailable.")
    async with sending(place) as sender:
        with pytest.raises(InDoubt):
            await sender.send(ENVELOPE, letter(OWN, BOB), Brink())


async def test_no_other_address_is_offered_since_exchange_may_replace_it(place: OutlookPlace) -> None:
    assert not place.provider.capabilities.lists_identities
    async with looking(place) as session:
        with pytest.raises(Unsupported):
            await session.list_identities()
