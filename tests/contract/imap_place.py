"""A place on a real IMAP server: the standard library's client plays the other mail program."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from postroom.providers.base import Credentials
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from tests.contract.provider_place import Place


def settings(port: int, username: str, *, security: str = "none", password: str = "pass") -> dict[str, Any]:
    return {"host": "localhost", "port": port, "security": security, "username": username, "password": password}


class ImapPlace(Place):
    """`deliver_` puts a message into the inbox from outside."""

    def __init__(
        self,
        policy: NetworkPolicy,
        address: str,
        port: int,
        deliver_: Callable[[str, bytes], None],
        *,
        smtp_port: int = 1,
        tells_flags: bool = True,
        pushes_others: bool = False,
    ) -> None:
        self.provider = ImapProvider(policy)
        self.tells_flags = tells_flags
        self.pushes_others = pushes_others
        self._port, self._deliver = port, deliver_
        secrets = {"imap": settings(port, address), "smtp": settings(smtp_port, address)}
        self.credentials = Credentials(address, secrets)

    async def deliver(self, raw: bytes) -> None:
        await asyncio.to_thread(self._deliver, self.credentials.address, raw)

    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        await asyncio.to_thread(self._store, remote_id, f"({' '.join(flags)})", False)

    async def remove(self, remote_id: str) -> None:
        await asyncio.to_thread(self._store, remote_id, "(\\Deleted)", True)

    async def make_folder(self, name: str) -> None:
        await asyncio.to_thread(self._command, "create", name)

    async def rename_folder(self, name: str, new_name: str) -> None:
        await asyncio.to_thread(self._command, "rename", name, new_name)

    async def remove_folder(self, name: str) -> None:
        await asyncio.to_thread(self._command, "delete", name)

    def wrong_credentials(self) -> Credentials:
        imap = self.credentials.secrets["imap"] | {"password": "wrong"}
        return Credentials(self.credentials.address, self.credentials.secrets | {"imap": imap})

    def _command(self, name: str, *arguments: str) -> None:
        with imaplib.IMAP4("localhost", self._port) as client:
            client.login(self.credentials.address, "pass")
            condition, words = getattr(client, name)(*arguments)
            assert condition == "OK", words

    def _store(self, remote_id: str, flags: str, expunge: bool) -> None:
        with imaplib.IMAP4("localhost", self._port) as client:
            client.login(self.credentials.address, "pass")
            client.select("INBOX")
            client.uid("STORE", remote_id.partition(".")[2], "FLAGS", flags)
            if expunge:
                client.expunge()
            with suppress(imaplib.IMAP4.error):
                client.close()
