"""The warnings of a connection check: what works and should still be thought about before it is saved. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from postroom.mail.address import address_key
from postroom.providers.base import CheckStep, ServerSettings
from postroom.providers.guard import IPAddress
from postroom.providers.imap.causes import (
    CODED,
    FASTMAIL,
    GMAIL,
    ICLOUD,
    MAIL_RU,
    MICROSOFT,
    YAHOO,
    YANDEX,
    ZOHO,
    is_at,
)

# Ports whose encryption is settled: RFC 8314 section 3 (TLS from the start), RFC 3501 and RFC 6409 (STARTTLS).
_TLS_PORTS: Final = frozenset({465, 993})
_STARTTLS_PORTS: Final = frozenset({25, 143, 587})
_SENDING_PORTS: Final = frozenset({25, 465, 587})  # those that hosters block against spam

# What a password made for one program looks like, where the service makes such; people type them with blanks.
_APP_PASSWORDS: Final = (
    (GMAIL, re.compile(r"[a-z]{16}")),
    (YAHOO, re.compile(r"[a-z]{16}")),
    (ICLOUD, re.compile(r"[a-z]{4}(?:-?[a-z]{4}){3}")),
    (FASTMAIL, re.compile(r"[a-z0-9]{16}")),
    (ZOHO, re.compile(r"[A-Za-z0-9]{12}")),
    (YANDEX, re.compile(r"[a-z]{16}")),
    (MAIL_RU, re.compile(r"[A-Za-z0-9]{16,20}")),
    (CODED, re.compile(r"[A-Za-z]{16}")),
)
_SERVICES: Final = (GMAIL, MICROSOFT, YAHOO, ICLOUD, FASTMAIL, ZOHO, YANDEX, MAIL_RU, CODED)


@dataclass(frozen=True, slots=True)
class Caution:
    """A code of the catalogue, and the facts that fill its sentences."""

    code: str
    facts: dict[str, object] = field(default_factory=dict)


def unusual_pair(settings: ServerSettings) -> Caution | None:
    """A port that everybody else uses with another encryption. Without any, `not_encrypted` says more."""
    usual = "TLS" if settings.port in _TLS_PORTS else "STARTTLS" if settings.port in _STARTTLS_PORTS else ""
    chosen = settings.security.upper()
    if not usual or chosen in ("NONE", usual):
        return None
    where = {"host": settings.host, "port": settings.port}
    return Caution("unusual_port", {**where, "security": chosen, "usual": usual})


def not_encrypted(settings: ServerSettings, addresses: Sequence[IPAddress]) -> Caution | None:
    """A password in plain text, unless it never leaves this machine (a bridge program on loopback)."""
    if settings.security != "none" or all(address.is_loopback for address in addresses):
        return None
    return Caution("not_encrypted", {"host": settings.host, "port": settings.port})


def personal_password(settings: ServerSettings, address: str, *, is_shared: bool) -> Caution | None:
    """A person's own sign-in in a mailbox of many: another address, or no app password where there are such."""
    if not is_shared or settings.token:
        return None
    is_other = "@" in settings.username and not _is_same_account(settings.username, address, address)
    if not is_other and _looks_made_for_one_program(settings) is not False:
        return None
    return Caution("personal_password", {"host": settings.host, "username": settings.username})


def two_accounts(receives: ServerSettings, sends: ServerSettings, address: str) -> Caution | None:
    """Servers of two services, or user names that cannot be forms of one."""
    is_same = _is_same_account(receives.username, sends.username, address) and _may_be_one_service(receives, sends)
    if is_same:
        return None
    names = (sends.username, receives.username)
    if names[0].lower() == names[1].lower():
        names = (f"{names[0]} at {sends.host}", f"{names[1]} at {receives.host}")
    return Caution("two_accounts", {"username": names[0], "other": names[1], "address": address})


def blocked_ports(step: CheckStep, port: int, *, was_reached: bool) -> CheckStep:
    """A failed step of the sending row: silence on a port for sending, when the receiving server `was_reached`, is
    more often a wall around our own host than a dead server."""
    is_silent = step.name == "reach" and step.code == "timed_out"
    return replace(step, code="sending_ports_blocked") if is_silent and was_reached and port in _SENDING_PORTS else step


def _is_same_account(one: str, other: str, address: str) -> bool:
    """Whether two user names may mean the same: "ann@example.test" and "ann" do, at the domain of `address`."""
    domain = address.rpartition("@")[2]
    return _whole(one, domain) == _whole(other, domain)


def _whole(username: str, domain: str) -> str:
    return address_key(username if "@" in username else f"{username}@{domain}")


def _may_be_one_service(receives: ServerSettings, sends: ServerSettings) -> bool:
    """Whether no two of the services that we know are meant. Hosters name their servers as they like."""
    found = [{place for place in _SERVICES if is_at(one.host.lower(), place)} for one in (receives, sends)]
    return not found[0] or not found[1] or found[0] == found[1]


def _looks_made_for_one_program(settings: ServerSettings) -> bool | None:
    """None where the service makes no app passwords that we know the look of."""
    for hosts, form in _APP_PASSWORDS:
        if is_at(settings.host.lower(), hosts):
            return form.fullmatch(settings.password.replace(" ", "")) is not None
    return None
