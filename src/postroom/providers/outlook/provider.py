"""The provider "outlook": mailboxes of Microsoft 365 and Outlook.com, and shared ones, by Microsoft Graph."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from postroom.providers.base import Capabilities, CheckStep, Credentials
from postroom.providers.guard import NetworkPolicy
from postroom.providers.oauth import Endpoints, OAuth
from postroom.providers.outlook.check import check_mailbox, inbox_of
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.providers.outlook.push import OutlookPush
from postroom.providers.outlook.requests import PAGE_ITEMS
from postroom.providers.outlook.sender import OutlookSender
from postroom.providers.outlook.session import OutlookSession
from postroom.providers.outlook.switchboard import Switchboard
from postroom.providers.push import Push

LOOKS_A_SECOND = 20  # of all sessions in this process together


class OutlookProvider:
    """See base.Provider. A mailbox whose address is not that of who signed in is a shared one.

    `poll_seconds` lie between two looks of a session that waits, more where many sessions are open.
    """

    name = "outlook"
    title = "Outlook"
    oauth: OAuth | None = OUTLOOK
    capabilities = Capabilities(
        lists_headers_cheaply=True,
        pushes=False,
        files_sent_itself=True,
        finds_by_message_id=True,
        needs_oauth=True,
        ids_are_mailbox_wide=True,
        fetch_at_once=100,
        units_a_minute=1_000,  # 10,000 requests in ten minutes for an app and a mailbox (graph/throttling-limits)
        opens_shared=True,
        watches=True,
        upload_settles_seconds=600.0,
    )

    def __init__(
        self,
        policy: NetworkPolicy,
        *,
        endpoints: Endpoints | None = None,
        poll_seconds: float = 15.0,
        page_items: int = PAGE_ITEMS,
    ) -> None:
        self._api = (endpoints or OUTLOOK.endpoints).api
        self._poll_seconds = poll_seconds
        self._page_items = page_items
        self._switchboard = Switchboard(policy)
        self.push: Push | None = OutlookPush(self._graph)

    def host_of(self, credentials: Credentials) -> str:
        return urlsplit(self._api).hostname or ""

    async def open(self, credentials: Credentials) -> OutlookSession:
        graph = self._graph(credentials)
        try:
            await graph.ask(inbox_of(graph))
        except BaseException:
            await graph.close()
            raise
        return OutlookSession(graph, self._pause_seconds)

    async def open_sender(self, credentials: Credentials) -> OutlookSender:
        return OutlookSender(self._graph(credentials, sends=True))

    async def check(self, credentials: Credentials) -> AsyncIterator[CheckStep]:
        graph = self._graph(credentials)
        try:
            async for step in check_mailbox(graph):
                yield step
        finally:
            await graph.close()

    def _graph(self, credentials: Credentials, *, sends: bool = False) -> Graph:
        return Graph(self._switchboard, self._api, credentials, self._page_items, sends=sends)

    def _pause_seconds(self) -> float:
        return max(self._poll_seconds, self._switchboard.places / LOOKS_A_SECOND)
