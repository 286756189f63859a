"""What one call of the API is made of, and the table of who answers which."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.google.discovery import Found
from tests.fakes.google.mailbox import GoogleMailbox, Refusal
from tests.fakes.served import Request

if TYPE_CHECKING:
    from tests.fakes.google.server import FakeGoogle


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be answered: who asks, for what, with what."""

    google: FakeGoogle
    mailbox: GoogleMailbox
    found: Found
    request: Request
    scopes: frozenset[str]
    body: dict[str, Any]  # of JSON, {} without
    media: bytes | None  # of an upload

    def path(self, name: str) -> str:
        """A part of the path."""
        return self.found.parameters[name]

    def flag(self, name: str) -> bool:
        """A boolean out of the query."""
        return self.request.query.get(name, "false").lower() == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """A number out of the query; what is more than the API gives is the most it gives."""
        given = self.request.query.get(name, "")
        if not given:
            return default
        if not given.isdigit() or given == "0":
            raise Refusal(400, "invalidArgument", f"Invalid {name}")
        return min(int(given), most)

    def message(self) -> tuple[bytes, str]:
        """The message of a send, insert or draft, with its threadId: uploaded, or base64url in `raw`."""
        told = self.body.get("message", self.body)
        if self.media is not None:
            return self.media, told.get("threadId", "")
        if "raw" not in told:
            raise Refusal(
                400,
                "invalidArgument",
                "'raw' RFC822 payload message string or uploading message via /upload/* URL required",
            )
        return decode_raw(told["raw"]), told.get("threadId", "")


Handler = Callable[[Call], "dict[str, Any] | None"]
HANDLERS: dict[str, Handler] = {}


def answers(method: str) -> Callable[[Handler], Handler]:
    """Name the method of the API that a function answers; None is 204 with nothing."""

    def register(handler: Handler) -> Handler:
        HANDLERS[method] = handler
        return handler

    return register


def decode_raw(raw: str) -> bytes:
    """base64url, with or without its padding."""
    try:
        return base64.b64decode(raw.replace("-", "+").replace("_", "/") + "=" * (-len(raw) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "invalidArgument", "Invalid value for ByteString: " + raw[:40]) from None


def parse_body(request: Request, is_upload: bool) -> tuple[dict[str, Any], bytes | None]:
    """JSON and what was uploaded beside it (uploadType media or multipart)."""
    kind = request.headers.get("content-type", "")
    if not is_upload:
        return _object(request.body), None
    if kind.startswith("multipart/related"):
        parts = split_multipart(kind, request.body)
        told = [body for headers, body in parts if headers.get("content-type", "").startswith("application/json")]
        media = [body for headers, body in parts if not headers.get("content-type", "").startswith("application/json")]
        return _object(told[0] if told else b""), media[0] if media else None
    return {}, request.body


def split_multipart(content_type: str, body: bytes) -> list[tuple[Mapping[str, str], bytes]]:
    """The parts of a multipart body with their headers (names in lower case); octets as they came."""
    boundary = content_type.partition("boundary=")[2].split(";")[0].strip().strip('"').encode()
    parts = []
    for piece in (b"\r\n" + body.replace(b"\n--" + boundary, b"\r\n--" + boundary)).split(b"\r\n--" + boundary)[1:]:
        if piece.startswith(b"--"):
            break
        piece = piece.removesuffix(b"\r").lstrip(b"\r\n")
        cut, gap = min(
            ((at, len(gap)) for gap in (b"\r\n\r\n", b"\n\n") if (at := piece.find(gap)) >= 0), default=(len(piece), 0)
        )
        head, rest = piece[:cut], piece[cut + gap :]
        headers = dict(line.partition(":")[::2] for line in head.decode().splitlines() if ":" in line)
        parts.append(({name.strip().lower(): value.strip() for name, value in headers.items()}, rest))
    return parts


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        told = json.loads(body)
    except ValueError:
        raise Refusal(400, "parseError", "Parse Error") from None
    if not isinstance(told, dict):
        raise Refusal(400, "invalidArgument", "Invalid JSON payload received.")
    return told
