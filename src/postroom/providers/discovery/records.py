"""What a domain's SRV records offer to mail programs (RFC 6186, RFC 8314 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from postroom.providers.base import Security
from postroom.providers.discovery.found import Found, FoundServer, Server
from postroom.providers.discovery.mail_services import USUAL_FORMS, usernames
from postroom.providers.errors import WrongSettings
from postroom.providers.guard import ascii_host
from postroom.providers.name_server import ServiceRecord

# Services by server, with what they mean. Without TLS from the start STARTTLS is asked for, never plain text.
SERVICES: Final[dict[Server, tuple[tuple[str, Security], ...]]] = {
    "imap": (("imaps", "tls"), ("imap", "starttls")),
    "smtp": (("submissions", "tls"), ("submission", "starttls")),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One record and the encryption that its service means."""

    record: ServiceRecord
    security: Security

    @property
    def rank(self) -> tuple[int, bool, int, str]:
        """The best first: the priority of all services of a protocol together (RFC 6186 section 3.4), TLS from the
        start among equals, then the heavier weight: one choice is made for years, so chance would balance nothing."""
        return self.record.priority, self.security != "tls", -self.record.weight, self.record.host


def found_in_records(offers: dict[Server, list[Offer]], address: str, domain: str) -> Found | None:
    """The settings that a domain's records name, by server; None when they say nothing at all."""
    servers = {name: _best(offers.get(name, ()), address) for name in SERVICES}
    refused = tuple(
        name for name in SERVICES if servers[name] is None and any(not one.record.host for one in offers.get(name, ()))
    )
    if not refused and not any(servers.values()):
        return None
    return Found("srv", domain, imap=servers["imap"], smtp=servers["smtp"], not_offered=refused)


def _best(offers: Iterable[Offer], address: str) -> FoundServer | None:
    for offer in sorted(offers, key=lambda one: one.rank):
        record = offer.record
        if not record.host or not record.port:
            continue
        try:
            host = ascii_host(record.host)
        except WrongSettings:
            continue
        return FoundServer(host, record.port, offer.security, usernames(address, USUAL_FORMS))
    return None
