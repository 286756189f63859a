"""A domain's own settings file: fetched over https only, read with suspicion.

The format is Mozilla's (clientConfig version 1.1). Postroom never asks over http, though others do: whoever sits
between could name a server of his own and be given the password (CVE-2024-50624, CVE-2024-52508). Every host, of a
redirect too, passes the guard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urljoin
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from postroom.providers.base import Security
from postroom.providers.discovery.found import Found, FoundServer, Source
from postroom.providers.discovery.mail_services import USUAL_FORMS, usernames
from postroom.providers.discovery.places import Places
from postroom.providers.discovery.website import ask
from postroom.providers.errors import ProviderError, WrongSettings
from postroom.providers.guard import NetworkPolicy, ascii_host

MOST_REDIRECTS: Final = 3
SECONDS: Final = 5.0  # for one file with all its redirects
_REDIRECTS: Final = {301, 302, 303, 307, 308}  # RFC 9110 section 15.4
_SECURITIES: Final[dict[str, Security]] = {"SSL": "tls", "STARTTLS": "starttls"}  # never "plain"
_MOST_HOST: Final = 253
_MOST_PORT_DIGITS: Final = 5


class NoSettings(Exception):
    """The place has no settings file that can be used; why is nobody's business (see `fetch`)."""


def own_file(domain: str, address: str) -> str:
    """Where a domain keeps its file."""
    return f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={quote(address)}"


def well_known_file(domain: str, address: str) -> str:
    return f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={quote(address)}"


def public_file(domain: str) -> str:
    """Where Mozilla keeps what people told it about a domain; the address is not said."""
    return f"https://autoconfig.thunderbird.net/v1.1/{domain}"


async def fetch(url: str, policy: NetworkPolicy, places: Places) -> bytes:
    """The file's octets. Raises NoSettings for whatever goes wrong.

    A closed address, a closed port, a wrong certificate and a missing page are one answer: what a member may type is no
    way to learn what stands in the operator's network.
    """
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(MOST_REDIRECTS + 1):
                answer = await ask(url, places.https_port, policy)
                if answer.status not in _REDIRECTS:
                    break
                url = urljoin(url, answer.location)
    except (ProviderError, TimeoutError, ValueError) as error:  # ValueError: a redirect to what is no address
        raise NoSettings from error
    # Packed octets were not asked for, and a few of them may be a great many.
    if answer.status != HTTPStatus.OK or answer.is_packed:
        raise NoSettings
    return answer.body


async def read(octets: bytes, address: str, source: Source, source_host: str) -> Found:
    """What the file says for this address. Raises NoSettings when it names no server with encryption."""
    return await asyncio.to_thread(parse, octets, address, source, source_host)


def parse(octets: bytes, address: str, source: Source, source_host: str) -> Found:
    """As `read`."""
    try:
        document = fromstring(octets, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise NoSettings from error
    provider = document.find("emailProvider")
    if document.tag != "clientConfig" or provider is None:
        raise NoSettings
    imap = next(_servers(provider, "incomingServer", "imap", address), None)
    smtp = next(_servers(provider, "outgoingServer", "smtp", address), None)
    if imap is None and smtp is None:
        raise NoSettings
    title = " ".join((provider.findtext("displayName") or "").split())
    title = _filled("".join(letter for letter in title if letter.isprintable())[:80], address)
    return Found(source=source, source_host=source_host, imap=imap, smtp=smtp, title=title)


def _servers(provider: Element, tag: str, kind: str, address: str) -> Iterator[FoundServer]:
    """The servers that can be used, in the file's order, which is the domain's preference."""
    for server in provider.findall(tag):
        security = _SECURITIES.get((server.findtext("socketType") or "").strip())
        port = _port((server.findtext("port") or "").strip())
        if server.get("type") != kind or security is None or port is None:
            continue
        try:
            host = ascii_host(_filled((server.findtext("hostname") or "").strip()[:_MOST_HOST], address))
        except WrongSettings:
            continue
        yield FoundServer(host, port, security, _usernames(server, address))


def _port(told: str) -> int | None:
    """None for what is no port; a number may have as many digits as there is room in the file."""
    port = int(told) if told.isdecimal() and len(told) <= _MOST_PORT_DIGITS else 0
    return port if 1 <= port <= 65535 else None


def _usernames(server: Element, address: str) -> tuple[str, ...]:
    """The form that the file names, then the usual ones."""
    told = _filled((server.findtext("username") or "").strip()[:320], address)
    usual = usernames(address, USUAL_FORMS)
    if not told or not told.isprintable() or "%" in told.replace(address, ""):
        return usual
    return tuple(dict.fromkeys((told, *usual)))


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for name, value in (("%EMAILADDRESS%", address), ("%EMAILLOCALPART%", local), ("%EMAILDOMAIN%", domain)):
        text = text.replace(name, value)
    return text
