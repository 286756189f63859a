"""Postroom's own web process on loopback, which a fake provider calls, and the wakes that come of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import uvicorn

from postroom.workspaces.database import connection_parameters
from postroom.workspaces.events import ARRIVED


@contextmanager
def web_process(settings: Any) -> Iterator[str]:
    """Serve the real application in a thread; its address is what providers are given."""
    from postroom.config.asgi import application

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    settings.PUSH_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        while not server.started:
            time.sleep(0.01)
        yield settings.PUSH_URL
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        listener.close()


class Wakes:
    """Which mailboxes were woken, and how often."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def heard(self, at_least: int = 0, seconds: float = 0.4) -> list[UUID]:
        """Those since this was last asked: so many, and what comes until it was quiet for so long."""
        heard: list[UUID] = []
        while True:
            patience = seconds if len(heard) >= at_least else 5.0
            told = [UUID(one.payload) for one in self._connection.notifies(timeout=patience, stop_after=1)]
            if not told:
                return heard
            heard += told


@contextmanager
def listening() -> Iterator[Wakes]:
    """Hear wakes from now on."""
    with psycopg.connect(**connection_parameters(), autocommit=True) as connection:
        connection.execute(f"LISTEN {ARRIVED}")
        yield Wakes(connection)
