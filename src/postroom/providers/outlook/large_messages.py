"""Drafts of messages that are too large for one request: made piece by piece.

createReply + PATCH | POST messages     JSON: Graph lets nobody set In-Reply-To, so an answer is made from the
                                        message that it answers
POST attachments                        files of less than 3 MB
createUploadSession, PUT …              larger ones by ranges, in order, without our token; after a cut on from where
                                        the session says that it is (graph/outlook-large-attachments)
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from postroom.mail.message import Address, Attached, ParsedMessage
from postroom.mail.mime.outgoing import Outgoing
from postroom.mail.mime.parsing import parse
from postroom.providers.errors import MessageGone, ProtocolViolation, ProviderError, Refused, Unreachable
from postroom.providers.outlook import uploads
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, message_path
from postroom.providers.outlook.responses import unreadable

MOST_POSTED_OCTETS: Final = 3 * 1024 * 1024  # of a file in one request: less than this
MOST_SESSION_OCTETS: Final = 150 * 1024 * 1024
RANGE_OCTETS: Final = 10 * 327_680  # below 4 MB, a multiple of 320 KiB as for other uploads of Graph
MOST_CUTS: Final = 5  # of one file's upload
_SUBMISSION: Final = "X-Postroom-Submission"


async def create(graph: Graph, letter: Outgoing, answered_id: str) -> Mapping[str, Any]:
    """The fields of a draft that holds everything; "" answers nothing. What fails half-way is deleted again."""
    parsed = parse(letter.mime)
    for file in parsed.attachments:
        if file.size > MOST_SESSION_OCTETS:
            raise Refused("message_too_large", host=graph.host, size=file.size, limit=MOST_SESSION_OCTETS)
    fields = await _describe(graph, _json_of(parsed, letter), answered_id)
    draft_id = str(fields.get("id") or "")
    if not draft_id:
        raise unreadable("a draft without an id")
    try:
        for file in parsed.attachments:
            await _attach(graph, draft_id, file)
    except BaseException:
        await _delete_quietly(graph, draft_id)
        raise
    return fields


async def _delete_quietly(graph: Graph, draft_id: str) -> None:
    """Half a draft is in people's way. What cannot be deleted now is by the next try."""
    with suppress(ProviderError):
        await uploads.delete(graph, draft_id)


async def _describe(graph: Graph, described: Mapping[str, Any], answered_id: str) -> Mapping[str, Any]:
    if answered_id:
        path = f"{message_path(graph.mailbox, answered_id)}/createReply"
        try:
            made = (await graph.ask(Call("POST", path, "message", json={}))).fields()
        except MessageGone:
            return await _describe(graph, described, "")
        path = message_path(graph.mailbox, str(made.get("id") or ""))
        return (await graph.ask(Call("PATCH", path, "message", json=described))).fields()
    return (await graph.ask(Call("POST", f"{graph.mailbox}/messages", "sending", json=described))).fields()


def _json_of(parsed: ParsedMessage, letter: Outgoing) -> dict[str, Any]:
    """The message without its files. Of headers of our own Graph takes those that begin with x- (five at most)."""
    described: dict[str, Any] = {
        "subject": parsed.subject,
        "body": {"contentType": "html" if parsed.html else "text", "content": parsed.html or parsed.text},
        "toRecipients": _people(parsed.to),
        "ccRecipients": _people(parsed.cc),
        "bccRecipients": _people([Address(one) for one in letter.blind]),
        "internetMessageId": parsed.internet_message_id,
    }
    if parsed.from_:
        described["from"] = _people(parsed.from_[:1])[0]
    if parsed.reply_to:
        described["replyTo"] = _people(parsed.reply_to)
    if submission := parsed.extra_headers.get(_SUBMISSION.lower()):
        described["internetMessageHeaders"] = [{"name": _SUBMISSION, "value": submission}]
    return described


def _people(addresses: Sequence[Address]) -> list[dict[str, Any]]:
    return [{"emailAddress": {"address": one.address, **({"name": one.name} if one.name else {})}} for one in addresses]


async def _attach(graph: Graph, draft_id: str, file: Attached) -> None:
    content = b"".join(file.pieces())
    described: dict[str, Any] = {
        "name": file.filename or "unnamed",
        "contentType": file.content_type or "application/octet-stream",
        "isInline": file.is_inline,
        **({"contentId": file.content_id} if file.content_id else {}),
    }
    path = f"{message_path(graph.mailbox, draft_id)}/attachments"
    if len(content) < MOST_POSTED_OCTETS:
        described |= {
            "@odata.type": "#microsoft.graph.fileAttachment",
            "contentBytes": base64.b64encode(content).decode("ascii"),
        }
        await graph.ask(Call("POST", path, "message", json=described))
        return
    item = {"AttachmentItem": {"attachmentType": "file", "size": len(content), **described}}
    made = (await graph.ask(Call("POST", f"{path}/createUploadSession", "message", json=item))).fields()
    url = made.get("uploadUrl")
    if not isinstance(url, str):
        raise unreadable("an upload session without an address")
    await _put(graph, url, content)


async def _put(graph: Graph, url: str, content: bytes) -> None:
    """All ranges of a file, in order."""
    start, cuts = 0, 0
    while start < len(content):
        piece = content[start : start + RANGE_OCTETS]
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes {start}-{start + len(piece) - 1}/{len(content)}",
        }
        try:
            answer = await graph.elsewhere("PUT", url, headers=headers, content=piece)
        except Unreachable:
            cuts += 1
            if cuts > MOST_CUTS:
                raise
            start = await _expected(graph, url)
            continue
        if answer.status == 416 and cuts <= MOST_CUTS:  # what was cut off had arrived
            cuts += 1
            start = await _expected(graph, url)
            continue
        graph.checked(answer, Call("PUT", "", "message"))
        start += len(piece)


async def _expected(graph: Graph, url: str) -> int:
    """Where the session goes on: "123", "123-" or "123-456" in nextExpectedRanges; nothing when all has come."""
    answer = await graph.elsewhere("GET", url)
    if answer.status == 404:
        raise Unreachable("connection_lost", **graph.facts)
    ranges = graph.checked(answer, Call("GET", "", "message")).fields().get("nextExpectedRanges")
    first = str(ranges[0]).partition("-")[0] if isinstance(ranges, list) and ranges else ""
    if not first.isdigit():
        raise ProtocolViolation("unexpected_answer", **graph.facts)
    return int(first)
