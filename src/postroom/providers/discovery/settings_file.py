"""A domain's own settings file: fetched over https only, read with suspicion.

The format is Mozilla's (clientConfig version 1.1). Postroom never asks over http, though others do: whoever sits
between could name a server of his own and be given the password (CVE-2024-50624, CVE-2024-52508). Every host, of a
redirect too, passes the guard, and the connection goes to the address that was checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urljoin, urlsplit
from xml.etree.ElementTree import Element, ParseError

import httpx
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from postroom import __version__
from postroom.providers.base import Security
from postroom.providers.discovery.found import Found, FoundServer, Source
from postroom.providers.discovery.places import HTTPS_PORT, Places
from postroom.providers.discovery.services import USUAL_FORMS, usernames
from postroom.providers.errors import ProviderError, WrongSettings
from postroom.providers.guard import NetworkPolicy, ascii_host, resolve
from postroom.providers.imap.connect import server_name, tls_context

MOST_OCTETS: Final = 64 * 1024  # the largest of the public database has 21 kB
MOST_REDIRECTS: Final = 3
MOST_ADDRESSES: Final = 3  # of a host that are tried
SECONDS: Final = 5.0  # for one file with all its redirects
TIMEOUT: Final = httpx.Timeout(SECONDS, connect=3.0)
_SECURITIES: Final[dict[str, Security]] = {"SSL": "tls", "STARTTLS": "starttls"}  # never "plain"
_MOST_HOST: Final = 253


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
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(
                verify=tls_context(policy.ca_file), timeout=TIMEOUT, follow_redirects=False, trust_env=False
            ) as client,
        ):
            for _ in range(MOST_REDIRECTS + 1):
                octets, url = await _fetch_once(client, url, policy, places)
                if octets is not None:
                    return octets
    except (ProviderError, httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        raise NoSettings from error
    raise NoSettings


async def _fetch_once(
    client: httpx.AsyncClient, url: str, policy: NetworkPolicy, places: Places
) -> tuple[bytes | None, str]:
    """(octets, "") or (None, where it is instead)."""
    parts = urlsplit(url)
    host = ascii_host(parts.hostname or "")
    port = parts.port or places.https_port
    if parts.scheme != "https" or port != places.https_port or parts.username is not None:
        raise WrongSettings("host_not_allowed", host=host)
    addresses = await resolve(host, port, policy, ports=frozenset({places.https_port}))
    failure: httpx.TransportError | None = None
    for address in addresses[:MOST_ADDRESSES]:
        where = f"[{address}]" if address.version == 6 else str(address)
        request = client.build_request(
            "GET",
            # The checked address, never the name: nobody looks it up a second time.
            httpx.URL(url).copy_with(host=where, port=port),
            headers={
                "Host": host if port == HTTPS_PORT else f"{host}:{port}",
                "User-Agent": f"Postroom/{__version__}",
                "Accept-Encoding": "identity",
            },
            extensions={"sni_hostname": server_name(host)},  # the certificate is checked for it too
        )
        try:
            response = await client.send(request, stream=True)
        except httpx.TransportError as error:
            failure = error
            continue
        try:
            return await _read(response, url)
        finally:
            await response.aclose()
    raise failure or NoSettings


async def _read(response: httpx.Response, url: str) -> tuple[bytes | None, str]:
    if response.is_redirect:
        return None, urljoin(url, response.headers.get("location", ""))
    # Packed octets were not asked for, and a few of them may be a great many.
    if response.status_code != 200 or response.headers.get("content-encoding", "identity") != "identity":
        raise NoSettings
    octets = bytearray()
    async for piece in response.aiter_raw():
        octets += piece
        if len(octets) > MOST_OCTETS:
            raise NoSettings
    return bytes(octets), ""


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
        port = (server.findtext("port") or "").strip()
        if server.get("type") != kind or security is None or not (port.isdecimal() and 1 <= int(port[:6]) <= 65535):
            continue
        try:
            host = ascii_host(_filled((server.findtext("hostname") or "").strip()[:_MOST_HOST], address))
        except WrongSettings:
            continue
        yield FoundServer(host, int(port), security, _usernames(server, address))


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
