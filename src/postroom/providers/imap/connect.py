"""Connections to mail servers, IMAP's and SMTP's alike: resolved by the guard, encrypted, with the causes named.

Each descriptor has one owner from its first connect() to its close: the event loop's transport. It was once connected
as a bare socket and then handed to a transport, and under load such a connection now and then never read a greeting.
That makes two libuv handles on one descriptor, one after the other: a poll handle whose registration is taken out of
epoll and a stream's that is put in, both in one turn of the loop. libuv >= 1.45 queues such changes in an io_uring
(uv__epoll_ctl_prep in its src/unix/linux.c), and what the kernel cannot do at once it does later, in another order:
the stream's registration is then the one that goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, TypeVar, cast

from postroom.providers.base import ServerSettings
from postroom.providers.errors import ProviderError, Unreachable, WrongSettings
from postroom.providers.guard import IPAddress, NetworkPolicy, ascii_host, failed_names, resolve

CONNECT_SECONDS = 15.0  # for each address
NEXT_ADDRESS_SECONDS = 0.25  # the Connection Attempt Delay of RFC 8305 section 5: a black hole costs no more
TLS_SECONDS = 30.0
PROBE_SECONDS = 5.0
CLOSE_SECONDS = 2.0
MOST_HELD = 16 * 1024  # octets of a greeting before anybody reads it

ProtocolType = TypeVar("ProtocolType", bound=asyncio.BaseProtocol)


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """When the kernel gives a silent connection up (tcp(7)), in whole seconds.

    A NAT box that forgot us, or a peer that lost its power, would else look like a quiet mailbox for two hours. Probes
    go out after `idle_seconds`, then each `interval_seconds`; what was sent has to be acknowledged within
    `unacknowledged_seconds`, which bounds the probes too (TCP_USER_TIMEOUT, RFC 5482).
    """

    idle_seconds: int = 45
    interval_seconds: int = 15
    probes: int = 3
    unacknowledged_seconds: int = 75

    def apply(self, endpoint: socket.socket) -> None:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", self.idle_seconds),
            ("TCP_KEEPINTVL", self.interval_seconds),
            ("TCP_KEEPCNT", self.probes),
            ("TCP_USER_TIMEOUT", 1000 * self.unacknowledged_seconds),  # Linux only
        ):
            if hasattr(socket, option):
                endpoint.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


KEEP_ALIVE = KeepAlive()


@lru_cache(maxsize=8)
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """One context for all connections: building one parses every authority (22 ms, 1 MB)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


class _Holder(asyncio.Protocol):
    """Keeps what the server says before it is known who listens: the greeting of a server without TLS.

    Who says more than a greeting waits until somebody does: a page that follows the check may be slow to read.
    """

    def __init__(self) -> None:
        self.octets = bytearray()
        self.is_lost = False
        self.cause: Exception | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        self.octets += data
        if len(self.octets) >= MOST_HELD and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost, self.cause = True, exc


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that was reached and nobody talks to yet. `attach` it, or `close` it."""

    transport: asyncio.Transport
    holder: _Holder = field(repr=False)

    def close(self) -> None:
        self.transport.abort()


async def connect_tcp(
    settings: ServerSettings, addresses: Sequence[IPAddress], keep_alive: KeepAlive = KEEP_ALIVE
) -> Reached:
    """Connect to the first of these checked addresses that answers; raises WrongSettings or Unreachable.

    The next address is tried when one has failed, or has said nothing for NEXT_ADDRESS_SECONDS (RFC 8305).
    """
    attempts: set[asyncio.Task[Reached]] = set()
    waiting = _interleaved(addresses)
    failure: ProviderError | None = None
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_connect_to(settings, waiting.pop(0), keep_alive)))
            pause = NEXT_ADDRESS_SECONDS if waiting else None
            done, attempts = await asyncio.wait(attempts, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            won: Reached | None = None
            for attempt in done:
                error = attempt.exception()
                if error is None and won is None:
                    won = attempt.result()
                elif error is None:
                    attempt.result().close()
                elif isinstance(error, ProviderError):
                    failure = failure or error
                else:
                    raise error
            if won is not None:
                return won
    finally:
        for attempt in attempts:
            attempt.cancel()
        for late in await asyncio.gather(*attempts, return_exceptions=True):
            if isinstance(late, Reached):
                late.close()
    raise failure or Unreachable("unreachable", host=settings.host, port=settings.port)


def _interleaved(addresses: Sequence[IPAddress]) -> list[IPAddress]:
    """The families by turns, the resolver's first choice first (RFC 8305 section 4)."""
    first = [address for address in addresses if address.version == addresses[0].version]
    other = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain(*zip_longest(first, other)) if address is not None]


async def _connect_to(settings: ServerSettings, address: IPAddress, keep_alive: KeepAlive) -> Reached:
    with _causes_named(settings):
        async with asyncio.timeout(CONNECT_SECONDS):
            # An address, never the name: nobody looks it up a second time.
            transport, holder = await asyncio.get_running_loop().create_connection(_Holder, str(address), settings.port)
        keep_alive.apply(transport.get_extra_info("socket"))
    return Reached(transport, holder)


async def attach(
    reached: Reached,
    settings: ServerSettings,
    policy: NetworkPolicy,
    protocol_factory: Callable[[], ProtocolType],
) -> ProtocolType:
    """Put a protocol on a connection, with TLS from the start if the settings say so."""
    protocol, transport = protocol_factory(), reached.transport
    try:
        if reached.holder.is_lost:
            raise cause_of(reached.holder.cause or ConnectionResetError(), settings)
        if settings.security == "tls":
            if reached.holder.octets:  # it greets in plain text
                raise WrongSettings("tls_not_spoken", host=settings.host, port=settings.port)
            protocol.connection_made(await start_tls(transport, protocol, settings, policy))
        else:
            transport.pause_reading()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            _feed(protocol, reached.holder.octets)
            if not transport.is_closing():
                transport.resume_reading()
    except BaseException:
        reached.close()
        raise
    return protocol


def _feed(protocol: asyncio.BaseProtocol, octets: bytearray) -> None:
    """Give a protocol what came before it was there."""
    if isinstance(protocol, asyncio.BufferedProtocol):
        rest = memoryview(octets)
        while rest:
            free = memoryview(protocol.get_buffer(len(rest)))
            count = min(len(free), len(rest))
            free[:count] = rest[:count]
            protocol.buffer_updated(count)
            rest = rest[count:]
    elif octets:
        cast("asyncio.Protocol", protocol).data_received(bytes(octets))


async def open_connection(
    settings: ServerSettings,
    policy: NetworkPolicy,
    protocol_factory: Callable[[], ProtocolType],
    keep_alive: KeepAlive = KEEP_ALIVE,
) -> ProtocolType:
    """Resolve through the guard, connect to a checked address, encrypt; the name is never looked up a second time.

    Raises WrongSettings or Unreachable, with a code that says why.
    """
    addresses = await resolve(settings.host, settings.port, policy, failed_names)
    return await attach(await connect_tcp(settings, addresses, keep_alive), settings, policy, protocol_factory)


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
    # Read by nobody, and 2 kB of each idle mailbox; the context has checked the certificate.
    if certificate := encrypted.get_extra_info("peercert"):
        certificate.clear()
    return encrypted


async def speaks_tls(settings: ServerSettings, addresses: Sequence[IPAddress], policy: NetworkPolicy) -> bool:
    """Whether the port of these checked addresses takes a TLS handshake; raises nothing, says nothing after it."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reached = await connect_tcp(settings, addresses)
            transport = reached.transport
            try:
                transport = await start_tls(transport, asyncio.Protocol(), settings, policy)
            finally:
                transport.abort()
    except (TimeoutError, ProviderError) as error:
        # Whoever has a certificate, even a bad one, speaks TLS.
        return isinstance(error.__cause__, ssl.SSLCertVerificationError)
    return True


def let_others_read(transport: asyncio.Transport) -> None:
    """Go on reading in the loop's next round: libuv would else read on for as long as a server fills our buffers."""

    def read_on() -> None:
        if not transport.is_closing():
            transport.resume_reading()

    if not transport.is_closing():
        transport.pause_reading()
        asyncio.get_running_loop().call_soon(read_on)


async def close_gently(transport: asyncio.Transport, lost: Awaitable[object]) -> None:
    """Close after what was written has left; at once when the peer does not take part within CLOSE_SECONDS.

    `lost` is over with the protocol's connection_lost. Without waiting, a TLS goodbye would outlive the loop.
    """
    transport.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await lost
    except TimeoutError:
        transport.abort()


def server_name(host: str) -> str:
    """The name a certificate must bear: A-labels, or an address without brackets."""
    bare = host.strip().removeprefix("[").removesuffix("]")
    return bare if ":" in bare or bare.replace(".", "").isdigit() else ascii_host(host)


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
    if error.verify_code == 9:  # X509_V_ERR_CERT_NOT_YET_VALID: seldom the certificate, mostly our clock
        return "certificate_not_yet_valid"
    if error.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        return "certificate_expired"
    if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH
        return "certificate_for_other_host"
    return "certificate_not_trusted"
