"""A file as a response, never in memory as a whole.

Served by ASGI, Django's FileResponse is read to its end before its first octet leaves (StreamingHttpResponse.__aiter__
in django/http/response.py): an attachment of 100 MB would cost the web process 100 MB for each who saves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.http import FileResponse


class StreamedFile(FileResponse):
    """FileResponse that is read a piece at a time, in a thread, whichever way it is served."""

    block_size = 256 * 1024

    def __init__(self, file: IO[Any], **how: Any) -> None:
        super().__init__(file, **how)
        self._read = sync_to_async(file.read, thread_sensitive=False)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._read(self.block_size):
            yield piece
