"""The provider "memory": see server.py for what it can be told to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postroom.providers.base import BeforeNoReturn, Capabilities, CheckStep, Credentials, Envelope, Receipt
from postroom.providers.errors import InDoubt, Refused, SignInRefused, Throttled, Unreachable
from postroom.providers.memory.server import MemoryServer, server_for
from postroom.providers.memory.session import MemorySession
from postroom.providers.memory.uploads import Uploads
from postroom.providers.oauth import OAuth
from postroom.providers.push import Push


class MemorySender:
    """See base.Sender. With `hands_over` a message waits in Drafts before it is sent, as at providers with an API."""

    def __init__(self, server: MemoryServer, address: str, *, hands_over: bool = False) -> None:
        self._server = server
        self._uploads = Uploads(server, address) if hands_over else None

    async def send(
        self,
        envelope: Envelope,
        mime: bytes,
        before_no_return: BeforeNoReturn,
        upload: str = "",
        was_tried: bool = False,
    ) -> Receipt:
        faults = self._server.faults
        if not envelope.recipients:
            raise Refused("no_recipients")
        if faults.unreachable:
            raise Unreachable("connection_lost", host="memory", port=0)
        if faults.throttle_send:
            raise Throttled("try_later", retry_after_seconds=1.0, host="memory")
        refused = {one: "550 5.1.1 user unknown" for one in envelope.recipients if one in faults.refuse_recipients}
        if len(refused) == len(set(envelope.recipients)):
            raise Refused("recipients_refused", refused=refused, server_words="550 5.1.1 user unknown")
        if self._uploads is not None:
            upload = self._uploads.take_up(mime, upload, was_tried=was_tried)
        await before_no_return(upload)
        if faults.refuse_send:
            raise Refused(server_words=faults.refuse_send)
        if faults.in_doubt_before_accept:
            raise InDoubt(host="memory")
        if self._uploads is not None:
            self._uploads.let_go(upload)
        self._server.route(envelope.sender.lower(), [one for one in envelope.recipients if one not in refused], mime)
        if faults.in_doubt_after_accept:
            raise InDoubt(host="memory")
        return Receipt(reply="250 2.0.0 taken", refused=refused)

    async def drop_uploads(self, internet_message_id: str, keep: str = "") -> None:
        if self._uploads is not None:
            self._uploads.drop(internet_message_id, keep)

    async def close(self) -> None:
        """Nothing is open."""


class MemoryProvider:
    """See base.Provider. Credentials.secrets: {"folder": path} or {"server": name}; {"password": …} if one is set.

    With `upload_settles_seconds` it sends as providers with an API do: what is handed over waits in Drafts first.
    """

    name = "memory"
    title = "Memory (demo)"
    oauth: OAuth | None = None
    push: Push | None = None

    def __init__(self, upload_settles_seconds: float | None = None) -> None:
        self.capabilities = Capabilities(
            lists_headers_cheaply=True,
            pushes=True,
            files_sent_itself=True,
            finds_by_message_id=True,
            upload_settles_seconds=upload_settles_seconds,
        )

    def host_of(self, credentials: Credentials) -> str:
        return "the sandbox"  # the journal says "Connected to"

    async def open(self, credentials: Credentials) -> MemorySession:
        return MemorySession(_sign_in(credentials), credentials.address)

    async def open_sender(self, credentials: Credentials) -> MemorySender:
        hands_over = self.capabilities.upload_settles_seconds is not None
        return MemorySender(_sign_in(credentials), credentials.address, hands_over=hands_over)

    async def check(self, credentials: Credentials) -> AsyncIterator[CheckStep]:
        try:
            _sign_in(credentials)
        except (SignInRefused, Unreachable) as error:
            yield CheckStep("memory", "sign_in", False, 0.0, code=error.code, facts=error.facts)
            return
        yield CheckStep("memory", "sign_in", True, 0.0, note=credentials.address)


def _sign_in(credentials: Credentials) -> MemoryServer:
    server = server_for(credentials)
    if server.faults.unreachable:
        raise Unreachable("connection_lost", host="memory", port=0)
    password = server.passwords.get(credentials.address.lower())
    if server.faults.refuse_sign_in or (password is not None and credentials.secrets.get("password") != password):
        raise SignInRefused(host="memory", username=credentials.address)
    server.shelf.folders(credentials.address.lower())  # a mailbox exists once somebody opened it
    return server
