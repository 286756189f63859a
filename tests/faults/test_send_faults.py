"""Killed workers, silent servers and cut connections: no copy twice, nothing reported sent that nobody has."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from postroom.filing.connection_test import StepState, follow
from postroom.mail.message import Address
from postroom.mailboxes.credentials import store_credentials
from postroom.mailboxes.models import Mailbox
from postroom.outbox import rescue, resolve, sending
from postroom.outbox.composition import Composition, SubmitRefused
from postroom.outbox.connection_test import begin_test, visible_tests
from postroom.outbox.models import State, Submission
from postroom.outbox.submit import submit
from postroom.providers import registry
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.smtp import SmtpTimeouts
from postroom.sync import sending as steps
from postroom.workspaces.database import in_thread
from postroom.workspaces.members import Member
from tests.cast import make_cast, make_mailbox
from tests.fakes.smtp_sink import SmtpSink, running

pytestmark = pytest.mark.django_db(transaction=True)

SEEDS = 20
SUBMISSIONS_A_SEED = 4
LONGEST_RUN_SECONDS = 0.5
CLOSED_PORT = 9  # discard: nobody listens, so looks find nothing out
POLICY = NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"})


@dataclass
class Workers:
    """Forks sending workers (sending_worker.py)."""

    process: subprocess.Popen[str]

    def start(self, failpoint: str = "") -> int:
        return int(self._ask(f"go {failpoint}"))

    def wait(self) -> int:
        return int(self._ask("wait"))

    def _ask(self, word: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@pytest.fixture
def workers(database_url: str) -> Iterator[Workers]:
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
        "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.sending_worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=root,
    ) as process:  # fmt: skip
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield Workers(process)
        assert process.stdin
        process.stdin.close()
        process.wait(10)


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with running(SmtpSink()) as sink:
        yield sink


@pytest.fixture
def alice() -> Iterator[Member]:
    yield make_cast().alice
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def mailbox(alice: Member, sink: SmtpSink) -> Mailbox:
    mailbox = make_mailbox(alice, "sales@tidewater.example", provider="imap")
    point_at(mailbox, sink.port)
    return mailbox


def point_at(mailbox: Mailbox, port: int) -> None:
    server = {"host": "127.0.0.1", "security": "none", "username": "sales", "password": "secret"}
    secrets = {"imap": server | {"port": CLOSED_PORT}, "smtp": server | {"port": port}}
    store_credentials(mailbox, secrets, sign_in_user="sales")


def submit_some(alice: Member, count: int, *, text: str = "Hello") -> list[UUID]:
    composition = Composition(to=[Address("bob@customer.example")], subject="Offer", text=text)
    return [submit(alice, composition).pk for _ in range(count)]


def look_to_the_end() -> None:
    """Let the time of every look pass."""
    for submission in Submission.objects.filter(state=State.IN_DOUBT):
        for _ in range(steps.PATIENT_LOOKS):
            moment = timezone.now()
            Submission.objects.filter(pk=submission.pk).update(
                next_look_at=moment, doubted_at=moment - timedelta(seconds=steps.LOOK_SECONDS[-1])
            )
            asyncio.run(resolve.look(submission.pk))


def test_workers_killed_at_random_points_send_nothing_twice_and_lose_nothing(
    alice: Member, mailbox: Mailbox, sink: SmtpSink, workers: Workers
) -> None:
    interrupted = 0
    sink.longest_pause_seconds = 0.05
    for seed in range(SEEDS):
        chance = sink.chance = random.Random(seed)
        submit_some(alice, SUBMISSIONS_A_SEED)
        pid = workers.start()
        time.sleep(chance.random() * LONGEST_RUN_SECONDS)
        os.kill(pid, signal.SIGKILL)
        assert workers.wait() in (0, signal.SIGKILL)
        interrupted += Submission.objects.filter(state__in=[State.SENDING, State.IN_DOUBT], looks=0).count()
        time.sleep(2 * sink.longest_pause_seconds)  # the server may still take what the dead worker let go
        rescue.rescue_stuck(grace_seconds=0)
        workers.start()
        assert workers.wait() == 0, "the second worker broke"
        look_to_the_end()
    ends = {str(pk): state for pk, state in Submission.objects.values_list("pk", "state")}
    assert len(ends) == SEEDS * SUBMISSIONS_A_SEED
    assert set(ends.values()) <= {State.SENT, State.UNKNOWN}
    assert max(sink.taken.values()) == 1, "a message was sent twice"
    assert [pk for pk, state in ends.items() if state == State.SENT and not sink.taken[pk]] == [], "reported, not sent"
    assert interrupted >= SEEDS // 4, "the kills came too early or too late to prove anything"


@pytest.mark.parametrize(
    ("point", "state", "code", "taken"),
    [
        ("send_claimed", StepState.DONE, "", 1),
        ("send_in_doubt", StepState.STOPPED, "test_doubtful", 0),
        ("send_accepted", StepState.STOPPED, "test_doubtful", 1),
    ],
)
def test_a_connection_test_whose_worker_is_killed_is_one_message_and_its_page_goes_on(
    alice: Member,
    mailbox: Mailbox,
    sink: SmtpSink,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    state: StepState,
    code: str,
    taken: int,
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "imap", ImapProvider(POLICY))
    test = begin_test(alice, mailbox)
    workers.start(f"{point}:kill")
    assert workers.wait() == signal.SIGKILL
    assert follow(alice, test).is_followed
    with pytest.raises(SubmitRefused, match="Follow that one"):  # whoever's web process died presses the button again
        begin_test(alice, mailbox)
    rescue.rescue_stuck(grace_seconds=0)
    workers.start()
    assert workers.wait() == 0
    look_to_the_end()
    accepted = follow(alice, visible_tests(alice).get()).steps[0]
    assert (accepted.state, accepted.code) == (state, code)
    assert sink.taken[str(test.submission_id)] == taken and sum(sink.taken.values()) == taken
    assert Submission.objects.count() == 1


@pytest.mark.parametrize("takes", [True, False])
def test_a_server_silent_after_the_final_dot_leaves_a_doubt_that_a_person_settles(
    alice: Member, mailbox: Mailbox, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch, takes: bool
) -> None:
    sink.hangs, sink.takes = True, takes
    impatient = ImapProvider(POLICY, smtp_timeouts=SmtpTimeouts(end_of_data_seconds=0.3))
    monkeypatch.setitem(registry.PROVIDERS, "imap", impatient)
    [submission_id] = submit_some(alice, 1)
    asyncio.run(sending.send(submission_id))
    assert Submission.objects.get().state == State.IN_DOUBT
    asyncio.run(sending.send(submission_id))
    rescue.rescue_stuck(grace_seconds=0)
    look_to_the_end()
    assert Submission.objects.get().state == State.UNKNOWN
    assert sink.taken[str(submission_id)] == int(takes)


@asynccontextmanager
async def cutting(port: int, after_octets: int, passed: list[int]) -> AsyncIterator[int]:
    """The port of a proxy to `port` that cuts both sides once so many octets went to the server; leaves when it did."""
    is_over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)

        async def back() -> None:
            while octets := await from_server.read(65536):
                writer.write(octets)

        backwards = asyncio.create_task(back())
        left = after_octets
        while left and (octets := await reader.read(left)):
            to_server.write(octets)
            left -= len(octets)
        await to_server.drain()
        passed.append(after_octets - left)
        await asyncio.sleep(0.03)  # an answer that is under way may still come through
        backwards.cancel()
        for side in (to_server, writer):
            side.transport.abort()
        await asyncio.wait({backwards})
        await asyncio.sleep(0)
        is_over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await is_over.wait()


def test_a_connection_cut_at_any_point_is_sent_again_or_in_doubt_never_twice(
    alice: Member, mailbox: Mailbox, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "imap", ImapProvider(POLICY))
    passed: list[int] = []

    async def send_through_a_cut(submission_id: UUID, after_octets: int) -> None:
        async with cutting(sink.port, after_octets, passed) as port:
            await in_thread(point_at, mailbox, port)
            await sending.send(submission_id)

    whole = send_whole(alice, send_through_a_cut, passed)
    states = []
    for after_octets in [*range(1, whole, max(1, whole // 15)), *range(whole - 6, whole + 1)]:
        [submission_id] = submit_some(alice, 1)
        asyncio.run(send_through_a_cut(submission_id, after_octets))
        state = Submission.objects.get(pk=submission_id).state
        assert state in (State.QUEUED, State.IN_DOUBT, State.SENT)
        if state == State.QUEUED:
            assert not sink.taken[str(submission_id)]
        states.append(state)
    assert {State.QUEUED, State.IN_DOUBT, State.SENT} >= set(states) >= {State.QUEUED, State.IN_DOUBT}
    Submission.objects.filter(state=State.QUEUED).update(send_at=timezone.now())
    point_at(mailbox, sink.port)
    for submission in Submission.objects.filter(state=State.QUEUED):
        asyncio.run(sending.send(submission.pk))
    look_to_the_end()
    assert not Submission.objects.exclude(state__in=[State.SENT, State.UNKNOWN]).exists()
    assert max(sink.taken.values()) == 1
    assert all(sink.taken[str(one.pk)] for one in Submission.objects.filter(state=State.SENT))


def send_whole(alice: Member, send: object, passed: list[int]) -> int:
    """How many octets a whole send is, QUIT left out: the cuts go up to there."""
    [submission_id] = submit_some(alice, 1)
    asyncio.run(send(submission_id, 10**9))  # type: ignore[operator]
    assert Submission.objects.get(pk=submission_id).state == State.SENT
    return passed[-1] - len("QUIT\r\n")
