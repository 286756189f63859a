"""The names that mail servers usually have, tried: one counts when it greets over TLS with a certificate for its name.

No user name and no password is ever said here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from postroom.providers.base import Security, ServerSettings
from postroom.providers.discovery.found import Found, FoundServer, Server
from postroom.providers.discovery.mail_services import USUAL_FORMS, usernames
from postroom.providers.discovery.places import Places
from postroom.providers.errors import ProviderError
from postroom.providers.guard import NetworkPolicy, resolve
from postroom.providers.imap.connect import Reached, attach, connect_tcp
from postroom.providers.imap.sign_in import encrypt, greet
from postroom.providers.imap.smtp import SmtpConnection, SmtpTimeouts
from postroom.providers.imap.transport import Timeouts, connection_factory

SECONDS: Final = 8.0  # for one server; postscreen makes strangers wait for 6
_NAMES: Final[dict[Server, tuple[str, ...]]] = {"imap": ("imap", "mail"), "smtp": ("smtp", "mail")}


async def guess(address: str, domain: str, policy: NetworkPolicy, places: Places) -> Found | None:
    """The first name and port of each server that works; None when none does. All are tried at once."""
    imap, smtp = await asyncio.gather(
        _first("imap", domain, places.imap_ports, policy), _first("smtp", domain, places.smtp_ports, policy)
    )
    if imap is None and smtp is None:
        return None
    names = usernames(address, USUAL_FORMS)
    imap, smtp = (server and replace(server, usernames=names) for server in (imap, smtp))
    return Found("guess", domain, imap=imap, smtp=smtp)


async def _first(
    server: Server, domain: str, ports: Sequence[tuple[int, Security]], policy: NetworkPolicy
) -> FoundServer | None:
    tried = [
        ServerSettings(f"{name}.{domain}", port, security, "", "")
        for name in _NAMES[server]
        for port, security in ports
    ]
    tasks = [asyncio.create_task(_answers(server, settings, policy)) for settings in tried]
    try:
        for settings, task in zip(tried, tasks, strict=True):
            if await task:
                return FoundServer(settings.host, settings.port, settings.security, ())
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answers(server: Server, settings: ServerSettings, policy: NetworkPolicy) -> bool:
    """Whether a mail server of that kind greets there, encrypted. What it says is not kept."""
    try:
        async with asyncio.timeout(SECONDS):
            reached = await connect_tcp(settings, await resolve(settings.host, settings.port, policy))
            if server == "imap":
                await _greet_imap(reached, settings, policy)
            else:
                await _greet_smtp(reached, settings, policy)
    except (ProviderError, TimeoutError):
        return False
    return True


async def _greet_imap(reached: Reached, settings: ServerSettings, policy: NetworkPolicy) -> None:
    connection = await attach(reached, settings, policy, connection_factory(settings, Timeouts(SECONDS, SECONDS)))
    try:
        await greet(connection, settings)
        await encrypt(connection, settings, policy)
    finally:
        await connection.close()


async def _greet_smtp(reached: Reached, settings: ServerSettings, policy: NetworkPolicy) -> None:
    timeouts = SmtpTimeouts(SECONDS, SECONDS)
    connection = await attach(reached, settings, policy, lambda: SmtpConnection(settings, timeouts))
    try:
        await connection.greet()
        await connection.encrypt(policy)
    finally:
        await connection.close()
