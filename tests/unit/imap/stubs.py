"""Bad servers on loopback: an asyncio stub whose conversation is a function of reader and writer."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from postroom.providers.guard import NetworkPolicy

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def loopback_policy(ca_file: Path | None = None) -> NetworkPolicy:
    return NetworkPolicy(allowed=LOOPBACK, ca_file=ca_file)


@asynccontextmanager
async def serving(conversation: Conversation, certificate: Path | None = None) -> AsyncIterator[int]:
    """A server on a free port, with TLS from the start when a certificate is given; yields the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await conversation(reader, writer)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)
