"""Looking for an address's settings, as lines for the page; and what was found as the rest of its form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from postroom.providers import catalogue
from postroom.providers.discovery.discover import best
from postroom.providers.discovery.found import Found, FoundServer, Look
from postroom.web import check_words, discovery_words
from postroom.web.forms.mailboxes import PROVIDER, AddressForm, ConnectForm, found_settings
from postroom.web.lines import put
from postroom.web.refusal import Refusal, find_flat_refusal, find_kind_refusals, granted_kind
from postroom.web.ways import Way, ways
from postroom.workspaces.members import Member


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One line of "Settings we found". Without a `host`, `port` says why there is none."""

    title: str
    host: str
    port: str
    origin: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What the page shows of one discovery; without `looks` nobody was asked, because somebody knows the settings.

    `way` is the provider's own sign-in page, where that comes first. `refusals` are by provider, of those that the
    member may not connect this address by; `kind_refusals` are of a password, by kind.
    """

    address: str
    looks: Sequence[Look]
    found: Found | None
    way: Way | None
    refusals: Mapping[str, Refusal]
    kind_refusals: Mapping[str, Refusal]

    @property
    def refusal(self) -> Refusal | None:
        """Why the member may not go to that sign-in page."""
        return self.refusals.get(self.way.provider) if self.way else None

    @property
    def password_refusal(self) -> Refusal | None:
        """Why he may not connect it by a password."""
        return self.refusals.get(PROVIDER)

    @property
    def takes_password(self) -> bool:
        """Whether the servers let programs in with some kind of password."""
        return self.found is None or self.found.secret != "none"  # noqa: S105  the kind of it

    @property
    def is_complete(self) -> bool:
        return self.found is not None and self.found.is_complete

    @property
    def names_a_server(self) -> bool:
        return self._first is not None

    @property
    def rows(self) -> list[ServerRow]:
        """The two servers; one that the domain does not offer, or that no place named, has no host."""
        if self.found is None:
            return []
        return [
            _row(title, getattr(self.found, server), self.origin, is_offered=server not in self.found.not_offered)
            for server, title in check_words.SERVERS.items()
        ]

    @property
    def origin(self) -> str:
        return discovery_words.origin(self.found) if self.found else ""

    @property
    def user_name(self) -> str:
        server = self._first
        return server.usernames[0] if server and server.usernames else self.address

    @property
    def user_name_for_sending(self) -> str:
        """Where it differs: some services want the part before the @ for receiving only."""
        server = self.found.smtp if self.found else None
        name = server.usernames[0] if server and server.usernames else self.user_name
        return "" if name == self.user_name else name

    @property
    def user_name_words(self) -> str:
        return discovery_words.user_name(self.address, self._first) if self._first else ""

    @property
    def advice(self) -> list[catalogue.Entry]:
        """What to prepare before the password is typed."""
        return [catalogue.explain(code, address=self.address) for code in self.found.advice] if self.found else []

    @property
    def reason(self) -> str:
        """Why the sign-in page comes first, if discovery says so."""
        return self.advice[0].what if self.advice else ""

    @property
    def _first(self) -> FoundServer | None:
        servers: list[FoundServer | None] = [getattr(self.found, name, None) for name in check_words.SERVERS]
        return next((server for server in servers if server), None)


@dataclass(frozen=True, slots=True)
class Question:
    """An address, and what the member may do about it: read from the database before anything is looked for."""

    address: str
    ways: Sequence[Way]
    refusals: Mapping[str, Refusal]
    kind_refusals: Mapping[str, Refusal]
    granted: Mapping[str, str]  # what an administrator has allowed: {"kind": …}, {} for nothing

    @classmethod
    def of(cls, member: Member, address: str) -> Question:
        offered = ways(member)
        providers = (PROVIDER, *(way.provider for way in offered))
        refusals = {provider: find_flat_refusal(member, provider, address) for provider in providers}
        told = {provider: refusal for provider, refusal in refusals.items() if refusal}
        by_kind = find_kind_refusals(member, PROVIDER, address)
        return cls(address, offered, told, by_kind, granted_kind(member, PROVIDER, address))

    def findings(self, looks: Sequence[Look]) -> Findings:
        found = best(looks)
        way = next((way for way in self.ways if found is not None and way.provider == found.provider), None)
        return Findings(self.address, looks, found, way, self.refusals, self.kind_refusals)


async def nowhere() -> AsyncIterator[Look]:
    """No place at all: somebody knows the settings."""
    return
    yield


async def closed_lines(html: str) -> AsyncIterator[bytes]:
    """Why there is nothing to look for."""
    yield put("looks", "")
    yield put("settings", html, over=True, focus="settings")


async def whole(question: Question, looks: AsyncIterator[Look]) -> Findings:
    """The same for a page without script."""
    return question.findings([look async for look in looks])


async def refusal_lines(form: AddressForm) -> AsyncIterator[bytes]:
    """What is wrong with the address."""
    html = render_to_string("postroom/connect/_field_errors.html", {"field": form["address"]})
    yield put("errors-address", html, over=True)


async def lines(question: Question, looks: AsyncIterator[Look], context: dict[str, Any]) -> AsyncIterator[bytes]:
    """Each place as it is asked, then the settings. `context` is what the page's own templates need besides."""
    yield put("settings", "")
    yield put("looks", render_to_string("postroom/connect/_looks.html", {"running": True}))
    asked: list[Look] = []
    async for look in looks:
        asked.append(look)
        yield put("looks-list", look_html(look), "append")
    told = question.findings(asked)
    places = {"findings": told, "looks": looks_html(told)}
    yield put("looks", render_to_string("postroom/connect/_looks.html", places))
    yield put("progress", render_to_string("postroom/connect/_progress.html", {"step": "settings"}), "replace")
    form = ConnectForm(initial=found_settings(question.address, told.found) | dict(question.granted))
    html = render_to_string("postroom/connect/_settings.html", {**context, "form": form, "findings": told})
    yield put("settings", html, over=True, focus="settings")


def looks_html(told: Findings) -> list[str]:
    return [look_html(look) for look in told.looks]


def look_html(look: Look) -> str:
    context = {"look": look, "place": discovery_words.where(look.source)}
    return render_to_string("postroom/connect/_look.html", context)


def _row(title: str, server: FoundServer | None, origin: str, *, is_offered: bool) -> ServerRow:
    if server is None:
        return ServerRow(title, "", "Not found", "") if is_offered else ServerRow(title, "", "Not offered", origin)
    return ServerRow(title, server.host, discovery_words.port(server), origin)
