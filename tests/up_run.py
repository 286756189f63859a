"""Postroom as a person starts it, for tests: a real `bin/up` with its own data folder, database and port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ADDRESS = re.compile(r"^Postroom runs at (\S+)$", re.MULTILINE)
START_SECONDS = 180  # the first start takes ten; what a start may take is asserted in test_up.py
SETUP_LINK = re.compile(r"^\s*(http\S+/setup/\S+)$", re.MULTILINE)


class UpRun:
    """One `python -m postroom.ops.up`, and what it says. `extra` are further environment variables."""

    def __init__(self, data: Path, port: int, *arguments: str, **extra: str) -> None:
        self.environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self.environment |= {"POSTROOM_DATA": str(data), "POSTROOM_PORT": str(port), **extra}
        self.environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1] / "src")
        self.data = data
        self.output = data.with_suffix(".out")
        self.started = time.monotonic()
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "postroom.ops.up", *arguments],
                stdout=output,
                stderr=output,
                env=self.environment,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_for_address(self) -> str:
        return self._wait_for(ADDRESS)

    def wait_for_setup_link(self) -> str:
        return self._wait_for(SETUP_LINK)

    def _wait_for(self, pattern: re.Pattern[str]) -> str:
        while not (found := pattern.search(self.said)):
            assert self.process.poll() is None, self.said
            assert time.monotonic() - self.started < START_SECONDS, self.said
            time.sleep(0.02)
        return found[1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Give the seconds that the end took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - started

    def logs(self) -> str:
        """The end of every log, for the message of a failed test."""
        ends = (f"== {log.name}\n{log.read_text()[-8000:]}" for log in sorted((self.data / "log").glob("*.log")))
        return "\n".join(ends)
