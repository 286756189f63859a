"""Children are started again, and all end in time. The children are real processes: small Python programs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postroom.ops.supervisor import LONGEST_PAUSE_SECONDS, Child, Supervisor

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
IGNORES_SIGTERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []
    handlers = {number: signal.getsignal(number) for number in (15, 2, 1, signal.SIGCHLD)}

    def supervisor(*programs: str) -> Supervisor:
        children = [
            Child(f"child {number}", [sys.executable, "-c", program], tmp_path / f"{number}.log")
            for number, program in enumerate(programs)
        ]
        made.append(Supervisor(children, dict(os.environ), said.append))
        return made[-1]

    yield supervisor
    for one in made:
        one.stop_all(timeout_seconds=0)
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def wait_for(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_until_up(supervisor: Supervisor) -> None:
    wait_for(lambda: all("up" in child.log.read_text() for child in supervisor.children))


def test_a_child_that_ends_is_started_again(make: Callable[..., Supervisor], said: list[str]) -> None:
    supervisor = make("import sys; print('up', flush=True); sys.exit(3)")
    supervisor.start_all()

    def stop_after_the_second_start() -> None:
        supervisor.stop_requested = supervisor.children[0].log.read_text().count("up") == 2

    supervisor._keep_alive = stop_after_the_second_start
    supervisor.run()
    assert "child 0 ended (exit status 3); it starts again in 0.5 s" in said[0]


def test_the_end_reaches_every_child_at_once(make: Callable[..., Supervisor], said: list[str]) -> None:
    supervisor = make(SLEEPS, SLEEPS, SLEEPS)
    supervisor.start_all()
    wait_until_up(supervisor)
    started = time.monotonic()
    supervisor.stop_all()
    assert time.monotonic() - started < 2
    assert [child.process and child.process.returncode for child in supervisor.children] == [-15, -15, -15]
    assert said == []


def test_a_child_that_will_not_end_is_killed(make: Callable[..., Supervisor], said: list[str]) -> None:
    supervisor = make(IGNORES_SIGTERM)
    supervisor.start_all()
    wait_until_up(supervisor)
    supervisor.stop_all(timeout_seconds=0.2)
    assert supervisor.children[0].process is not None
    assert supervisor.children[0].process.returncode == -9
    assert "was killed" in said[0]


def test_sigterm_ends_the_run(make: Callable[..., Supervisor]) -> None:
    supervisor = make(SLEEPS)
    supervisor.listen()
    supervisor.start_all()
    supervisor._keep_alive = lambda: os.kill(os.getpid(), signal.SIGTERM)
    started = time.monotonic()
    supervisor.run()
    assert time.monotonic() - started < 0.9  # woken, not found after the second that a turn lasts


def test_pauses_grow_and_end_with_a_long_run(tmp_path: Path) -> None:
    child = Child("one", [], tmp_path / "log", started_at=1_000.0)
    assert [child.plan_restart(1_001.0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, 30]
    assert child.plan_restart(1_100.0) == 0.5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
from pathlib import Path
from postroom.ops.supervisor import Child, Supervisor
child = Child("one", [sys.executable, "-c", {SLEEPS!r}], Path(sys.argv[1]))
Supervisor([child], dict(os.environ), print).start_all()
while "up" not in child.log.read_text(): time.sleep(0.01)
print(child.process.pid, flush=True)
time.sleep(600)
"""
    log = str(tmp_path / "log")
    with subprocess.Popen([sys.executable, "-c", program, log], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
    wait_for(lambda: _is_gone(pid))


def _is_gone(pid: int) -> bool:
    """Ended; perhaps a zombie that init has not yet reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True
