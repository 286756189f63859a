"""The connection check of an Outlook mailbox, step by step, with the cause where it stops. Sends and changes nothing.

reach: Graph answers · sign_in: it believes the grant · mailbox: it opens (a shared one: the right is there) · folders
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from postroom.providers.base import CheckStep
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, ProviderError
from postroom.providers.outlook.folders import FolderList
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, get_folder

SERVER = "outlook"  # the one row of a check


def inbox_of(graph: Graph) -> Call:
    """The cheapest call that opens the mailbox. About the mailbox: without an inbox there is none."""
    return Call("GET", get_folder(graph.mailbox, "inbox").path, "mailbox")


async def check_mailbox(graph: Graph) -> AsyncIterator[CheckStep]:
    """The steps, up to the first that fails."""
    name, started = "reach", time.monotonic()

    def passed(note: str) -> CheckStep:
        return CheckStep(SERVER, name, True, round(time.monotonic() - started, 3), note)

    try:
        call = inbox_of(graph)
        answer = await graph.send(call)
        yield passed(graph.host)
        name = "sign_in"
        if answer.status == 401:
            graph.checked(answer, call)
        yield passed(str(graph.facts["username"]))
        name = "mailbox"
        graph.checked(answer, call)
        yield passed(str(graph.facts["address"]))
        name, started = "folders", time.monotonic()
        folders = await FolderList(graph).read()
        roles = ", ".join(f"{folder.role}: {folder.name}" for folder in folders if folder.role)
        yield passed(f"{len(folders)} folders ({roles})")
    except ProviderError as error:
        # Before Graph is reached, a token is had from who signs people in.
        is_sign_in = name == "reach" and isinstance(error, NeedsReconnect | NeedsAdministrator)
        name = "sign_in" if is_sign_in else name
        seconds = round(time.monotonic() - started, 3)
        yield CheckStep(SERVER, name, False, seconds, "", error.code, error.server_words, error.facts)
