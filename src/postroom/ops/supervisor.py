"""Keep child processes running: start them, start them again when they end, end them all in time.

One thread, which sleeps in select() until a signal (a child's end is one) or the next thing to do. A child runs in
its own session, so that Ctrl-C in the terminal reaches only us and the end has an order.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from postroom.ops import log_files
from postroom.ops.parent_death import end_with_parent, refuse_other_threads

STOP_SECONDS: Final = 6.0  # of the 10 s that an end may take; the database needs some after the last child
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
SETTLED_SECONDS: Final = 60.0  # a child that ran so long starts again without a pause
LOG_CHECK_SECONDS: Final = 20.0


@dataclass(slots=True)
class Child:
    """One process to keep running. `start_at` is set while it is down (time.monotonic())."""

    name: str
    command: Sequence[str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause_seconds: float = field(default=FIRST_PAUSE_SECONDS)

    def start(self, environment: Mapping[str, str]) -> None:
        refuse_other_threads()
        parent = os.getpid()
        with log_files.open_log(self.log) as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(parent, signal.SIGTERM),
            )
        self.started_at = time.monotonic()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def plan_restart(self, now: float) -> float:
        """Set when to start again, and give the pause: doubled with each early end, short after a long run."""
        if now - self.started_at > SETTLED_SECONDS:
            self.pause_seconds = FIRST_PAUSE_SECONDS
        pause = self.pause_seconds
        self.pause_seconds = min(2 * pause, LONGEST_PAUSE_SECONDS)
        self.process, self.start_at = None, now + pause
        return pause


class Supervisor:
    """Runs the children until `stop_requested`. `keep_alive` is called at each turn (the database's check)."""

    def __init__(
        self,
        children: Sequence[Child],
        environment: Mapping[str, str],
        say: Callable[[str], None],
        keep_alive: Callable[[], None] = lambda: None,
        more_logs: Sequence[Path] = (),
    ) -> None:
        self.children = children
        self.stop_requested = False
        self._environment = environment
        self._say = say
        self._keep_alive = keep_alive
        self._logs = [*(child.log for child in children), *more_logs]
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._next_log_check = 0.0

    def listen(self) -> None:
        """From here on SIGTERM, SIGINT and SIGHUP ask for the end instead of interrupting."""
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._request_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # only to wake select()

    def start_all(self) -> None:
        for child in self.children:
            child.start(self._environment)

    def wait(self, seconds: float) -> None:
        """Sleep until a signal comes or the seconds are over."""
        ready, _, _ = select.select([self._wake], [], [], max(0.0, seconds))
        if ready:
            os.read(self._wake, 4096)

    def run(self) -> None:
        """Keep the children running until the end is asked for."""
        while not self.stop_requested:
            self._keep_alive()
            now = time.monotonic()
            for child in self.children:
                self._look_after(child, now)
            if now >= self._next_log_check:
                for log in self._logs:
                    log_files.rotate_when_full(log)
                self._next_log_check = now + LOG_CHECK_SECONDS
            pauses = [child.start_at - now for child in self.children if child.process is None]
            self.wait(min([1.0, *pauses]))

    def stop_all(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """SIGTERM for all at once; SIGKILL for who is still there after the timeout, or at a second Ctrl-C."""
        self.stop_requested = False  # from here on it means: at once
        running = [child for child in self.children if child.is_running]
        for child in running:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + timeout_seconds
        while any(child.is_running for child in running):
            left = deadline - time.monotonic()
            if left <= 0 or self.stop_requested:
                break
            self.wait(min(left, 0.2))
        for child in running:
            if child.is_running:
                self._say(f"{child.name} did not end in time and was killed; see {child.log}")
                _signal(child, signal.SIGKILL)
            if child.process is not None:
                child.process.wait()

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is not None and (status := child.process.poll()) is not None:
            pause = child.plan_restart(now)
            self._say(f"{child.name} ended ({_reason(status)}); it starts again in {pause:.1f} s. See {child.log}")
        if child.process is None and now >= child.start_at:
            child.start(self._environment)

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested = True


def python_child(name: str, kind: str, log: Path) -> Child:
    """One of Postroom's own processes: `python -m postroom.ops.processes KIND`."""
    return Child(name=name, command=[sys.executable, "-m", "postroom.ops.processes", kind], log=log)


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None:
        child.process.send_signal(number)  # Popen checks first that it has not ended: no stranger with its pid


def _reason(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
