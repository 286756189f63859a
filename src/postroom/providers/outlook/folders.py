"""The folders of a mailbox: one flat list with paths of display names, roles by the well-known names.

Display names are in the language of whoever opened the mailbox first, well-known names are not. v1.0 does not tell
which folder is which, so the well-known ones are asked for by name, all at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from postroom.providers.base import RemoteFolder, Role
from postroom.providers.errors import ListingExpired
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import first_folder_delta, get_folder
from postroom.providers.outlook.responses import link, unreadable, values

ROLES: Mapping[str, Role] = {
    "inbox": "inbox",
    "sentitems": "sent",
    "drafts": "drafts",
    "deleteditems": "trash",
    "junkemail": "junk",
    "archive": "archive",
}
# What holds no mail of people, with all below: messages on their way out, chats, logs of Outlook, what searches show
# again. Below the trash lie folders that were deleted.
NOT_READ = frozenset({"outbox", "conversationhistory", "syncissues", "searchfolders", "recoverableitemsdeletions"})
NOT_READ_BELOW = NOT_READ | {"deleteditems", "junkemail"}
ROOT = "msgfolderroot"
DEEPEST = 100


class FolderList:
    """What is known of the folders. Listed again, it asks only for what changed: one call where nothing did."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._folders: dict[str, dict[str, Any]] = {}
        self._well_known: dict[str, str] = {}  # id → well-known name
        self._path = ""  # of the deltaLink

    async def read(self) -> Sequence[RemoteFolder]:
        known = frozenset(self._folders)
        try:
            await self._read_changes()
        except ListingExpired:
            self._path = ""
            await self._read_changes()
        if not self._well_known or known != frozenset(self._folders):  # an archive is made when it is first used
            await self._read_well_known()
        return [self._listed(one) for one in self._folders.values() if self._is_shown(one)]

    async def _read_changes(self) -> None:
        # A copy, so that a walk that is cut off changes nothing.
        folders = dict(self._folders) if self._path else {}
        first = first_folder_delta(self._graph.mailbox)
        call = replace(first, path=self._path) if self._path else first
        delta = ""
        async for page in self._graph.pages(call):
            for told in values(page):
                _note(folders, told)
            delta = link(page, "deltaLink")
        self._path, self._folders = self._graph.path_of(delta), folders

    async def _read_well_known(self) -> None:
        names = (*ROLES, *sorted(NOT_READ), ROOT)
        calls = [get_folder(self._graph.mailbox, name) for name in names]
        found = {}
        for name, call, answer in zip(names, calls, await self._graph.batch(calls), strict=True):
            if answer.status in (400, 404):  # a mailbox does not have them all
                continue
            found[str(self._graph.checked(answer, call).fields().get("id"))] = name
        self._well_known = found

    def _listed(self, folder: Mapping[str, Any]) -> RemoteFolder:
        role = ROLES.get(self._well_known.get(folder["id"], ""), "")
        return RemoteFolder(folder["id"], self._path_name(folder), role, identity=folder["id"])

    def _is_shown(self, folder: Mapping[str, Any]) -> bool:
        if folder.get("@odata.type") == "#microsoft.graph.mailSearchFolder" or self._named(folder) == ROOT:
            return False
        itself, *above = self._lineage(folder)
        is_hidden = any(one.get("isHidden") is True for one in (itself, *above))
        is_left_out = self._named(itself) in NOT_READ or any(self._named(one) in NOT_READ_BELOW for one in above)
        return not is_hidden and not is_left_out

    def _named(self, folder: Mapping[str, Any]) -> str:
        return self._well_known.get(folder["id"], "")

    def _lineage(self, folder: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The folder, its parent, and so on, without the root."""
        lineage: list[Mapping[str, Any]] = []
        one: Mapping[str, Any] | None = folder
        while one is not None and self._named(one) != ROOT and len(lineage) < DEEPEST:
            lineage.append(one)
            one = self._folders.get(str(one.get("parentFolderId") or ""))
        return lineage

    def _path_name(self, folder: Mapping[str, Any]) -> str:
        """Display names from the top, parted by "/"."""
        return "/".join(str(one.get("displayName") or "?") for one in reversed(self._lineage(folder)))


def _note(folders: dict[str, dict[str, Any]], told: Mapping[str, Any]) -> None:
    folder_id = told.get("id")
    if not isinstance(folder_id, str) or not folder_id:
        raise unreadable("a folder without an id")
    if "@removed" in told:
        folders.pop(folder_id, None)
    else:
        folders[folder_id] = {**folders.get(folder_id, {}), **told}
