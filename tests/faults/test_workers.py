"""Real workers share mailboxes evenly, take over from the dead, and go through an outage of the database."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Iterator

import pytest

from postroom.mailboxes.models import Worker
from tests.faults.worker_place import MAILBOXES, WorkerPlace, worker_place
from tests.servers import free_ports, wait_for_port

START_SECONDS = 20.0  # of a process, on a busy machine
SHARE_SECONDS = 3.0
MOVE_SECONDS = 10.0
STOP_SECONDS = 2.0
HEALTH, PAGE = "/api/v1/health", "/setup/nothing/"  # a link that has to be looked up
DEAD_SECONDS = Worker.DEAD_AFTER.total_seconds()


@pytest.fixture(scope="module")
def installation() -> Iterator[WorkerPlace]:
    with worker_place() as made:
        yield made


@pytest.fixture
def place(installation: WorkerPlace) -> Iterator[WorkerPlace]:
    yield installation
    installation.end()


def is_registered(place: WorkerPlace, pid: int) -> bool:
    return any(name.endswith(f" {pid}") for (name,) in place.rows("SELECT name FROM mailboxes_worker"))


def test_workers_share_evenly_and_take_over_from_the_dead_and_the_paused(place: WorkerPlace) -> None:
    first = place.start()
    place.wait_until(lambda: place.shares() == {first: 12}, START_SECONDS)

    second, third = place.start(), place.start()
    for pid in (second, third):
        place.wait_until(lambda pid=pid: is_registered(place, pid), START_SECONDS)  # type: ignore[misc]
    place.wait_until(lambda: place.shares() == {first: 4, second: 4, third: 4}, SHARE_SECONDS)

    os.kill(third, signal.SIGTERM)
    place.wait_until(lambda: place.shares() == {first: 6, second: 6}, STOP_SECONDS)

    os.kill(second, signal.SIGKILL)
    place.wait_until(lambda: place.shares() == {first: 12}, MOVE_SECONDS)

    # One is paused for twice the time-out: the other takes its mailboxes, and what the first still has in hand when it
    # wakes up is refused. Mail that arrives meanwhile is there once.
    fourth = place.start()
    place.wait_until(lambda: place.shares() == {first: 6, fourth: 6}, START_SECONDS)
    epochs = dict(place.rows("SELECT address, epoch FROM mailboxes_mailbox"))
    os.kill(first, signal.SIGSTOP)
    place.deliver_to_all(1)
    stopped_at = time.monotonic()
    place.wait_until(lambda: place.shares() == {fourth: 12}, MOVE_SECONDS)
    place.wait_until(lambda: place.stored() == len(MAILBOXES), MOVE_SECONDS)
    time.sleep(max(0.0, 2 * DEAD_SECONDS - (time.monotonic() - stopped_at)))
    os.kill(first, signal.SIGCONT)
    place.deliver_to_all(2)
    place.wait_until(lambda: place.shares() == {first: 6, fourth: 6}, 2 * SHARE_SECONDS)
    place.wait_until(lambda: place.stored() == 2 * len(MAILBOXES), MOVE_SECONDS)
    assert "it registers anew and drops 6 sessions" in place.said
    raised = dict(place.rows("SELECT address, epoch FROM mailboxes_mailbox"))
    assert sum(raised[address] > epochs[address] for address in raised) >= 6
    doubled = "SELECT folder_id, remote_id FROM correspondence_placement GROUP BY 1, 2 HAVING count(*) > 1"
    assert place.rows(doubled) == []
    assert "Traceback" not in place.said, place.said


def test_an_outage_of_the_database_ends_no_process_and_is_over_soon_after(place: WorkerPlace) -> None:
    """Longer than a worker may be silent: everybody comes back, registers anew, and goes on."""
    [port] = free_ports(1)
    worker, _ = place.start(), place.start("importer")
    place.start("web", POSTROOM_PORT=str(port))
    wait_for_port(port, place.web_log)
    place.wait_until(lambda: place.shares() == {worker: 12}, START_SECONDS)
    assert status(port, HEALTH)[0] == 200

    stored = place.stored()
    place.postgres.stop()
    place.deliver_to_all(3)
    answers = []
    ends_at = time.monotonic() + DEAD_SECONDS + 3
    while time.monotonic() < ends_at:
        answers.append(status(port, PAGE))
        time.sleep(0.5)
    assert {code for code, _ in answers} == {503}, answers
    assert all(retry_after for _, retry_after in answers)

    place.postgres.start()
    place.deliver_to_all(4)
    place.wait_until(lambda: place.stored() == stored + 2 * len(MAILBOXES), 30)
    place.wait_until(lambda: status(port, HEALTH)[0] == 200, 30)
    assert all(process.poll() is None for process in place.processes.values()), "nobody has ended"
    assert place.shares() == {worker: 12}
    assert "ERROR postroom" not in place.said, place.said


def status(port: int, path: str) -> tuple[int, str | None]:
    """The answer of what needs the database, and its Retry-After."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["Retry-After"]
    finally:
        connection.close()
