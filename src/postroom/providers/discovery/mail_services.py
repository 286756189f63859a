"""A mail service that Postroom knows, and how one is found by a domain, by where mail goes, or by its own server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from postroom.providers.base import Security
from postroom.providers.discovery.found import Found, FoundServer, Secret, Source

Form = Literal["address", "local"]  # of a user name: the whole address, or what is before the @

USUAL_FORMS: Final[tuple[Form, ...]] = ("address", "local")  # in this order: RFC 6186 section 4
# What a port means at every service of the table (RFC 8314 section 3.3, RFC 3207).
_SECURITY: Final[dict[int, Security]] = {993: "tls", 465: "tls", 143: "starttls", 587: "starttls"}


@dataclass(frozen=True, slots=True)
class MailService:
    """One row of the table.

    `imap` and `smtp` are "host", with the usual port for TLS (993, 465), or "host:port"; "" where programs come in by
    another way. `domains` are those of its addresses, `mx` the domains (with all below) that its customers' mail goes
    to, both separated by blanks.
    """

    title: str
    imap: str
    smtp: str
    domains: str = ""
    mx: str = ""
    imap_forms: tuple[Form, ...] = ("address",)
    smtp_forms: tuple[Form, ...] = ("address",)
    provider: str = ""
    secret: Secret = "password"  # noqa: S105  the kind of it
    advice: tuple[str, ...] = ()

    def found(self, address: str, source: Source, source_host: str) -> Found:
        """The settings of this service for one address."""
        return Found(
            source=source,
            source_host=source_host,
            imap=_server(self.imap, 993, address, self.imap_forms),
            smtp=_server(self.smtp, 465, address, self.smtp_forms),
            provider=self.provider,
            title=self.title,
            secret=self.secret,
            advice=self.advice,
            not_offered=() if self.imap else ("imap", "smtp"),
        )


def usernames(address: str, forms: Iterable[Form]) -> tuple[str, ...]:
    """The user names of an address in those forms, each once."""
    names = {"address": address, "local": address.rpartition("@")[0]}
    return tuple(dict.fromkeys(names[form] for form in forms))


def is_below(host: str, domain: str) -> bool:
    """Whether a host is that domain or lies in it."""
    return host == domain or host.endswith(f".{domain}")


class MailServices:
    """The services by what they are found by."""

    def __init__(self, services: Iterable[MailService]) -> None:
        self._services = tuple(services)
        self._by_domain = {domain: one for one in self._services for domain in one.domains.split()}
        # The longest first: a part of one service's domain may belong to another service.
        by_mx = [(domain, one) for one in self._services for domain in one.mx.split()]
        self._by_mx = sorted(by_mx, key=lambda pair: -len(pair[0]))
        # The first that is served by a host: later ones are the same house under another name.
        self._by_host = {one.imap.partition(":")[0]: one for one in reversed(self._services) if one.imap}

    def find_by_domain(self, domain: str) -> MailService | None:
        return self._by_domain.get(domain)

    def find_by_mail_host(self, host: str) -> MailService | None:
        """Whose customers have their mail sent to that host."""
        return next((one for domain, one in self._by_mx if is_below(host, domain)), None)

    def find_by_imap_host(self, host: str) -> MailService | None:
        """Whose IMAP server that is."""
        return self._by_host.get(host)


def _server(place: str, usual_port: int, address: str, forms: tuple[Form, ...]) -> FoundServer | None:
    if not place:
        return None
    host, _, written = place.partition(":")
    port = int(written or usual_port)
    return FoundServer(host, port, _SECURITY[port], usernames(address, forms))
