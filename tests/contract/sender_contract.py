"""What every Sender must do that hands over before it sends. A provider's test is a class of this with one fixture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest

from postroom.mail.message import Address
from postroom.providers.base import Credentials, Envelope, Provider, Sender, Session
from postroom.providers.errors import InDoubt, Refused, Throttled
from tests.letters import letter

OWN = "sales@example.test"
BOB, CAROL, DAVE = (Address(f"{name}@customer.test") for name in ("bob", "carol", "dave"))
MESSAGE_ID = "<1@example.test>"

Fault = Literal["lost after", "lost before", "unavailable after", "throttled", "refused"]


class SendingPlace(ABC):
    """A mailbox of its own for one test, at a provider that can be told to fail at the next send."""

    provider: Provider
    credentials: Credentials
    finds_sent = True  # find_upload knows of a message that left
    reads_header = True  # the recipients are those of the header, not of the envelope

    @abstractmethod
    def fail_next(self, fault: Fault) -> None:
        """Let the next act fail."""

    def heal(self) -> None:
        """Let none fail any more; for places whose faults stay."""
        return

    @abstractmethod
    def sent_count(self, internet_message_id: str) -> int:
        """How often a message left, by the Message-ID it was handed over with."""

    @abstractmethod
    def recipients(self, internet_message_id: str) -> set[str]:
        """Whom it left to."""

    @abstractmethod
    def draft_count(self) -> int:
        """How many drafts people see."""

    @abstractmethod
    def delete_drafts(self) -> None:
        """Somebody tidies up."""


@dataclass
class Brink:
    """Stands for the caller's commit; raises when told to, as a crash would."""

    breaks: bool = False
    names: list[str] = field(default_factory=list)

    async def __call__(self, upload: str) -> None:
        self.names.append(upload)
        if self.breaks:
            raise ConnectionError("the database is gone")

    @property
    def name(self) -> str:
        return self.names[-1]


@asynccontextmanager
async def sending(place: SendingPlace) -> AsyncIterator[Sender]:
    sender = await place.provider.open_sender(place.credentials)
    try:
        yield sender
    finally:
        await sender.close()


@asynccontextmanager
async def looking(place: SendingPlace) -> AsyncIterator[Session]:
    session = await place.provider.open(place.credentials)
    try:
        yield session
    finally:
        await session.close()


ENVELOPE = Envelope(OWN, (BOB.address,))


class SenderContract:
    """Subclasses define the fixture `place`."""

    async def test_a_message_leaves_once_under_a_name_and_no_draft_stays(self, place: SendingPlace) -> None:
        brink = Brink()
        async with sending(place) as sender:
            receipt = await sender.send(ENVELOPE, letter(OWN, BOB), brink)
        assert len(brink.names) == 1 and brink.name
        assert receipt.refused == {}
        assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (1, 0)
        async with looking(place) as session:
            assert (await session.find_upload(brink.name)).state == ("sent" if place.finds_sent else "gone")

    async def test_nothing_leaves_when_the_brink_is_not_passed_and_the_next_try_takes_the_draft_up(
        self, place: SendingPlace
    ) -> None:
        async with sending(place) as sender:
            with pytest.raises(ConnectionError):
                await sender.send(ENVELOPE, letter(OWN, BOB), Brink(breaks=True))
        assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (0, 1)
        async with sending(place) as sender:
            await sender.send(ENVELOPE, letter(OWN, BOB), Brink(), was_tried=True)
        assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (1, 0)

    @pytest.mark.parametrize("fault", ["lost after", "unavailable after"])
    async def test_what_left_unheard_is_in_doubt_found_and_never_sent_again(
        self, place: SendingPlace, fault: Fault
    ) -> None:
        brink = Brink()
        place.fail_next(fault)
        async with sending(place) as sender:
            with pytest.raises(InDoubt):
                await sender.send(ENVELOPE, letter(OWN, BOB), brink)
        async with looking(place) as session:
            assert (await session.find_upload(brink.name)).state == ("sent" if place.finds_sent else "gone")
        place.heal()
        async with sending(place) as sender:
            with pytest.raises(InDoubt) as doubt:
                await sender.send(ENVELOPE, letter(OWN, BOB), Brink(), brink.name, was_tried=True)
        assert doubt.value.code == "upload_gone"
        assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (1, 0)

    async def test_what_was_not_taken_waits_and_is_sent_by_its_name(self, place: SendingPlace) -> None:
        brink = Brink()
        place.fail_next("lost before")
        async with sending(place) as sender:
            with pytest.raises(InDoubt):
                await sender.send(ENVELOPE, letter(OWN, BOB), brink)
        async with looking(place) as session:
            assert (await session.find_upload(brink.name)).state == "waiting"
        assert place.sent_count(MESSAGE_ID) == 0
        place.heal()
        async with sending(place) as sender:
            await sender.send(ENVELOPE, letter(OWN, BOB), brink, brink.name, was_tried=True)
        assert brink.names[0] == brink.names[1]
        assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (1, 0)

    async def test_an_upload_that_somebody_deleted_is_a_doubt_and_is_not_made_anew(self, place: SendingPlace) -> None:
        brink = Brink()
        place.fail_next("lost before")
        async with sending(place) as sender:
            with pytest.raises(InDoubt):
                await sender.send(ENVELOPE, letter(OWN, BOB), brink)
        place.delete_drafts()
        async with looking(place) as session:
            assert (await session.find_upload(brink.name)).state == "gone"
        place.heal()
        untouched = Brink()
        async with sending(place) as sender:
            with pytest.raises(InDoubt):
                await sender.send(ENVELOPE, letter(OWN, BOB), untouched, brink.name, was_tried=True)
        assert untouched.names == []
        assert (place.sent_count(MESSAGE_ID), place.draft_count()) == (0, 0)

    @pytest.mark.parametrize(("fault", "error"), [("throttled", Throttled), ("refused", Refused)])
    async def test_a_clear_no_leaves_the_message_unsent(
        self, place: SendingPlace, fault: Fault, error: type[Exception]
    ) -> None:
        place.fail_next(fault)
        async with sending(place) as sender:
            with pytest.raises(error):
                await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
        assert place.sent_count(MESSAGE_ID) == 0

    async def test_everybody_of_the_envelope_gets_it_and_blind_copies_are_not_lost(self, place: SendingPlace) -> None:
        envelope = Envelope(OWN, (BOB.address, CAROL.address, DAVE.address))
        async with sending(place) as sender:
            await sender.send(envelope, letter(OWN, BOB, cc=[CAROL]), Brink())
        assert place.recipients(MESSAGE_ID) == {BOB.address, CAROL.address, DAVE.address}

    async def test_nobody_gets_it_whom_the_envelope_does_not_name(self, place: SendingPlace) -> None:
        brink = Brink()
        async with sending(place) as sender:
            for envelope in (Envelope(OWN, ()), Envelope(OWN, (BOB.address,)))[: 1 + place.reads_header]:
                with pytest.raises(Refused):
                    await sender.send(envelope, letter(OWN, BOB, cc=[CAROL]), brink)
        assert (brink.names, place.draft_count()) == ([], 0)

    async def test_leftovers_of_a_message_are_dropped_but_for_the_kept_one(self, place: SendingPlace) -> None:
        first, second, other = Brink(breaks=True), Brink(breaks=True), Brink(breaks=True)
        async with sending(place) as sender:
            for brink, number in ((first, 1), (second, 1), (other, 2)):
                with pytest.raises(ConnectionError):
                    await sender.send(ENVELOPE, letter(OWN, BOB, number=number), brink)
            assert place.draft_count() == 3
            await sender.drop_uploads(MESSAGE_ID, keep=second.name)
            assert place.draft_count() == 2
            await sender.drop_uploads(MESSAGE_ID)
        assert place.draft_count() == 1
        async with looking(place) as session:
            states = [(await session.find_upload(one.name)).state for one in (first, second, other)]
        assert states == ["gone", "gone", "waiting"]

    async def test_what_was_sent_is_no_leftover(self, place: SendingPlace) -> None:
        async with sending(place) as sender:
            await sender.send(ENVELOPE, letter(OWN, BOB), Brink())
            await sender.drop_uploads(MESSAGE_ID)
        async with looking(place) as session:
            sent = next(folder for folder in await session.list_folders() if folder.role == "sent")
            assert len(await session.find_by_message_id(sent.remote_name, MESSAGE_ID)) == 1
