"""Putting a message into a folder.

Graph stores MIME text as a draft, wherever it is put (learn.microsoft.com/graph/api/user-post-messages): that is what
MSGFLAG_UNSENT in PidTagMessageFlags says (MS-OXCMSG 2.2.1.6). The flag is taken off by the property, which Graph lets
one write. Exchange may leave it on once a message was saved; then it stays a draft in that folder, and its bytes are
what they were. Nothing depends on it: sent mail is filed by Graph itself (`files_sent_itself`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, folder_path, message_path
from postroom.providers.outlook.responses import unreadable

MESSAGE_FLAGS = "Integer 0x0E07"  # PidTagMessageFlags
_READ = 0x1  # MSGFLAG_READ; without MSGFLAG_UNSENT (0x8) it is no draft


async def append(graph: Graph, remote_name: str, raw: bytes, flags: Sequence[str]) -> None:
    """Put a message into a folder. Raises FolderGone."""
    path = f"{folder_path(graph.mailbox, remote_name)}/messages"
    made = await graph.ask(Call("POST", path, "folder", {"Content-Type": "text/plain"}, content=base64.b64encode(raw)))
    remote_id = made.fields().get("id")
    if not isinstance(remote_id, str):
        raise unreadable("a message without an id")
    await graph.ask(Call("PATCH", message_path(graph.mailbox, remote_id), "message", json=_state(flags)))


def _state(flags: Sequence[str]) -> dict[str, Any]:
    is_read, is_draft = "\\Seen" in flags, "\\Draft" in flags
    state: dict[str, Any] = {"isRead": is_read}
    if "\\Flagged" in flags:
        state["flag"] = {"flagStatus": "flagged"}
    if not is_draft:
        value = str(_READ if is_read else 0)
        state["singleValueExtendedProperties"] = [{"id": MESSAGE_FLAGS, "value": value}]
    return state
