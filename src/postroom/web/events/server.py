"""uvicorn, ending in the right order: open streams first, else it waits for browsers that never leave."""

from __future__ import annotations

import socket

import uvicorn

from postroom.web.events.hub import hub


class Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await hub.close()
        await super().shutdown(sockets)
