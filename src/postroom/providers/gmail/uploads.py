"""Drafts as what is handed over before it is sent: made, found again, sent, dropped.

A draft is sent once: it is gone when its message exists, which has another id (drafts.send). So an upload's name holds
what the sent message can be known by, should nobody hear the answer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import uuid4

from postroom.mail.headers import decode_header, message_ids
from postroom.providers.base import Uploaded
from postroom.providers.errors import MessageGone, Refused
from postroom.providers.gmail import units
from postroom.providers.gmail.labels import SENT
from postroom.providers.gmail.queries import by_message_id
from postroom.providers.gmail.requests import ME, Api, segment

MOST_OCTETS: Final = 36_700_160  # of a message (discovery document: users.drafts.create, mediaUpload.maxSize)
MOST_JSON_OCTETS: Final = 5 * 1024 * 1024  # of a message within JSON; larger ones go by /upload
UPLOAD_SECONDS: Final = 300.0
LATEST_SENT = 10  # of the Sent label, looked at when no search finds a message under our id
ORIGINAL_ID: Final = "X-Google-Original-Message-ID"  # ours, where Gmail put its own in its place (providers.md 2.1)
SUBMISSION: Final = "X-Postroom-Submission"
_READ: Final = ("Message-ID", ORIGINAL_ID, SUBMISSION)
_QUICK_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft's id, and the Message-ID and X-Postroom-Submission that were written into it."""

    id: str
    message_id: str
    submission: str = ""

    @property
    def name(self) -> str:
        """As BeforeNoReturn is told, and `find_upload` is asked."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def named(cls, name: str) -> Draft | None:
        """The draft of that name; None for what is no name of ours."""
        try:
            told = json.loads(name)
            return cls(str(told["id"]), str(told["message_id"]), str(told["submission"]))
        except (ValueError, TypeError, KeyError):
            return None


async def create(api: Api, mime: bytes, thread_id: str) -> str:
    """Make a draft, in that thread if it has one; the draft's id. Raises Refused("message_too_large")."""
    if len(mime) > MOST_OCTETS:
        raise Refused("message_too_large", host=api.host, size=len(mime), limit=MOST_OCTETS)
    message: dict[str, Any] = {"threadId": thread_id} if thread_id else {}
    if len(mime) <= MOST_JSON_OCTETS:
        message["raw"] = base64.urlsafe_b64encode(mime).decode("ascii")
        told = await api.call(
            "POST", f"{ME}/drafts", units=units.DRAFTS_CREATE, json={"message": message}, timeout_seconds=UPLOAD_SECONDS
        )
        return str(told.get("id", ""))
    boundary = f"postroom-{uuid4().hex}"
    told = await api.call(
        "POST",
        f"/upload{ME}/drafts",
        units=units.DRAFTS_CREATE,
        params=[("uploadType", "multipart")],
        content=_multipart(json.dumps({"message": message}).encode(), mime, boundary),
        headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        timeout_seconds=UPLOAD_SECONDS,
    )
    return str(told.get("id", ""))


def _multipart(described: bytes, mime: bytes, boundary: str) -> bytes:
    """The body of a multipart upload (developers.google.com/workspace/gmail/api/guides/uploads)."""
    mark = f"--{boundary}".encode()
    head = b"\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
    return b"".join((mark, head, described, b"\r\n", mark, b"\r\nContent-Type: message/rfc822\r\n\r\n", mime, b"\r\n"))\
        + mark + b"--\r\n"  # fmt: skip


async def waiting(api: Api, message_id: str) -> AsyncIterator[str]:
    """The ids of drafts whose Message-ID is this, as far as the search knows them yet."""
    params = [("q", by_message_id(message_id)), ("maxResults", "20")]
    told = await api.call("GET", f"{ME}/drafts", units=units.DRAFTS_LIST, params=params)
    for row in told.get("drafts") or ():
        if isinstance(row, dict) and row.get("id"):
            yield str(row["id"])


async def is_waiting(api: Api, draft_id: str) -> bool:
    """Whether that draft is there, unsent."""
    try:
        params = [("format", "minimal")]
        await api.call("GET", f"{ME}/drafts/{segment(draft_id)}", units=units.DRAFTS_GET, params=params)
    except MessageGone:
        return False
    return True


async def find_upload(api: Api, upload: str) -> Uploaded:
    """See base.Session.find_upload."""
    draft = Draft.named(upload)
    if draft is None:
        return Uploaded("gone")
    if await is_waiting(api, draft.id):
        return Uploaded("waiting", draft.id)
    async for remote_id in _maybe_sent(api, draft):
        headers = await read_headers(api, remote_id)
        if draft.message_id in (headers.get("message-id"), headers.get(ORIGINAL_ID.lower())) or (
            draft.submission and headers.get(SUBMISSION.lower()) == draft.submission
        ):
            return Uploaded("sent", remote_id, headers.get("message-id", ""))
    return Uploaded("gone")


async def _maybe_sent(api: Api, draft: Draft) -> AsyncIterator[str]:
    """Messages with SENT: those that a search finds under our id, then the latest; an index lags, an id is replaced."""
    seen = set()
    for query in (by_message_id(draft.message_id), ""):
        params = [("labelIds", SENT), ("maxResults", str(LATEST_SENT)), *([("q", query)] if query else [])]
        told = await api.call("GET", f"{ME}/messages", units=units.MESSAGES_LIST, params=params)
        for row in told.get("messages") or ():
            if isinstance(row, dict) and (remote_id := str(row.get("id", ""))) and remote_id not in seen:
                seen.add(remote_id)
                yield remote_id


async def read_headers(api: Api, remote_id: str) -> dict[str, str]:
    """What a message is known by: its fields by name in lower case; {} when it is gone. Ids keep their brackets."""
    params = [("format", "metadata"), *(("metadataHeaders", name) for name in (*_READ, "Subject"))]
    try:
        told = await api.call(
            "GET",
            f"{ME}/messages/{segment(remote_id)}",
            units=units.MESSAGES_GET,
            params=params,
            timeout_seconds=_QUICK_SECONDS,
        )
    except MessageGone:
        return {}
    headers = {"threadid": str(told.get("threadId", ""))}
    payload = told.get("payload")
    for row in (payload.get("headers") or ()) if isinstance(payload, dict) else ():
        if isinstance(row, dict):
            name, value = str(row.get("name", "")).lower(), str(row.get("value", ""))
            headers[name] = next(iter(message_ids(value)), "") if name.endswith("message-id") else decode_header(value)
    return headers


async def drop(api: Api, message_id: str, keep: str) -> None:
    """Delete the drafts of a message, but for the upload `keep`."""
    kept = Draft.named(keep)
    async for draft_id in waiting(api, message_id):
        if kept is None or draft_id != kept.id:
            try:
                await api.call("DELETE", f"{ME}/drafts/{segment(draft_id)}", units=units.DRAFTS_DELETE)
            except MessageGone:
                continue
