"""What DNS says about a domain: where its mail goes, which mail servers it offers, and where a name lies.

Names of hosts are the system's business (getaddrinfo: /etc/hosts counts too), unless the operator names a name server
of his own; MX and SRV records only DNS knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.name import Name
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.SRV import SRV

from postroom.providers.errors import Unreachable

ASK_SECONDS = 4.0
MOST_RECORDS = 20  # of one name; a domain with more gains nothing by it


class UnfitNameServer(ValueError):
    """POSTROOM_NAME_SERVER cannot be used, in one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One SRV record (RFC 2782). A `host` of "" says that the service is decidedly not offered."""

    host: str
    port: int
    priority: int
    weight: int


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server to ask; "" as its `host` are those of the system (/etc/resolv.conf)."""

    host: str = ""
    port: int = 53

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> NameServer:
        """Read POSTROOM_NAME_SERVER, an address with a port or without; raise UnfitNameServer."""
        told = environ.get("POSTROOM_NAME_SERVER", "").strip()
        if not told:
            return cls()
        host, _, port = told.rpartition(":") if told.count(":") == 1 or "]:" in told else (told, "", "53")
        host = host.removeprefix("[").removesuffix("]")
        try:
            ipaddress.ip_address(host)
            return cls(host, _port(port))
        except ValueError:
            raise UnfitNameServer(
                f"POSTROOM_NAME_SERVER is {told!r}; it has to be an address, with a port or without: 127.0.0.1:53."
            ) from None

    async def mail_hosts(self, domain: str) -> list[str]:
        """The hosts that take the domain's mail, the preferred one first; [] where there are none.

        A single "." says that it takes none (RFC 7505). Raises Unreachable("name_server_failed").
        """
        records = cast("Sequence[MX]", await self._ask(domain, "MX"))
        ordered = sorted(records, key=lambda record: (record.preference, record.exchange))
        return [name for record in ordered if (name := _text(record.exchange))]

    async def services(self, service: str, domain: str) -> list[ServiceRecord]:
        """The SRV records of `_service._tcp.domain`, in no order. Raises Unreachable("name_server_failed")."""
        records = cast("Sequence[SRV]", await self._ask(f"_{service}._tcp.{domain}", "SRV"))
        return [ServiceRecord(_text(one.target), one.port, one.priority, one.weight) for one in records]

    async def addresses(self, name: str) -> list[str]:
        """The name's addresses, IPv4 first; [] where there are none. Raises Unreachable("name_server_failed")."""
        found: list[str] = []
        for kind in ("A", "AAAA"):
            found += [record.address for record in cast("Sequence[A]", await self._ask(name, kind))]
        return found

    async def _ask(self, name: str, kind: str) -> Sequence[Any]:
        try:
            answer = await self._resolver().resolve(name, kind, search=False, lifetime=ASK_SECONDS)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:  # ValueError: a label beyond DNS's 63 octets
            raise Unreachable("name_server_failed", host=name) from error
        return list(answer)[:MOST_RECORDS]

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Made anew each time: the system's name servers change with its network."""
        resolver = dns.asyncresolver.Resolver(configure=not self.host)
        if self.host:
            resolver.nameservers, resolver.port = [self.host], self.port
        return resolver


def _text(name: Name) -> str:
    """A name as hosts are written; the root is ""."""
    return name.to_text(omit_final_dot=True).lower() if len(name) > 1 else ""


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= port <= 65535:
        raise ValueError(text)
    return port
