"""Putting a message into the mailbox without sending it: messages.insert, which is Gmail's APPEND."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from postroom.providers.gmail import units
from postroom.providers.gmail.labels import worn_with
from postroom.providers.gmail.requests import Api

_PATH: Final = "/upload/gmail/v1/users/me/messages"
_SECONDS: Final = 300.0  # 150 MB are allowed


async def insert(api: Api, remote_name: str, raw: bytes, flags: Sequence[str]) -> None:
    """Put a message into a folder, received now; its own Date is only what it says itself."""
    boundary = f"postroom_{uuid4().hex}"
    about = json.dumps({"labelIds": worn_with(remote_name, flags)})
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{about}\r\n"
        f"--{boundary}\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    await api.call(
        "POST",
        _PATH,
        units=units.MESSAGES_INSERT,
        params=[("uploadType", "multipart"), ("internalDateSource", "receivedTime")],
        content=b"".join((head.encode("ascii"), raw, f"\r\n--{boundary}--\r\n".encode("ascii"))),
        headers={"Content-Type": f"multipart/related; boundary={boundary}"},
        timeout_seconds=_SECONDS,
    )
