"""The driver holds a send at the brink until in_doubt is committed, whatever the provider does."""

from __future__ import annotations

import asyncio

import pytest

from postroom.engine.sending import KINDS, Parcel, SendingDriver, kind_of
from postroom.providers import errors
from postroom.providers.base import BeforeNoReturn, Credentials, Envelope, Provider, Receipt
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync import sending as steps
from postroom.sync.sending import Claimed, Kind

MIME = b"Message-ID: <1@acme.example>\r\nSubject: Hi\r\n\r\nHello\r\n"
SECRETS = Credentials("alice@acme.example", {"server": "driving"})


class MemoryDesk:
    """Implements engine.sending.Desk in memory."""

    def __init__(self, provider: Provider, *, is_ours: bool = True) -> None:
        self.provider = provider
        self.is_ours = is_ours
        self.happened: list[str] = []
        self.outcomes: list[steps.Outcome] = []

    async def claim(self) -> Claimed | None:
        return Claimed()

    async def load(self) -> tuple[Provider, Credentials, Parcel]:
        parcel = Parcel(Envelope("alice@acme.example", ("bob@acme.example",)), MIME, "<1@acme.example>")
        return self.provider, SECRETS, parcel

    async def mark_in_doubt(self) -> bool:
        self.happened.append("in_doubt")
        return self.is_ours

    async def record(self, outcome: steps.Outcome) -> None:
        self.outcomes.append(outcome)


@pytest.fixture
def server() -> MemoryServer:
    server = MemoryServer()
    SERVERS["driving"] = server
    server.shelf.folders("bob@acme.example")
    return server


def delivered(server: MemoryServer) -> int:
    return len(server.shelf.read("bob@acme.example", "INBOX").messages)


async def send(desk: MemoryDesk) -> steps.Outcome | None:
    return await SendingDriver(desk).run(steps.send())


async def test_a_message_is_sent_once_and_recorded(server: MemoryServer) -> None:
    desk = MemoryDesk(MemoryProvider())
    assert isinstance(await send(desk), steps.Sent)
    assert desk.happened == ["in_doubt"]
    assert delivered(server) == 1


async def test_a_lost_claim_sends_nothing(server: MemoryServer) -> None:
    desk = MemoryDesk(MemoryProvider(), is_ours=False)
    assert await send(desk) is None
    assert delivered(server) == 0
    assert desk.outcomes == []


async def test_a_crash_while_marking_sends_nothing(server: MemoryServer) -> None:
    class Broken(MemoryDesk):
        async def mark_in_doubt(self) -> bool:
            raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        await send(Broken(MemoryProvider()))
    assert delivered(server) == 0


@pytest.mark.parametrize(
    ("fault", "outcome", "copies"),
    [
        ("unreachable", steps.QueuedAgain, 0),
        ("throttle_send", steps.QueuedAgain, 0),
        ("refuse_sign_in", steps.QueuedAgain, 0),
        ("in_doubt_before_accept", steps.Doubtful, 0),
        ("in_doubt_after_accept", steps.Doubtful, 1),
    ],
)
async def test_each_fault_has_its_outcome(
    server: MemoryServer, fault: str, outcome: type[steps.Outcome], copies: int
) -> None:
    setattr(server.faults, fault, True)
    assert isinstance(await send(MemoryDesk(MemoryProvider())), outcome)
    assert delivered(server) == copies


async def test_a_refusal_of_the_message_is_final(server: MemoryServer) -> None:
    server.faults.refuse_send = "554 no thanks"
    outcome = await send(MemoryDesk(MemoryProvider()))
    assert isinstance(outcome, steps.Failed)
    assert outcome.trouble.words == "554 no thanks"


class Hasty(MemoryProvider):
    """Breaks the interface: sends without asking."""

    async def open_sender(self, credentials: Credentials) -> Hasty:  # type: ignore[override]
        return self

    async def send(
        self, envelope: Envelope, mime: bytes, before_no_return: BeforeNoReturn, upload: str = ""
    ) -> Receipt:
        await asyncio.sleep(0)
        return Receipt("250 gone already")

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_provider_that_does_not_ask_first_leaves_a_doubt() -> None:
    desk = MemoryDesk(Hasty())
    assert isinstance(await send(desk), steps.Doubtful)
    assert desk.happened == ["in_doubt"]


async def test_cancelling_at_the_brink_sends_nothing(server: MemoryServer) -> None:
    reached = asyncio.Event()

    class Slow(MemoryDesk):
        async def mark_in_doubt(self) -> bool:
            reached.set()
            await asyncio.sleep(60)
            return True

    task = asyncio.create_task(send(Slow(MemoryProvider())))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert delivered(server) == 0


def test_every_error_means_something_for_a_send() -> None:
    named = {error_class for error_class, _ in KINDS}
    assert errors.ProviderError in named
    assert kind_of(errors.SignInRefused()) is Kind.OWNER
    assert kind_of(errors.Unreachable()) is Kind.LOST
    assert kind_of(errors.ProtocolViolation()) is Kind.LOST
