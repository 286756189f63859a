r"""Putting a message into a folder, as it is.

Graph stores MIME text as a draft, wherever it is put (learn.microsoft.com/graph/api/user-post-messages). What makes a
draft is MSGFLAG_UNSENT in PidTagMessageFlags (MS-OXCMSG 2.2.1.6), which can be written only when a message is made, and
only beside properties: a message made of properties is no draft and has other bytes. Here the bytes count, so that what
is appended wears \Draft. Nothing rests on it: Graph files sent mail itself (`Capabilities.files_sent_itself`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, folder_path, message_path
from postroom.providers.outlook.responses import unreadable


async def append(graph: Graph, remote_name: str, raw: bytes, flags: Sequence[str]) -> None:
    """Put a message into a folder. Raises FolderGone."""
    path = f"{folder_path(graph.mailbox, remote_name)}/messages"
    call = Call("POST", path, "folder", {"Content-Type": "text/plain"}, content=base64.b64encode(raw))
    made = (await graph.ask(call)).fields()
    if not isinstance(made.get("id"), str):
        raise unreadable("a message without an id")
    wanted: dict[str, Any] = {"isRead": "\\Seen" in flags}
    if "\\Flagged" in flags:
        wanted["flag"] = {"flagStatus": "flagged"}
    if wanted != {"isRead": made.get("isRead")}:
        await graph.ask(Call("PATCH", message_path(graph.mailbox, made["id"]), "message", json=wanted))
