"""POST /batch/gmail/v1: many calls in one (multipart/mixed; guides/batch). Each costs what it costs alone."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from tests.fakes.google.calls import split_multipart
from tests.fakes.google.faults import Faults, Throttle
from tests.fakes.google.units import error, too_much
from tests.fakes.served import Answer, Request

PATHS = ("/batch", "/batch/gmail/v1")
MOST_PARTS = 100
_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def answer(request: Request, answer_one: Callable[[Request], Answer], faults: Faults) -> Answer:
    """The answers of all parts, each named by its own Content-ID."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/mixed"):
        return error(400, "badRequest", "Missing or malformed multipart/mixed content type.")
    parts = split_multipart(kind, request.body)
    if not parts or len(parts) > MOST_PARTS:
        return error(400, "badRequest", "Number of requests exceeds the limit of 100." if parts else "Empty batch.")
    throttled = faults.throttle_batch_parts
    faults.throttle_batch_parts = 0
    boundary = f"batch_{uuid4().hex}"
    pieces = []
    for number, (headers, inner) in enumerate(parts):
        asked = _inner(request, inner)
        told = too_much(Throttle()) if number >= len(parts) - throttled else answer_one(asked)
        name = headers.get("content-id", "").strip("<>")
        head = f"--{boundary}\r\nContent-Type: application/http\r\n"
        head += f"Content-ID: <response-{name}>\r\n\r\n" if name else "\r\n"
        status = f"HTTP/1.1 {told.status} {_REASONS.get(told.status, 'Too Many Requests')}\r\n"
        fields = "".join(f"{one}: {value}\r\n" for one, value in told.headers.items())
        pieces.append(f"{head}{status}{fields}Content-Length: {len(told.body)}\r\n\r\n".encode() + told.body + b"\r\n")
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    return Answer(200, body, {"Content-Type": f"multipart/mixed; boundary={boundary}"})


def _inner(outer: Request, inner: bytes) -> Request:
    """A part's own request. It is asked with the outer Authorization unless it has one."""
    text_end = min((at for gap in (b"\r\n\r\n", b"\n\n") if (at := inner.find(gap)) >= 0), default=len(inner))
    line, *fields = inner[:text_end].decode().splitlines() or [""]
    method, _, rest = line.partition(" ")
    path, _, query = rest.split(" ")[0].partition("?")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    headers.setdefault("authorization", outer.headers.get("authorization", ""))
    body = inner[text_end:].lstrip(b"\r\n")
    return Request(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers, body, query)
