"""The driver holds a send at the brink until in_doubt is committed, whatever the provider does."""

from __future__ import annotations

import asyncio

import pytest

from postroom.engine.sending import KINDS, Parcel, SendingDriver, drop_uploads, kind_of
from postroom.providers import errors
from postroom.providers.base import BeforeNoReturn, Credentials, Envelope, Provider, Receipt
from postroom.providers.memory.provider import MemoryProvider
from postroom.providers.memory.server import SERVERS, MemoryServer
from postroom.sync import sending as steps
from postroom.sync.sending import Claimed, Kind

MIME = b"Message-ID: <1@acme.example>\r\nSubject: Hi\r\n\r\nHello\r\n"
SECRETS = Credentials("alice@acme.example", {"server": "driving"})


SUBMISSION = "0198f3a2-5b7c-7def-8123-456789abcdef"


class MemoryDesk:
    """Implements engine.sending.Desk in memory."""

    def __init__(self, provider: Provider, *, is_ours: bool = True) -> None:
        self.provider = provider
        self.is_ours = is_ours
        self.upload = ""
        self.was_tried = False
        self.happened: list[str] = []
        self.outcomes: list[steps.Outcome] = []

    async def claim(self) -> Claimed | None:
        return Claimed()

    async def load(self) -> tuple[Provider, Credentials, Parcel]:
        envelope = Envelope("alice@acme.example", ("bob@acme.example",))
        parcel = Parcel(envelope, MIME, "<1@acme.example>", self.upload, self.was_tried, SUBMISSION)
        return self.provider, SECRETS, parcel

    async def mark_in_doubt(self, upload: str) -> bool:
        self.happened.append("in_doubt")
        self.upload, self.was_tried = upload or self.upload, True
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
        async def mark_in_doubt(self, upload: str) -> bool:
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
        self,
        envelope: Envelope,
        mime: bytes,
        before_no_return: BeforeNoReturn,
        upload: str = "",
        was_tried: bool = False,
    ) -> Receipt:
        await asyncio.sleep(0)
        return Receipt("250 gone already")

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_provider_that_does_not_ask_first_leaves_a_doubt() -> None:
    desk = MemoryDesk(Hasty())
    assert isinstance(await send(desk), steps.Doubtful)
    assert desk.happened == ["in_doubt"]


HANDING_OVER = MemoryProvider(upload_settles_seconds=0)


def drafts(server: MemoryServer) -> int:
    folder = server.shelf.read("alice@acme.example", "Drafts")
    return len(folder.messages) if folder else 0


async def look(desk: MemoryDesk) -> steps.Outcome | None:
    doubt = steps.Doubt(seconds=1, settles_seconds=0)
    return await SendingDriver(desk).run(steps.look(doubt, can_find=True))


async def test_what_waits_after_a_doubt_is_the_one_that_is_sent(server: MemoryServer) -> None:
    desk = MemoryDesk(HANDING_OVER)
    server.faults.in_doubt_before_accept = True
    assert isinstance(await send(desk), steps.Doubtful)
    upload = desk.upload
    assert upload and drafts(server) == 1
    assert await look(desk) == steps.QueuedAgain(0)
    server.faults.in_doubt_before_accept = False
    assert isinstance(await send(desk), steps.Sent)
    assert (desk.upload, drafts(server), delivered(server)) == (upload, 0, 1)


async def test_what_left_after_a_doubt_is_found_and_not_sent_again(server: MemoryServer) -> None:
    desk = MemoryDesk(HANDING_OVER)
    server.faults.in_doubt_after_accept = True
    assert isinstance(await send(desk), steps.Doubtful)
    server.faults.in_doubt_after_accept = False
    assert isinstance(await send(desk), steps.Doubtful), "its upload is gone: it may have left"
    assert isinstance(await look(desk), steps.Sent)
    assert delivered(server) == 1


async def test_a_try_that_died_before_the_act_leaves_its_copy_to_the_next(server: MemoryServer) -> None:
    desk = MemoryDesk(HANDING_OVER, is_ours=False)
    assert await send(desk) is None
    assert drafts(server) == 1
    desk.is_ours, desk.upload = True, ""
    assert isinstance(await send(desk), steps.Sent)
    assert (drafts(server), delivered(server)) == (0, 1)


async def test_leftovers_are_dropped_but_for_the_one_that_is_kept(server: MemoryServer) -> None:
    kept = server.deliver("alice@acme.example", MIME, folder="Drafts")
    server.deliver("alice@acme.example", MIME, folder="Drafts")
    server.deliver("alice@acme.example", MIME.replace(b"1@", b"2@"), folder="Drafts")
    await drop_uploads(HANDING_OVER, SECRETS, "<1@acme.example>", kept)
    assert drafts(server) == 2
    await drop_uploads(HANDING_OVER, SECRETS, "<1@acme.example>", "")
    assert drafts(server) == 1


async def test_a_copy_that_the_server_filed_under_an_id_of_its_own_is_not_filed_again(server: MemoryServer) -> None:
    desk = MemoryDesk(MemoryProvider())
    theirs = b"Message-ID: <2@server.test>\r\nX-Postroom-Submission: %s\r\n\r\nHello" % SUBMISSION.encode()
    server.deliver("alice@acme.example", theirs, folder="Sent", flags=("\\Seen",))

    async def no_wait(seconds: float) -> None: ...

    outcome = await SendingDriver(desk, no_wait).run(steps.file_copy(files_itself=None, age_seconds=5))
    assert isinstance(outcome, steps.CopyFiled)
    assert len(server.shelf.read("alice@acme.example", "Sent").messages) == 1
    found = await SendingDriver(desk).run(steps.look(steps.Doubt(), can_find=True))
    assert isinstance(found, steps.Sent)


async def test_cancelling_at_the_brink_sends_nothing(server: MemoryServer) -> None:
    reached = asyncio.Event()

    class Slow(MemoryDesk):
        async def mark_in_doubt(self, upload: str) -> bool:
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
