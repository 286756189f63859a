"""Sending by the Gmail API, against the fake Google."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from postroom.mail.message import Address, ParsedAttachment
from postroom.providers.base import Credentials
from postroom.providers.errors import InDoubt, NeedsReconnect, Refused
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.gmail.sender import GmailSender
from postroom.providers.guard import NetworkPolicy
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
from tests.fakes.google import FakeGoogle
from tests.letters import letter

ASKED = "<letter-1@customer.test>"
ALIAS = "offers@example.test"


class GmailPlace(SendingPlace):
    def __init__(self, google: FakeGoogle) -> None:
        self.google = google
        self.faults = google.faults
        self.faults.silence_seconds = 0.05
        self.mailbox = google.mailbox(OWN)
        self.provider = GmailProvider(NetworkPolicy(), endpoints=google.endpoints, poll_seconds=0.2)
        self.credentials = Credentials(OWN, {}, GivenTokens(google.token_for(OWN)))

    def fail_next(self, fault: Fault) -> None:
        match fault:
            case "lost after":
                self.faults.time_out_after_accepting = 1
            case "lost before":
                self.faults.time_out_before_accepting = 1
            case "unavailable after":
                self.faults.fail_after_accepting = 1
            case "throttled":
                self.faults.refuse_send = (429, "rateLimitExceeded", "User-rate limit exceeded (Mail sending)")
            case "refused":
                self.faults.refuse_send = (400, "invalidArgument", "Invalid To header")

    def sent_count(self, internet_message_id: str) -> int:
        return self.mailbox.sent_count(internet_message_id)

    def recipients(self, internet_message_id: str) -> set[str]:
        people = (one.address for one in (BOB, CAROL, DAVE))
        return {person for person in people if self.google.delivered[(internet_message_id, person)]}

    def draft_count(self) -> int:
        return len(self.mailbox.drafts)

    def delete_drafts(self) -> None:
        for remote_id in list(self.mailbox.drafts.values()):
            self.mailbox.delete(remote_id)

    @property
    def sent(self) -> list[bytes]:
        return [one.raw for one in self.mailbox.messages.values() if "SENT" in one.labels]

    def calls(self, name: str) -> int:
        return sum(one.name == name for one in self.google.requests)


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        yield google


@pytest.fixture
def place(google: FakeGoogle) -> GmailPlace:
    return GmailPlace(google)


class TestGmailSender(SenderContract):
    @pytest.fixture
    def place(self, google: FakeGoogle) -> GmailPlace:
        return GmailPlace(google)


@pytest.mark.parametrize(
    ("subject", "answers", "is_joined"),
    [
        ("Re: Letter 1", ASKED, True),
        ("AW: Letter 1", ASKED, True),
        ("Something else", ASKED, False),
        ("Letter 1", "<gone@customer.test>", False),
    ],
)
async def test_an_answer_joins_the_thread_if_its_subject_is_the_same(
    place: GmailPlace, subject: str, answers: str, is_joined: bool
) -> None:
    asked = place.mailbox.get(place.mailbox.deliver(make_mail(1)))
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB, subject=subject, answers=answers), Brink())
    [answer] = [one for one in place.mailbox.messages.values() if "SENT" in one.labels]
    assert (answer.thread_id == asked.thread_id) is is_joined


async def test_a_large_message_is_uploaded_and_a_too_large_one_refused(place: GmailPlace) -> None:
    files = [ParsedAttachment("large.bin", "application/octet-stream", b"0123456789" * 500_000)]
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB, attachments=files), Brink())
        assert any(one.path.startswith("/upload/") for one in place.google.requests)
        assert message_from_bytes(place.sent[0]).get_payload()[1].get_payload(decode=True) == files[0].content  # type: ignore[index, union-attr]
        too_large = letter(OWN, BOB) + b"x" * 36_700_160
        with pytest.raises(Refused) as refused:
            await sender.send(ENVELOPE, too_large, Brink())
    assert refused.value.code == "message_too_large"
    assert place.draft_count() == 0


async def test_only_confirmed_aliases_may_be_sent_from(place: GmailPlace) -> None:
    place.mailbox.add_send_as(ALIAS, "Offers")
    place.mailbox.add_send_as("new@example.test", verification="pending")
    async with looking(place) as session:
        assert [one.address for one in await session.list_identities()] == [OWN, ALIAS]
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(ALIAS, BOB), Brink())
        with pytest.raises(Refused) as refused:
            await sender.send(ENVELOPE, letter("new@example.test", BOB, number=2), Brink())
    assert ALIAS in message_from_bytes(place.sent[0])["From"]
    assert (refused.value.code, refused.value.facts["address"]) == ("send_as_denied", "new@example.test")
    assert place.draft_count() == 0


async def test_the_message_id_that_it_left_with_is_read_back(place: GmailPlace) -> None:
    place.faults.replaces_message_id = True
    async with sending(place) as sender:
        receipt = await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
    assert receipt.internet_message_id == message_from_bytes(place.sent[0])["Message-ID"] != MESSAGE_ID


@pytest.mark.parametrize("drops_own_headers", [False, True])
async def test_what_left_unheard_under_another_id_is_found(place: GmailPlace, drops_own_headers: bool) -> None:
    place.faults.replaces_message_id, place.faults.drops_own_headers = True, drops_own_headers
    place.fail_next("lost after")
    brink = Brink()
    async with sending(place) as sender:
        with pytest.raises(InDoubt):
            await sender.send(ENVELOPE, letter(OWN, BOB), brink)
    async with looking(place) as session:
        found = await session.find_upload(brink.name)
    assert (found.state, found.internet_message_id) == ("sent", message_from_bytes(place.sent[0])["Message-ID"])


async def test_a_message_is_found_though_the_search_lags(place: GmailPlace) -> None:
    place.faults.search_lags_seconds = 60
    brink = Brink()
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB), brink)
    async with looking(place) as session:
        assert (await session.find_upload(brink.name)).state == "sent"


async def test_silence_ends_in_doubt_after_its_time(place: GmailPlace) -> None:
    place.faults.silence_seconds = 30
    place.fail_next("lost after")
    async with sending(place) as sender:
        impatient = GmailSender(sender._api, place.credentials, send_seconds=0.3)  # type: ignore[attr-defined]
        with pytest.raises(InDoubt):
            await impatient.send(ENVELOPE, letter(OWN, BOB), Brink())
    assert place.sent_count(MESSAGE_ID) == 1


async def test_a_refused_token_is_replaced_once_and_then_the_mailbox_is_connected_anew(place: GmailPlace) -> None:
    place.faults.revoke(OWN)
    async with sending(place) as sender:
        with pytest.raises(NeedsReconnect):
            await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
    assert place.sent_count(MESSAGE_ID) == 0


async def test_a_new_message_costs_a_draft_a_send_and_a_look_back(place: GmailPlace) -> None:
    async with sending(place) as sender:
        await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
    assert [one.name for one in place.google.requests] == ["drafts.create", "drafts.send", "messages.get"]
    assert place.google.units(OWN) == 10 + 100 + 20


async def test_a_blind_copy_is_in_no_copy_that_leaves(place: GmailPlace) -> None:
    dave = place.google.mailbox(DAVE.address)
    async with sending(place) as sender:
        await sender.send(type(ENVELOPE)(OWN, (BOB.address, DAVE.address)), letter(OWN, Address(BOB.address)), Brink())
    [got] = dave.messages.values()
    assert message_from_bytes(got.raw)["Bcc"] is None
