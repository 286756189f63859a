"""/mailboxes/discover: the servers of an address, and who said so. Nothing is stored, no password is asked for."""

from __future__ import annotations

from typing import Literal

from asgiref.sync import async_to_sync
from django.conf import settings
from ninja import Router, Schema

from postroom.api.auth import ApiRequest
from postroom.api.fields import MailAddress
from postroom.providers import catalogue, registry
from postroom.providers.base import Security
from postroom.providers.discovery.discover import best
from postroom.providers.discovery.found import Found, FoundServer, Secret, Source

router = Router(tags=["mailboxes"])


class DiscoverIn(Schema):
    """The address of a mailbox that is to be connected."""

    address: MailAddress


class FoundServerOut(Schema):
    """One server. `usernames` are the forms of the user name, in the order to try them."""

    host: str
    port: int
    security: Security
    usernames: list[str]


class Advice(Schema):
    """Something to prepare before the password is typed."""

    code: str
    title: str
    what: str
    fix: str
    docs: str


class FoundOut(Schema):
    """Settings, and who said so. `provider` is the one whose sign-in page comes first ("": none).

    `secret` is what the servers want in place of the account's password; `none`: no password opens them. A server is
    null where nobody named it; it is in `not_offered` where the domain says that it has none.
    """

    source: Source
    source_host: str
    title: str
    provider: str
    secret: Secret
    imap: FoundServerOut | None
    smtp: FoundServerOut | None
    not_offered: list[Literal["imap", "smtp"]]
    advice: list[Advice]


class LookOut(Schema):
    """One place that was asked. `words` say why it told nothing."""

    source: Source
    where: str
    seconds: float
    found: bool
    words: str


class DiscoveryOut(Schema):
    """What was found, from the place that is trusted most; null when nothing was. `looks` are all places in order."""

    address: str
    found: FoundOut | None
    looks: list[LookOut]


@router.post("/discover", response=DiscoveryOut)
def discover_servers(request: ApiRequest, body: DiscoverIn) -> DiscoveryOut:
    """Find the servers of an address: Postroom's list, settings files, DNS, and at last guesses. Takes up to 10 s."""
    looks = async_to_sync(registry.discovery().all_looks)(body.address)
    found = best(looks)
    return DiscoveryOut(
        address=body.address,
        found=_show_found(found, body.address) if found else None,
        looks=[
            LookOut(
                source=look.source,
                where=look.where,
                seconds=look.seconds,
                found=look.found is not None,
                words=look.words,
            )
            for look in looks
        ],
    )


def _show_found(found: Found, address: str) -> FoundOut:
    entries = [catalogue.explain(code, address=address) for code in found.advice]
    return FoundOut(
        source=found.source,
        source_host=found.source_host,
        title=found.title,
        provider=found.provider,
        secret=found.secret,
        imap=_show_server(found.imap),
        smtp=_show_server(found.smtp),
        not_offered=list(found.not_offered),
        advice=[
            Advice(
                code=one.code,
                title=one.title,
                what=one.what,
                fix=" ".join(one.fix),
                docs=f"{settings.BASE_URL}/{one.docs}",
            )
            for one in entries
        ],
    )


def _show_server(server: FoundServer | None) -> FoundServerOut | None:
    if server is None:
        return None
    return FoundServerOut(
        host=server.host, port=server.port, security=server.security, usernames=list(server.usernames)
    )
