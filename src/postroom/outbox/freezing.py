"""Turns a composition into the exact bytes that will leave, once, when it is queued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from postroom.correspondence.models import Message
from postroom.correspondence.reading import load_body
from postroom.mail.headers import message_ids, split_fields, unfold
from postroom.mail.message import Address, ParsedAttachment
from postroom.mail.mime.compose import UnsafeHeader, compose, new_message_id
from postroom.outbox.composition import Composition, SubmitRefused

SUBMISSION_HEADER = "X-Postroom-Submission"  # finds our message where a server replaced the Message-ID
TEST_HEADER = "X-Postroom-Test"  # marks what proves a connection (connection_test.py)
MOST_REFERENCES = 50  # the first, and the latest of the rest, as RFC 5322 section 3.6.4 lets us shorten


@dataclass(frozen=True, slots=True)
class Frozen:
    """The message as it will leave."""

    mime: bytes
    internet_message_id: str
    subject: str


@dataclass(frozen=True, slots=True)
class _Answered:
    """What an answer takes from the message it answers."""

    internet_message_id: str = ""
    references: tuple[str, ...] = ()


def freeze(
    composition: Composition, submission_id: UUID, from_: Address, date: datetime, *, reply_to: str = ""
) -> Frozen:
    """Compose the message. `composition.in_reply_to` names a Message of the same workspace. Raises SubmitRefused."""
    answered = _answered(composition.in_reply_to) if composition.in_reply_to else _Answered()
    subject = composition.subject
    try:
        internet_message_id = new_message_id(str(uuid4()), from_.address.rpartition("@")[2])
        mime = compose(
            from_=from_,
            to=composition.to,
            cc=composition.cc,
            reply_to=(Address(reply_to),) if reply_to else (),
            subject=subject,
            text=composition.readable_text,
            html=composition.html,
            date=date,
            internet_message_id=internet_message_id,
            in_reply_to=answered.internet_message_id,
            references=answered.references,
            attachments=[ParsedAttachment(name, kind, content) for name, kind, content in composition.attachments],
            extra_headers=_marks(composition, submission_id),
        )
    except UnsafeHeader as error:
        raise SubmitRefused("unsafe_header", "subject", f"The message cannot be written: {error}") from error
    return Frozen(mime, internet_message_id, subject)


def _marks(composition: Composition, submission_id: UUID) -> dict[str, str]:
    marks = {SUBMISSION_HEADER: str(submission_id)}
    return marks | {TEST_HEADER: str(composition.test_id)} if composition.test_id else marks


def _answered(message_id: UUID) -> _Answered:
    message = Message.objects.get(pk=message_id)
    named = message_ids(message.internet_message_id)
    own = named[0] if named else ""
    earlier = {name: unfold(value) for name, value in split_fields(load_body(message).headers)}
    # RFC 5322 section 3.6.4: the parent's References, else its only In-Reply-To, then the parent itself.
    references = message_ids(earlier.get(b"references", ""))
    if not references and len(parents := message_ids(earlier.get(b"in-reply-to", ""))) == 1:
        references = parents
    chain = [one for one in references if one != own] + ([own] if own else [])
    if len(chain) > MOST_REFERENCES:
        chain = chain[:1] + chain[-(MOST_REFERENCES - 1) :]
    return _Answered(own, tuple(chain))
