"""From an address to its servers: every place that may know is asked at once, and the most trusted answer wins.

    table            Postroom's own list: at once, nobody is asked
    autoconfig       https://autoconfig.DOMAIN/…          the domain's own word, over TLS
    well_known       https://DOMAIN/.well-known/…         likewise
    public_database  Mozilla's database                   only if the operator said so
    mx               where the mail goes: a service of the table, or what that host's domain says of itself
    srv              service records (RFC 6186): where "not offered" can be said too
    guess            the usual names, with TLS that was verified

Nothing here says a user name or a password to anybody, and what was found is tried by the connection check before it is
kept. DNS can be lied about, so a host from MX or SRV is shown before the password is asked for, and has to prove its
name by certificate as every other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from publicsuffixlist import PublicSuffixList

from postroom.providers.discovery.found import Found, Look, Server, Source
from postroom.providers.discovery.guesses import guess
from postroom.providers.discovery.places import Places
from postroom.providers.discovery.records import SERVICES, Offer, found_in_records
from postroom.providers.discovery.settings_file import (
    NoSettings,
    fetch,
    own_file,
    public_file,
    read,
    well_known_file,
)
from postroom.providers.discovery.table import TABLE
from postroom.providers.errors import ProviderError, WrongSettings
from postroom.providers.guard import NetworkPolicy, ascii_host

# Why a place said nothing, one sentence each: whoever asks about a domain of his own making learns nothing about hosts.
_NOTHING: Final[dict[Source, str]] = {
    "table": "Not in the list.",
    "autoconfig": "No settings file that can be used.",
    "well_known": "No settings file that can be used.",
    "public_database": "The database does not know the domain.",
    "mx": "No mail service that Postroom knows.",
    "srv": "No such records.",
    "guess": "None of them answers with a valid certificate.",
}
_LATE: Final = "No answer in time."
_NO_DNS: Final = "The name server gives no answer about the domain."


@dataclass(frozen=True, slots=True)
class _Place:
    """One place: `where` it is in words, and how it is asked."""

    source: Source
    where: str
    ask: Callable[[], Awaitable[Found | None]]


@dataclass(frozen=True, slots=True)
class Discovery:
    """Discovery as the operator set it up (registry.discovery())."""

    policy: NetworkPolicy
    places: Places

    def looks(self, address: str) -> AsyncIterator[Look]:
        """As `discover`."""
        return discover(address, self.policy, places=self.places)

    async def all_looks(self, address: str) -> list[Look]:
        return [look async for look in self.looks(address)]


async def discover(address: str, policy: NetworkPolicy, *, places: Places) -> AsyncIterator[Look]:
    """Look for the settings of an address, and tell each look as it ends, in the order of trust.

    Ends after a look that decides about both servers (`best`). Never takes longer than `places.seconds`, raises
    nothing, and yields nothing for what has no domain.
    """
    local, _, domain = address.strip().rpartition("@")
    try:
        domain = ascii_host(domain)
    except WrongSettings:
        return
    if not local:
        return
    address = f"{local}@{domain}"
    service = TABLE.find_by_domain(domain)
    if service is not None:
        yield Look("table", domain, 0.0, service.found(address, "table", domain))
        return
    yield Look("table", domain, 0.0, words=_NOTHING["table"])
    asked = _Asked(_places(address, domain, policy, places), places.seconds)
    try:
        async for look in asked.looks():
            yield look
            if look.found is not None and look.found.is_decided:
                return
    finally:
        await asked.end()


def best(looks: Iterable[Look]) -> Found | None:
    """The settings to propose: the first that decides about both servers, else the first that names one."""
    found = [look.found for look in looks if look.found is not None]
    return next((one for one in found if one.is_decided), next(iter(found), None))


class _Asked:
    """Places being asked, all at once; their answers are told in the places' order."""

    def __init__(self, places: Iterable[_Place], seconds: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._until = self._started + seconds
        self._asked = [(place, asyncio.create_task(self._ask(place))) for place in places]

    async def looks(self) -> AsyncIterator[Look]:
        for place, task in self._asked:
            done, _ = await asyncio.wait((task,), timeout=max(0.0, self._until - self._clock()))
            if done:
                yield task.result()
            else:
                yield Look(place.source, place.where, self._seconds(), words=_LATE)

    async def end(self) -> None:
        for _, task in self._asked:
            task.cancel()
        await asyncio.gather(*(task for _, task in self._asked), return_exceptions=True)

    async def _ask(self, place: _Place) -> Look:
        found: Found | None = None
        words = _NOTHING[place.source]
        try:
            found = await place.ask()
        except NoSettings:
            pass
        except ProviderError as error:
            if error.code == "name_server_failed":  # nothing is known then, not even that there is nothing
                words = _NO_DNS
        words = "" if found is not None else words
        return Look(place.source, place.where, self._seconds(), found and _completed(found), words)

    def _seconds(self) -> float:
        return round(self._clock() - self._started, 3)


def _places(address: str, domain: str, policy: NetworkPolicy, places: Places) -> list[_Place]:
    async def file(url: str, source: Source, host: str) -> Found:
        return await read(await fetch(url, policy, places), address, source, host)

    def file_place(source: Source, url: str) -> _Place:
        host = url.split("/")[2]
        return _Place(source, url.partition("?")[0], lambda: file(url, source, host))

    made = [
        file_place("autoconfig", own_file(domain, address)),
        file_place("well_known", well_known_file(domain, address)),
    ]
    if places.asks_public_database:
        made.append(file_place("public_database", public_file(domain)))
    names = f"imap.{domain}, mail.{domain}, smtp.{domain}"
    records = f"SRV _imaps._tcp.{domain}, _submissions._tcp.{domain}"
    return [
        *made,
        _Place("mx", f"MX {domain}", _MailHosts(address, domain, policy, places).find),
        _Place("srv", records, lambda: _offered(address, domain, policy)),
        _Place("guess", names, lambda: guess(address, domain, policy, places)),
    ]


@dataclass(frozen=True, slots=True)
class _MailHosts:
    """What the hosts that take a domain's mail tell about who keeps it."""

    address: str
    domain: str
    policy: NetworkPolicy
    places: Places

    async def find(self) -> Found | None:
        """A service of the table, or the settings that the domain of the first mail host publishes.

        Raises NoSettings or ProviderError.
        """
        hosts = await self.policy.name_server.mail_hosts(self.domain)
        for host in hosts:
            if service := TABLE.find_by_mail_host(host):
                return service.found(self.address, "mx", host)
        other = await asyncio.to_thread(registered_domain, hosts[0]) if hosts else None
        if other is None or other == self.domain:
            return None
        return await self._published_by(other, hosts[0])

    async def _published_by(self, domain: str, host: str) -> Found | None:
        urls = [own_file(domain, self.address)]
        if self.places.asks_public_database:
            urls.append(public_file(domain))
        for url in urls:
            with suppress(NoSettings):
                octets = await fetch(url, self.policy, self.places)
                return await read(octets, self.address, "mx", host)
        return None


async def _offered(address: str, domain: str, policy: NetworkPolicy) -> Found | None:
    """What the domain's SRV records say; one service that cannot be asked leaves the others.

    Raises ProviderError when none of them can be asked.
    """
    kinds = [(server, service, security) for server, some in SERVICES.items() for service, security in some]
    answers = await asyncio.gather(
        *(policy.name_server.services(service, domain) for _, service, _ in kinds), return_exceptions=True
    )
    if failed := _common_failure(answers):
        raise failed
    offers: dict[Server, list[Offer]] = {server: [] for server in SERVICES}
    for (server, _, security), answer in zip(kinds, answers, strict=True):
        if isinstance(answer, list):
            offers[server] += [Offer(record, security) for record in answer]
        elif not isinstance(answer, ProviderError):
            raise answer
    return found_in_records(offers, address, domain)


def _common_failure(answers: Sequence[object]) -> ProviderError | None:
    """Why none of the questions was answered; None when one was."""
    failures = [answer for answer in answers if isinstance(answer, ProviderError)]
    return failures[0] if failures and len(failures) == len(answers) else None


def _completed(found: Found) -> Found:
    """The same with what the table knows about the server that was found: its sign-in page, its kind of password."""
    service = TABLE.find_by_imap_host(found.imap.host) if found.imap is not None and not found.provider else None
    if service is None:
        return found
    title = found.title or service.title
    return replace(found, title=title, provider=service.provider, secret=service.secret, advice=service.advice)


def registered_domain(host: str) -> str | None:
    """mail.shop.example.co.uk → example.co.uk; None for what is no host below a public suffix."""
    return _suffixes().privatesuffix(host)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
