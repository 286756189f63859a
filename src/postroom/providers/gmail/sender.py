"""Sending by the Gmail API: a draft is made, and then it is sent.

    drafts.create                       anything that fails up to here: certainly not sent
    await before_no_return(draft)       the caller commits "in doubt" and the draft's name
    drafts.send                         2xx sent; a clear no (400, 401, 403, 413, 429): certainly not sent; 404: the
                                        draft is gone, so it may have left; anything else: InDoubt

messages.send knows no key by which a repeated call would be the same one, and what it did cannot be looked up before an
index has caught up: after a time-out one would have to guess (reliability-security.md 2.2). A draft is sent once.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final

from postroom.mail.address import address_key
from postroom.mail.message import ParsedMessage
from postroom.mail.mime.outgoing import Outgoing, RecipientsDiffer, outgoing
from postroom.providers.base import BeforeNoReturn, Credentials, Envelope, Receipt
from postroom.providers.errors import InDoubt, MessageGone, ProtocolViolation, ProviderError, Refused, Unreachable
from postroom.providers.gmail import units, uploads
from postroom.providers.gmail.identities import list_identities
from postroom.providers.gmail.queries import by_message_id
from postroom.providers.gmail.requests import ME, Api
from postroom.providers.gmail.uploads import Draft

SEND_SECONDS: Final = 120.0  # for the answer to drafts.send; Google's own front ends give up before
READ_BACK_SECONDS: Final = 15.0
_ANSWER_MARKS = re.compile(r"^(?:\s*(?:re|aw|wg|fwd?|sv|antw)\s*(?:\[\d+\])?\s*:)+", re.IGNORECASE)


class GmailSender:
    """See base.Sender. `api` is the mailbox's own."""

    def __init__(self, api: Api, credentials: Credentials, send_seconds: float = SEND_SECONDS) -> None:
        self._api = api
        self._own_key = address_key(credentials.address)
        self._send_seconds = send_seconds

    async def send(
        self,
        envelope: Envelope,
        mime: bytes,
        before_no_return: BeforeNoReturn,
        upload: str = "",
        was_tried: bool = False,
    ) -> Receipt:
        draft = Draft.named(upload) if upload else None
        if upload and (draft is None or not await uploads.is_waiting(self._api, draft.id)):
            raise InDoubt("upload_gone", host=self._api.host)
        if draft is None:
            draft = await self._hand_over(envelope, mime, was_tried=was_tried)
        await self._api.pay(units.SEND)  # what has to be waited for is waited for before the act
        await before_no_return(draft.name)
        remote_id = await self._let_go(draft)
        return Receipt(
            reply="sent", remote_id=remote_id, internet_message_id=await self._read_back(remote_id) if remote_id else ""
        )

    async def _hand_over(self, envelope: Envelope, mime: bytes, *, was_tried: bool) -> Draft:
        if not envelope.recipients:
            raise Refused("no_recipients")
        try:
            letter = outgoing(mime, envelope.recipients)
        except RecipientsDiffer as error:
            raise Refused("recipients_differ", host=self._api.host) from error
        own_id = letter.header.internet_message_id
        submission = letter.header.extra_headers.get("x-postroom-submission", "")
        if was_tried:
            async for draft_id in uploads.waiting(self._api, own_id):
                return Draft(draft_id, own_id, submission)
        await self._may_send_as(letter.header)
        thread_id = await self._thread_of(letter.header)
        return Draft(await self._create(letter, thread_id), own_id, submission)

    async def _create(self, letter: Outgoing, thread_id: str) -> str:
        try:
            draft_id = await uploads.create(self._api, letter.mime, thread_id)
        except MessageGone:
            if not thread_id:
                raise
            draft_id = await uploads.create(self._api, letter.mime, "")  # the thread was deleted meanwhile
        if not draft_id:
            raise ProtocolViolation("unexpected_answer", host=self._api.host)
        return draft_id

    async def _may_send_as(self, header: ParsedMessage) -> None:
        """Gmail quietly puts the mailbox's own address in the place of a From that it does not know."""
        author = header.from_[0].address if header.from_ else ""
        if address_key(author) == self._own_key:
            return
        allowed = {address_key(one.address) for one in await list_identities(self._api)}
        if address_key(author) not in allowed:
            raise Refused("send_as_denied", host=self._api.host, address=author)

    async def _thread_of(self, header: ParsedMessage) -> str:
        """The thread that the message joins, "" for a new one.

        Gmail's rule asks for all three: the threadId, References and In-Reply-To into it, and the same Subject
        (developers.google.com/workspace/gmail/api/guides/threads).
        """
        for answered in header.in_reply_to[:1]:
            params = [("q", by_message_id(answered)), ("includeSpamTrash", "true"), ("maxResults", "5")]
            told = await self._api.call("GET", f"{ME}/messages", units=units.MESSAGES_LIST, params=params)
            for row in told.get("messages") or ():
                headers = await uploads.read_headers(self._api, str(row.get("id", "")))
                if headers.get("message-id") == answered and same_subject(header.subject, headers.get("subject", "")):
                    return headers.get("threadid", "")
        return ""

    async def _let_go(self, draft: Draft) -> str:
        """Send the draft; the id of the message it became."""
        try:
            told = await self._api.call(
                "POST", f"{ME}/drafts/send", units=0, json={"id": draft.id}, timeout_seconds=self._send_seconds
            )
        except MessageGone as error:
            raise InDoubt("upload_gone", host=self._api.host, server_words=error.server_words) from error
        except (Unreachable, ProtocolViolation) as error:
            raise InDoubt(host=self._api.host, server_words=error.server_words) from error
        return str(told.get("id", ""))

    async def _read_back(self, remote_id: str) -> str:
        """The Message-ID it left with. It is sent: what goes wrong here is nobody's trouble."""
        with suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(READ_BACK_SECONDS):
                return (await uploads.read_headers(self._api, remote_id)).get("message-id", "")
        return ""

    async def drop_uploads(self, internet_message_id: str, keep: str = "") -> None:
        await uploads.drop(self._api, internet_message_id, keep)

    async def close(self) -> None:
        await self._api.close()


def same_subject(one: str, other: str) -> bool:
    """Whether two subjects are the same but for "Re:" and its like in front."""

    def bare(subject: str) -> str:
        return " ".join(_ANSWER_MARKS.sub("", subject).split()).casefold()

    return bare(one) == bare(other)
