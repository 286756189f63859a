"""The provider "gmail": Google's mailboxes by the Gmail API."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from postroom.providers.base import Capabilities, CheckStep, Credentials, RemoteFolder
from postroom.providers.errors import NeedsReconnect, ProviderError
from postroom.providers.gmail import units
from postroom.providers.gmail.labels import INBOX, labels_of
from postroom.providers.gmail.listing import Place
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.gmail.push import GmailPush
from postroom.providers.gmail.requests import ME, Api, Exchange, host_of
from postroom.providers.gmail.sender import GmailSender
from postroom.providers.gmail.session import GmailSession, Pace
from postroom.providers.guard import NetworkPolicy
from postroom.providers.oauth import Endpoints, OAuth
from postroom.providers.push import Push

Result = TypeVar("Result")

CHECK_SERVER: Final = "gmail"  # the one row of a check


class GmailProvider:
    """See base.Provider. Credentials.tokens has the access tokens; Credentials.secrets is not looked at."""

    name = "gmail"
    title = "Gmail"
    oauth: OAuth | None = GMAIL
    capabilities = Capabilities(
        lists_headers_cheaply=False,
        pushes=False,
        files_sent_itself=True,
        finds_by_message_id=True,
        needs_oauth=True,
        lists_by_address=True,
        ids_are_mailbox_wide=True,
        fetch_at_once=50,
        units_a_minute=6_000,  # of a user, for projects made since May 2026
        lists_identities=True,
        watches=True,
        upload_settles_seconds=60.0,
    )

    def __init__(
        self, policy: NetworkPolicy, *, endpoints: Endpoints | None = None, poll_seconds: float = 15.0
    ) -> None:
        """`poll_seconds`: how often a waiting session asks, slower where there are many."""
        endpoints = endpoints or GMAIL.endpoints
        self._exchange = Exchange(policy, endpoints.api)
        self.push: Push | None = GmailPush(self._exchange, endpoints.keys, endpoints.issuers)
        self._pace = Pace(poll_seconds)

    def host_of(self, credentials: Credentials) -> str:
        return host_of(self._exchange.url)

    async def open(self, credentials: Credentials) -> GmailSession:
        return await GmailSession.open(self._api(credentials), self._pace)

    async def open_sender(self, credentials: Credentials) -> GmailSender:
        return GmailSender(self._api(credentials), credentials)

    async def check(self, credentials: Credentials) -> AsyncIterator[CheckStep]:
        """Steps: sign_in (whose mailbox the grant opens), folders, receiving. They cost 7 units."""
        try:
            api = self._api(credentials)
        except NeedsReconnect as error:
            yield CheckStep(CHECK_SERVER, "sign_in", False, 0.0, code=error.code, facts=error.facts)
            return
        try:
            for name, trial in (
                ("sign_in", lambda: _sign_in(api, credentials.address)),
                ("folders", lambda: _folders(api)),
                ("receiving", lambda: _receive(api)),
            ):
                step = await _step(name, trial)
                yield step
                if not step.ok:
                    return
        finally:
            await api.close()

    def _api(self, credentials: Credentials) -> Api:
        return Api(self._exchange, credentials)


async def _step(name: str, trial: Callable[[], Awaitable[str]]) -> CheckStep:
    started = time.monotonic()
    try:
        note = await trial()
    except ProviderError as error:
        seconds = round(time.monotonic() - started, 3)
        return CheckStep(CHECK_SERVER, name, False, seconds, "", error.code, error.server_words, error.facts)
    return CheckStep(CHECK_SERVER, name, True, round(time.monotonic() - started, 3), note)


async def _sign_in(api: Api, address: str) -> str:
    profile = await api.call("GET", f"{ME}/profile", units=units.PROFILE_GET)
    found = str(profile.get("emailAddress") or "")
    if found and found.lower() != address.lower():
        raise NeedsReconnect("google_other_address", host=api.host, username=address, address=found)
    return found


async def _folders(api: Api) -> str:
    folders: Sequence[RemoteFolder] = labels_of(
        await api.call("GET", f"{ME}/labels", units=units.LABELS_LIST)
    ).folders()
    roles = ", ".join(f"{folder.role}: {folder.name}" for folder in folders if folder.role)
    return f"{len(folders)} folders ({roles})"


async def _receive(api: Api) -> str:
    labels, _ = Place(INBOX).narrowed()
    await api.call(
        "GET",
        f"{ME}/messages",
        units=units.MESSAGES_LIST,
        params=[("maxResults", "1"), *(("labelIds", label) for label in labels)],
    )
    return ""
