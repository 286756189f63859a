"""Real mail servers for the tests: private, on loopback, on free ports, in a folder that goes away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path


class ServerMissing(AssertionError):
    """A server that the tests need is not installed. Never a reason to skip."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed. Run: bin/test --install")


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    with ExitStack() as stack:
        endpoints = [stack.enter_context(socket.socket()) for _ in range(count)]
        for endpoint in endpoints:
            endpoint.bind(("127.0.0.1", 0))
        return [endpoint.getsockname()[1] for endpoint in endpoints]


def wait_for_port(port: int, log: Path, seconds: float = 15.0) -> None:
    """Wait until somebody listens; raise with the end of the log otherwise."""
    _wait(lambda: _listens(port), seconds, f"nothing listens on {port}", log)


def stop(pid_file: Path, seconds: float = 10.0) -> None:
    """End the process of that file, and wait until it is gone."""
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.02)


def start_daemon(command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
    """Run a program that goes to the background; its output goes to a file, since a daemon keeps pipes open."""
    with log.open("ab") as output:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, timeout=60, check=False
        )
    if ended.returncode:
        raise AssertionError(f"{command[0]} ended with {ended.returncode}:\n{log.read_text(errors='replace')[-2000:]}")


def let_others_pass(folder: Path) -> None:
    """The servers' own users must get through every folder above theirs."""
    for place in (folder, *folder.parents):
        if place != Path("/") and place.stat().st_uid == os.getuid():
            place.chmod(place.stat().st_mode | 0o711)


def _listens(port: int) -> bool:
    with socket.socket() as endpoint:
        endpoint.settimeout(0.5)
        return endpoint.connect_ex(("127.0.0.1", port)) == 0


def _wait(condition: Callable[[], bool], seconds: float, complaint: str, log: Path) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
            raise AssertionError(f"{complaint}:\n{tail}")
        time.sleep(0.05)
