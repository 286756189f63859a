"""What becomes of a message that Gmail sends: From and Message-ID looked at, copies brought to their readers."""

from __future__ import annotations

import re
import time
from email.utils import formataddr, formatdate, getaddresses
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.fakes.google.letters import Letter
from tests.fakes.google.mailbox import GoogleMailbox, Refusal, not_found

if TYPE_CHECKING:
    from tests.fakes.google.server import FakeGoogle

_FIELD = rb"(?im)^%s:[^\n]*\n(?:[ \t][^\n]*\n)*"
_GOOD_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")
_OURS = ("x-postroom-", "x-crm-")


def send(google: FakeGoogle, mailbox: GoogleMailbox, raw: bytes, thread_id: str) -> Letter:
    """Send it once; its copy wears SENT. Raises Refusal while nothing left."""
    given = _unkept(raw)
    recipients = [address for name in ("to", "cc", "bcc") for _, address in given.people(name)]
    if not recipients:
        raise Refusal(400, "invalidArgument", "Recipient address required")
    if thread_id and not mailbox.thread(thread_id):
        raise not_found()
    final = _as_it_leaves(google, mailbox, given)
    letter = _unkept(final)
    joined = thread_id if thread_id and mailbox.joins(letter, thread_id) else ""
    copy = mailbox.get(mailbox.deliver(final, ("SENT",), thread_id=joined))
    for one in {given.internet_message_id, letter.internet_message_id}:
        mailbox.sent[one] += 1
        mailbox.remember_id(one, copy.thread_id)
    public = _without(final, "Bcc")
    for address in dict.fromkeys(recipients):
        google.delivered[(given.internet_message_id, address)] += 1
        if (other := google.find_mailbox(address)) is not None:
            other.deliver(public)
    return copy


def _unkept(raw: bytes) -> Letter:
    return Letter("0", "", raw, set(), 0, 0)


def _as_it_leaves(google: FakeGoogle, mailbox: GoogleMailbox, given: Letter) -> bytes:
    raw = given.raw
    allowed = {one.address.lower() for one in mailbox.send_as if one.is_primary or one.verification == "accepted"}
    senders = getaddresses([given.header("From")])
    if not senders or senders[0][1].lower() not in allowed:
        own = next(one for one in mailbox.send_as if one.is_primary)
        raw = _set(raw, "From", formataddr((senders[0][0] if senders else own.name, own.address)))
    if google.faults.replaces_message_id or not _GOOD_ID.fullmatch(given.internet_message_id):
        if given.internet_message_id:
            raw = _set(raw, "X-Google-Original-Message-ID", given.internet_message_id)
        raw = _set(raw, "Message-ID", f"<CA+{uuid4().hex}@mail.gmail.com>")
    if not given.header("Date"):
        raw = _set(raw, "Date", formatdate(time.time(), localtime=False))
    if google.faults.drops_own_headers:
        for name in {one for one, _ in given.headers if one.lower().startswith(_OURS)}:
            raw = _without(raw, name)
    return raw


def _head_and_body(raw: bytes) -> tuple[bytes, bytes]:
    parted = re.search(rb"\r?\n\r?\n", raw)
    if parted is None:
        return (raw if raw.endswith(b"\n") else raw + b"\r\n"), b"\r\n"
    line_end = b"\r\n" if raw[parted.start() : parted.start() + 1] == b"\r" else b"\n"
    return raw[: parted.start()] + line_end, raw[parted.start() + len(line_end) :]


def _without(raw: bytes, name: str) -> bytes:
    head, body = _head_and_body(raw)
    return re.sub(_FIELD % re.escape(name).encode(), b"", head) + body


def _set(raw: bytes, name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode() + _without(raw, name)
