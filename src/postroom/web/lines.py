"""Work that a page watches, as lines: each is JSON and says what goes where (js/streams.js)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Literal

from django.http import StreamingHttpResponse

STREAM_HEADER = "Postroom-Stream"

Place = Literal["", "append", "replace"]


def put(into: str, html: str, place: Place = "", *, over: bool = False, scroll: str = "", focus: str = "") -> bytes:
    """Put `html` into the element of that id; `place` appends to it or replaces it.

    `over`: the last word. Without one the page says that the connection was lost. `scroll` is what to scroll to;
    `focus` likewise, and the keyboard goes on from there: what is to be done next came into the page.
    """
    return _json({"into": into, "html": html, "place": place, "over": over, "scroll": scroll, "focus": focus})


def go(location: str) -> bytes:
    """Leave the page."""
    return _json({"location": location})


def stream(lines: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    response["X-Accel-Buffering"] = "no"
    return response


def _json(line: dict[str, object]) -> bytes:
    return json.dumps(line).encode() + b"\n"
