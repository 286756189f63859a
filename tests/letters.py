"""Messages as the outbox freezes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from postroom.mail.message import Address, ParsedAttachment
from postroom.mail.mime.compose import compose


def letter(
    from_: str,
    to: Address,
    *,
    number: int = 1,
    cc: Sequence[Address] = (),
    subject: str = "Offer",
    answers: str = "",
    attachments: Sequence[ParsedAttachment] = (),
    html: str = "",
) -> bytes:
    """Message-ID <number@domain of from_>; `answers` is the Message-ID that it is a reply to."""
    return compose(
        from_=Address(from_, "Acme"),
        to=(to,),
        cc=cc,
        subject=subject,
        text="Hello",
        html=html,
        date=datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
        internet_message_id=f"<{number}@{from_.partition('@')[2]}>",
        in_reply_to=answers,
        references=(answers,) if answers else (),
        attachments=attachments,
        extra_headers={"X-Postroom-Submission": f"00000000-0000-4000-8000-{number:012d}"},
    )
