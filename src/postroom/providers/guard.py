"""Where Postroom may connect to when a person typed the host: public mail servers, and what the operator opened.

A host is resolved once, every address is checked, and the connection goes to a checked address: a name server that
answers differently the second time (DNS rebinding) gains nothing. Whatever the reason, the refusal has one code and
the same words, so that the connection check cannot be used to map a private network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import idna

from postroom.providers.errors import ProviderError, Unreachable, WrongSettings
from postroom.providers.name_server import NameServer, UnfitNameServer

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MAIL_PORTS = frozenset({25, 143, 465, 587, 993})
RESOLVE_SECONDS = 10.0
FAILED_NAME_SECONDS = 20.0  # less than any mailbox waits before it is tried a few times
MOST_FAILED_NAMES = 1_000
MOST_ADDRESSES = 16  # of one name: each may be connected to, and a stranger's name may have thousands

# Listed one by one, since `is_global` changes between Python versions. The documentation prefixes of RFC 3849 are
# missing on purpose: no route leads there, in private networks neither.
_CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carriers' NAT, RFC 6598; Tailscale and Alibaba's metadata service live there
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, RFC 6890; Oracle's metadata service
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "168.63.129.16/32",  # Azure's platform address, public by its number only
        "::/96",  # unspecified, loopback, IPv4-compatible
        "::ffff:0:0/96",  # v4-mapped
        "::ffff:0:0:0/96",  # v4-translated, RFC 2765
        "64:ff9b::/96",  # NAT64, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "100::/64",  # discard
        "2001::/32",  # Teredo carries an IPv4 address
        "2002::/16",  # 6to4 carries an IPv4 address
        "fc00::/7",  # private, RFC 4193
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, retired
        "ff00::/8",  # multicast
    )
)
_LOOKS_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)


class UnfitSetting(ValueError):
    """A variable of the environment that cannot be used, in one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """What the operator decided: networks opened besides public addresses, extra certificate authorities, and the name
    server that is asked."""

    allowed: tuple[IPNetwork, ...] = ()
    ca_file: Path | None = None
    name_server: NameServer = field(default_factory=NameServer)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> NetworkPolicy:
        """Read POSTROOM_ALLOWED_NETWORKS, POSTROOM_CA_FILE and POSTROOM_NAME_SERVER; raise UnfitSetting for what cannot
        be used."""
        networks = environ.get("POSTROOM_ALLOWED_NETWORKS", "").replace(",", " ").split()
        ca_file = environ.get("POSTROOM_CA_FILE", "").strip()
        return cls(
            allowed=tuple(_network(network) for network in networks),
            ca_file=_authorities(ca_file) if ca_file else None,
            name_server=_name_server(environ),
        )

    def permits(self, address: IPAddress, port: int, ports: frozenset[int] = MAIL_PORTS) -> bool:
        """Whether a connection may go there; `ports` are those of public addresses."""
        if any(address in network for network in self.allowed):
            return True
        return port in ports and not any(address in network for network in _CLOSED)


def _network(text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UnfitSetting(
            f"POSTROOM_ALLOWED_NETWORKS holds {text!r}, which is no network. Write it like 10.0.0.0/8 or fd00::/8."
        ) from None


def _name_server(environ: Mapping[str, str]) -> NameServer:
    try:
        return NameServer.from_environment(environ)
    except UnfitNameServer as error:
        raise UnfitSetting(str(error)) from None


def _authorities(name: str) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(name)
    except ssl.SSLError:
        raise UnfitSetting(f"POSTROOM_CA_FILE names {name}, which holds no certificate in PEM form.") from None
    except OSError as error:
        raise UnfitSetting(f"POSTROOM_CA_FILE names {name}, which cannot be read: {error.strerror}.") from None
    return Path(name)


class FailedNames:
    """Names that could not be looked up, so that a thousand mailboxes of one host ask for it once.

    The event loop asks few names at a time (libuv has four threads for it), and one that is slow to fail keeps the
    others waiting. What works is asked for at each connection: an address may change.
    """

    def __init__(self) -> None:
        self._failed: dict[str, tuple[float, ProviderError]] = {}

    def find(self, name: str, now: float) -> ProviderError | None:
        """A copy of the error of a moment ago."""
        until, error = self._failed.get(name, (0.0, None))
        if error is None or now >= until:
            return None
        return type(error)(error.code, host=name)

    def note(self, name: str, error: ProviderError, now: float) -> None:
        if len(self._failed) >= MOST_FAILED_NAMES:
            self._failed = {name: one for name, one in self._failed.items() if one[0] > now}
        if len(self._failed) < MOST_FAILED_NAMES:
            self._failed[name] = (now + FAILED_NAME_SECONDS, error)

    def forget(self, name: str) -> None:
        self._failed.pop(name, None)


failed_names = FailedNames()  # of this process


async def resolve(
    host: str,
    port: int,
    policy: NetworkPolicy,
    failures: FailedNames | None = None,
    ports: frozenset[int] = MAIL_PORTS,
) -> list[IPAddress]:
    """The addresses of `host` that a connection may go to, in the resolver's order.

    Raises WrongSettings("host_not_allowed") when any address is closed, whichever spelling it hides in;
    WrongSettings("host_unknown") when there is no such name; Unreachable("name_server_failed") for now. `failures`
    spares a name that has just failed; a person who checks what was typed brings none. `ports` are those that public
    addresses may be asked on.
    """
    literal = _literal_address(host)
    if literal:
        addresses = [literal]
    else:
        failures = FailedNames() if failures is None else failures
        addresses = await _look_up(ascii_host(host), port, failures, policy.name_server)
    # One closed address among open ones refuses the host: a fallback must never get there.
    if not all(policy.permits(address, port, ports) for address in addresses):
        raise WrongSettings("host_not_allowed", host=host)
    return addresses


@lru_cache(maxsize=1024)
def ascii_host(host: str) -> str:
    """A host name as DNS and certificates spell it (A-labels); raise WrongSettings("host_unknown")."""
    name = host.strip().rstrip(".").lower()
    try:
        name = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise WrongSettings("host_unknown", host=host) from error
    if not _NAME.fullmatch(name):
        raise WrongSettings("host_unknown", host=host)
    if _LOOKS_NUMERIC.fullmatch(name):  # 0x7f.1, 2130706433, 0177.0.0.1: libc would read an address out of these
        raise WrongSettings("host_not_allowed", host=host)
    return name


def _literal_address(host: str) -> IPAddress | None:
    bare = host.strip().removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        if ":" in bare:  # no name has a colon: an address in a spelling that we do not read (::ffff:127.1)
            raise WrongSettings("host_not_allowed", host=host) from None
        return None


async def _look_up(name: str, port: int, failures: FailedNames, server: NameServer) -> list[IPAddress]:
    """The name's addresses; raises what it raised a moment ago without asking again."""
    now = asyncio.get_running_loop().time()
    if known := failures.find(name, now):
        raise known
    try:
        found = await (_ask_name_server(name, server) if server.host else _ask_system(name, port))
        if not found:
            raise WrongSettings("host_unknown", host=name)
    except ProviderError as error:
        failures.note(name, error, asyncio.get_running_loop().time())
        raise
    failures.forget(name)
    # "fe80::1%eth0" carries its zone in the text
    return list(dict.fromkeys(ipaddress.ip_address(where.partition("%")[0]) for where in found))[:MOST_ADDRESSES]


async def _ask_name_server(name: str, server: NameServer) -> Sequence[str]:
    if name == "localhost" or name.endswith(".localhost"):  # never a matter of DNS: RFC 6761 section 6.3
        return ["127.0.0.1"]
    return await server.addresses(name)


async def _ask_system(name: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise Unreachable("name_server_failed", host=name) from error
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise Unreachable("name_server_failed", host=name) from error
        raise WrongSettings("host_unknown", host=name) from error
    except UnicodeError as error:  # the interpreter's own IDNA codec may still object
        raise WrongSettings("host_unknown", host=name) from error
    return [str(where[0]) for *_, where in found]
