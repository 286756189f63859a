"""Sending by Microsoft Graph: a draft is made, and then it is sent.

    createReply | POST messages         anything that fails up to here: certainly not sent
    await before_no_return(draft's id)  the caller commits "in doubt" and the id
    POST messages/{id}/send             202 sent, whatever Retry-After it carries; a clear no: certainly not sent,
                                        unless the draft is none any more; 5xx, silence, a cut connection: InDoubt

sendMail answers 202 without an id, and was seen to deliver each of four attempts that it had answered with 504: what it
did could not be looked up (reliability-security.md 2.2). What Exchange cannot deliver comes back as mail.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from postroom.mail.address import address_key
from postroom.mail.mime.outgoing import Outgoing, RecipientsDiffer, outgoing
from postroom.providers.base import BeforeNoReturn, Envelope, Receipt
from postroom.providers.errors import (
    InDoubt,
    MessageGone,
    ProtocolViolation,
    ProviderError,
    Refused,
    Throttled,
    Unreachable,
)
from postroom.providers.outlook import large_messages, uploads
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, message_path
from postroom.providers.outlook.responses import Answer, unreadable

MOST_MIME_OCTETS: Final = 2_900_000  # a request has at most 4 MB, and base64 makes 4 octets of 3
HAND_OVER_SECONDS: Final = 300.0
SEND_SECONDS: Final = 180.0
READ_BACK_SECONDS: Final = 15.0


class OutlookSender:
    """See base.Sender. `graph` is the mailbox's own, and closed with the sender."""

    def __init__(self, graph: Graph, send_seconds: float = SEND_SECONDS) -> None:
        self._graph = graph
        self._send_seconds = send_seconds

    async def send(
        self,
        envelope: Envelope,
        mime: bytes,
        before_no_return: BeforeNoReturn,
        upload: str = "",
        was_tried: bool = False,
    ) -> Receipt:
        if upload:
            letter = await uploads.find(self._graph, upload)
            if letter is None or not letter.is_draft:
                raise InDoubt("upload_gone", **self._graph.facts)
        else:
            upload = await self._hand_over(envelope, mime, was_tried=was_tried)
        await before_no_return(upload)
        reply = await self._let_go(upload, envelope.sender)
        return Receipt(reply=reply, remote_id=upload, internet_message_id=await self._read_back(upload))

    async def _hand_over(self, envelope: Envelope, mime: bytes, *, was_tried: bool) -> str:
        """The id of a draft that holds the whole message, for these recipients."""
        if not envelope.recipients:
            raise Refused("no_recipients")
        try:
            letter = outgoing(mime, envelope.recipients)
        except RecipientsDiffer as error:
            raise Refused("recipients_differ", **self._graph.facts) from error
        is_large = len(letter.mime) > MOST_MIME_OCTETS
        if was_tried:
            for found in await uploads.find_by_message_id(self._graph, letter.header.internet_message_id):
                if not found.is_draft:
                    continue
                if not is_large:
                    return found.id
                await uploads.delete(self._graph, found.id)  # its attachments may be missing
        answered_id = await self._answered(letter)
        if is_large:
            fields = await large_messages.create(self._graph, letter, answered_id)
        else:
            fields = await self._create(letter, answered_id)
        return await self._addressed(fields, letter, envelope)

    async def _answered(self, letter: Outgoing) -> str:
        """The id of the message that is answered, "" when it is not in this mailbox."""
        for answered in letter.header.in_reply_to[:1]:
            for found in await uploads.find_by_message_id(self._graph, answered):
                if not found.is_draft:
                    return found.id
        return ""

    async def _create(self, letter: Outgoing, answered_id: str) -> Mapping[str, Any]:
        """A draft from MIME: an answer is made from what it answers, which keeps it in its conversation."""
        new = f"{self._graph.mailbox}/messages"
        if answered_id:
            try:
                return await self._post(f"{message_path(self._graph.mailbox, answered_id)}/createReply", letter)
            except MessageGone:
                return await self._post(new, letter)
        return await self._post(new, letter)

    async def _post(self, path: str, letter: Outgoing) -> Mapping[str, Any]:
        octets = base64.b64encode(letter.mime)
        about = "message" if path.endswith("/createReply") else "sending"
        call = Call("POST", path, about, headers={"Content-Type": "text/plain"}, content=octets)  # type: ignore[arg-type]
        return self._graph.checked(await self._graph.send(call, HAND_OVER_SECONDS), call).fields()

    async def _addressed(self, fields: Mapping[str, Any], letter: Outgoing, envelope: Envelope) -> str:
        """The draft's id, once it is sure that the draft names exactly the envelope's recipients.

        Nowhere is it promised that a Bcc field of MIME text is read, and a blind copy must not be lost quietly.
        """
        draft_id = fields.get("id")
        if not isinstance(draft_id, str) or not draft_id:
            raise unreadable("a draft without an id")
        wanted = {address_key(one) for one in envelope.recipients}
        if _recipients(fields) != wanted and letter.blind:
            call = Call(
                "PATCH",
                message_path(self._graph.mailbox, draft_id),
                "message",
                json={"bccRecipients": [{"emailAddress": {"address": one}} for one in letter.blind]},
            )
            fields = (await self._graph.ask(call)).fields()
        if _recipients(fields) != wanted:
            await uploads.delete(self._graph, draft_id)
            raise Refused("recipients_differ", **self._graph.facts)
        return draft_id

    async def _let_go(self, draft_id: str, sender: str) -> str:
        """Send the draft; what Graph said."""
        call = Call("POST", f"{message_path(self._graph.mailbox, draft_id)}/send", "sending", content=b"")
        try:
            answer = await self._graph.send(call, self._send_seconds)
        except (Unreachable, ProtocolViolation) as error:
            raise InDoubt(server_words=error.server_words, **self._graph.facts) from error
        if answer.is_success:
            return f"{answer.status} Accepted"
        if answer.status >= 500:  # also with Retry-After: it was seen to deliver what it had answered with 504
            raise InDoubt(server_words=_words(answer), **self._graph.facts)
        if answer.status in (400, 404, 409) and not await self._is_draft_still(draft_id):
            raise InDoubt("upload_gone", server_words=_words(answer), **self._graph.facts)
        try:
            self._graph.checked(answer, call)
        except Refused as error:
            error.facts["address"] = sender
            raise
        raise AssertionError("unreachable")

    async def _is_draft_still(self, draft_id: str) -> bool:
        """Whether a refusal is about a draft. Where that cannot be seen, it counts as none."""
        try:
            letter = await uploads.find(self._graph, draft_id)
        except (Unreachable, Throttled, ProtocolViolation):
            return False
        return letter is not None and letter.is_draft

    async def _read_back(self, remote_id: str) -> str:
        """The Message-ID it left with. It is sent: what goes wrong here is nobody's trouble."""
        with suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(READ_BACK_SECONDS):
                letter = await uploads.find(self._graph, remote_id)
                if letter is not None and not letter.is_draft:
                    return letter.internet_message_id
        return ""

    async def drop_uploads(self, internet_message_id: str, keep: str = "") -> None:
        await uploads.drop(self._graph, internet_message_id, keep)

    async def close(self) -> None:
        await self._graph.close()


def _recipients(fields: Mapping[str, Any]) -> set[str]:
    """The address keys of everybody a draft is for."""
    found = set()
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        for one in fields.get(name) or ():
            person = one.get("emailAddress") if isinstance(one, dict) else None
            if isinstance(person, dict) and person.get("address"):
                found.add(address_key(str(person["address"])))
    return found


def _words(answer: Answer) -> str:
    return " ".join((str(answer.status), *answer.error()))[:500]
