"""Who answers: a person, a machine, or a server that returns what could not be delivered.

Pure: the raw header block in, one word out. It reads what others wrote, so nothing raises.
"""

from __future__ import annotations

from typing import Literal

from postroom.mail.headers import split_fields, unfold

Answerer = Literal["person", "machine", "bounce"]

_PRECEDENCES = ("bulk", "junk", "auto_reply")  # Precedence, which no RFC defines and vacation programs of old send


def answerer(headers: bytes) -> Answerer:
    """What kind of sender the header block of a message shows.

    A delivery report is RFC 3464's multipart/report, Auto-Submitted is RFC 3834. Whoever answers by a program sends
    with an empty return path (RFC 5321 section 4.5.5), so that two programs do not answer each other.
    """
    fields = {name.lower(): unfold(value).strip().lower() for name, value in split_fields(headers)}
    content_type = fields.get(b"content-type", "")
    if content_type.startswith("multipart/report"):  # of delivery, or that it was read (RFC 8098)
        return "bounce" if "delivery-status" in content_type else "machine"
    if fields.get(b"auto-submitted", "no").partition(";")[0].strip() != "no":
        return "machine"
    is_suppressing = b"x-autoreply" in fields or b"x-autorespond" in fields
    is_empty_path = fields.get(b"return-path") == "<>"
    return "machine" if is_suppressing or is_empty_path or fields.get(b"precedence") in _PRECEDENCES else "person"
