"""Drafts as what is handed over before it is sent: found again, looked at, dropped.

A draft's immutable id is that of its copy in Sent Items (learn.microsoft.com/graph/outlook-immutable-id). So an
upload's name is that id, and `isDraft` says which of the two it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postroom.providers.base import Uploaded
from postroom.providers.errors import MessageGone
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, message_path, text, with_query
from postroom.providers.outlook.responses import values

_SELECT = "id,isDraft,internetMessageId"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it lies in the mailbox."""

    id: str
    is_draft: bool
    internet_message_id: str

    @classmethod
    def of(cls, fields: Any) -> Letter:
        return cls(
            str(fields.get("id") or ""), fields.get("isDraft") is True, str(fields.get("internetMessageId") or "")
        )


async def find(graph: Graph, remote_id: str) -> Letter | None:
    """The message of that id, None when it is not there."""
    path = with_query(message_path(graph.mailbox, remote_id), select=_SELECT)
    try:
        return Letter.of((await graph.ask(Call("GET", path, "message"))).fields())
    except MessageGone:
        return None


async def find_by_message_id(graph: Graph, internet_message_id: str) -> list[Letter]:
    """Messages of any folder with that Message-ID."""
    path = with_query(
        f"{graph.mailbox}/messages", filter=f"internetMessageId eq {text(internet_message_id)}", select=_SELECT
    )
    return [Letter.of(one) for one in values(await graph.ask(Call("GET", path)))]


async def find_upload(graph: Graph, upload: str) -> Uploaded:
    """See base.Session.find_upload. What was sent may be in no folder for a while: then it is gone, for now."""
    letter = await find(graph, upload)
    if letter is None:
        return Uploaded("gone")
    return Uploaded("waiting" if letter.is_draft else "sent", letter.id, letter.internet_message_id)


async def delete(graph: Graph, remote_id: str) -> None:
    """Delete a draft; one that is gone is no error."""
    try:
        await graph.ask(Call("DELETE", message_path(graph.mailbox, remote_id), "message"))
    except MessageGone:
        return


async def drop(graph: Graph, internet_message_id: str, keep: str) -> None:
    """Delete the drafts of a message, but for `keep`. What is no draft any more left, and stays."""
    for letter in await find_by_message_id(graph, internet_message_id):
        if letter.is_draft and letter.id != keep:
            await delete(graph, letter.id)
