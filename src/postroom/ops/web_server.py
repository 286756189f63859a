"""uvicorn, ending in the right order: open event streams first, else it waits for browsers that never leave."""

from __future__ import annotations

import os
import socket

import uvicorn
from django.conf import settings
from django.utils.module_loading import import_string


class WebServer(uvicorn.Server):
    """Serves settings.ASGI_APPLICATION, whose `close()` ends its streams."""

    def __init__(self) -> None:
        self._application = import_string(settings.ASGI_APPLICATION)
        super().__init__(
            uvicorn.Config(
                self._application,
                host=os.environ.get("POSTROOM_HOST") or "127.0.0.1",
                port=settings.PORT,
                loop="uvloop",
                lifespan="off",
                log_config=None,  # ours (config/settings.py)
                log_level="warning",
                server_header=False,
                proxy_headers=bool(settings.PUBLIC_URL),
                timeout_graceful_shutdown=8,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._application.close()
        await super().shutdown(sockets)
