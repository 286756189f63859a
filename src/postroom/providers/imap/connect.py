"""Connections to mail servers, IMAP's and SMTP's alike: resolved by the guard, encrypted, with the causes named."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from postroom.providers.base import ServerSettings
from postroom.providers.errors import ProviderError, Unreachable, WrongSettings
from postroom.providers.guard import IPAddress, NetworkPolicy, ascii_host, resolve

CONNECT_SECONDS = 15.0  # for each address
TLS_SECONDS = 30.0
PROBE_SECONDS = 5.0
CLOSE_SECONDS = 2.0

ProtocolType = TypeVar("ProtocolType", bound=asyncio.BaseProtocol)


@lru_cache(maxsize=8)
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """One context for all connections: building one parses every authority (22 ms, 1 MB)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def connect_tcp(settings: ServerSettings, addresses: Sequence[IPAddress]) -> socket.socket:
    """A connected socket to the first of these checked addresses that answers; raises WrongSettings or Unreachable."""
    failure: ProviderError | None = None
    for address in addresses:
        endpoint = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
        endpoint.setblocking(False)
        try:
            with _causes_named(settings):
                async with asyncio.timeout(CONNECT_SECONDS):
                    await asyncio.get_running_loop().sock_connect(endpoint, (str(address), settings.port))
        except ProviderError as error:
            endpoint.close()
            failure = failure or error
        except BaseException:
            endpoint.close()
            raise
        else:
            _keep_alive(endpoint)
            return endpoint
    raise failure or Unreachable("unreachable", host=settings.host, port=settings.port)


async def attach(
    endpoint: socket.socket,
    settings: ServerSettings,
    policy: NetworkPolicy,
    protocol_factory: Callable[[], ProtocolType],
) -> ProtocolType:
    """Put a protocol on a connected socket, with TLS from the start if the settings say so."""
    loop = asyncio.get_running_loop()
    try:
        with _causes_named(settings):
            if settings.security != "tls":
                _, protocol = await loop.create_connection(protocol_factory, sock=endpoint)
                return protocol
            async with asyncio.timeout(TLS_SECONDS):
                _, protocol = await loop.create_connection(
                    protocol_factory,
                    sock=endpoint,
                    ssl=tls_context(policy.ca_file),
                    server_hostname=server_name(settings.host),
                )
                return protocol
    except BaseException:
        endpoint.close()
        raise


async def open_connection(
    settings: ServerSettings, policy: NetworkPolicy, protocol_factory: Callable[[], ProtocolType]
) -> ProtocolType:
    """Resolve through the guard, connect to a checked address, encrypt; the name is never looked up a second time.

    Raises WrongSettings or Unreachable, with a code that says why.
    """
    addresses = await resolve(settings.host, settings.port, policy)
    return await attach(await connect_tcp(settings, addresses), settings, policy, protocol_factory)


async def start_tls(
    transport: asyncio.Transport, protocol: asyncio.BaseProtocol, settings: ServerSettings, policy: NetworkPolicy
) -> asyncio.Transport:
    """Switch to encryption after the server agreed to STARTTLS; raises as open_connection does."""
    loop = asyncio.get_running_loop()
    with _causes_named(settings):
        async with asyncio.timeout(TLS_SECONDS):
            encrypted = await loop.start_tls(
                transport, protocol, tls_context(policy.ca_file), server_hostname=server_name(settings.host)
            )
    if encrypted is None:
        raise Unreachable("connection_lost", host=settings.host, port=settings.port)
    return encrypted


async def speaks_tls(settings: ServerSettings, addresses: Sequence[IPAddress], policy: NetworkPolicy) -> bool:
    """Whether the port of these checked addresses takes a TLS handshake; raises nothing, says nothing after it."""
    endpoint: socket.socket | None = None
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            endpoint = await connect_tcp(settings, addresses)
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol,
                sock=endpoint,
                ssl=tls_context(policy.ca_file),
                server_hostname=server_name(settings.host),
            )
    except (OSError, TimeoutError, ProviderError) as error:
        if endpoint is not None:
            endpoint.close()
        return isinstance(error, ssl.SSLCertVerificationError)  # whoever has a certificate, even a bad one, speaks TLS
    transport.abort()
    return True


async def close_gently(transport: asyncio.Transport, lost: asyncio.Event) -> None:
    """Close after what was written has left; at once when the peer does not take part within CLOSE_SECONDS.

    `lost` is set by the protocol's connection_lost. Without waiting, a TLS goodbye would outlive the loop.
    """
    transport.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await lost.wait()
    except TimeoutError:
        transport.abort()


def server_name(host: str) -> str:
    """The name a certificate must bear: A-labels, or an address without brackets."""
    bare = host.strip().removeprefix("[").removesuffix("]")
    return bare if ":" in bare or bare.replace(".", "").isdigit() else ascii_host(host)


def _keep_alive(endpoint: socket.socket) -> None:
    """Let the kernel find half-open connections: a NAT box that forgot us would else look like a quiet mailbox."""
    endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            endpoint.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


@contextlib.contextmanager
def _causes_named(settings: ServerSettings) -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError) as error:
        raise cause_of(error, settings) from error


_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES})


def cause_of(error: BaseException, settings: ServerSettings) -> ProviderError:
    """The error of our tree for one of the operating system's or of TLS."""
    where: dict[str, Any] = {"host": settings.host, "port": settings.port}
    if isinstance(error, ssl.SSLCertVerificationError):
        return WrongSettings(_certificate_code(error), server_words=error.verify_message, **where)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        # The server spoke before the handshake, in plain text: it expects STARTTLS, or no encryption.
        if reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
            return WrongSettings("tls_not_spoken", server_words=reason, **where)
        return WrongSettings("tls_failed", server_words=reason, **where)
    if isinstance(error, TimeoutError):
        return Unreachable("timed_out", **where)
    if isinstance(error, ConnectionRefusedError):
        return WrongSettings("connection_refused", **where)
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Unreachable("no_route", **where)
    return Unreachable("connection_lost", **where)


def _certificate_code(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        return "certificate_expired"
    if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
        return "certificate_for_other_host"
    return "certificate_not_trusted"
