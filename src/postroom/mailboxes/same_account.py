"""Whether what opens a mailbox from now on is the account that it is, not another one: every reconnect passes here.

Its history, cursors and filings belong to one account. Another one behind the same row would look like all mail
deleted and strangers' mail arriving.

- By a provider's sign-in page: the person, by the provider's unchanging id. A mailbox that people open with their
  rights to it is told by its address instead: when one of them leaves, another goes on.
- By a password: the user name. Another one may be the same account under a new name, so the newest known messages are
  looked for there; only where none of them is found is it another account.
- The same user name at a server of another domain is looked into likewise: "info" is somebody at every hoster. Where
  none of the messages is there, somebody has to say that the server moved; the brake on mass deletions (sync/brake.py)
  holds all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from asgiref.sync import async_to_sync

from postroom.engine.joints import KnownMessage, joints
from postroom.mail.address import address_key
from postroom.mailboxes.credentials import Granted
from postroom.mailboxes.models import Grant, Mailbox
from postroom.mailboxes.sealing import Unsealable, unseal_secrets
from postroom.providers import registry
from postroom.providers.base import Credentials, Session
from postroom.providers.discovery.discover import registered_domain
from postroom.providers.errors import FolderGone, ProviderError, Unreachable

LOOK_SECONDS: Final = 60.0  # somebody waits for the answer
LOOKED_FOR: Final = 5  # messages: one may have been deleted just now, not all of the newest


class OtherAccount(Exception):
    """Another account than the mailbox's signed in. Nothing was changed. `code` and `facts` are the catalogue's."""

    code = "other_account"

    def __init__(self, *, expected: str, address: str) -> None:
        self.facts: dict[str, object] = {"expected": expected, "address": address}
        super().__init__(f"{address} signed in, and {expected} was expected")


class OtherServer(OtherAccount):
    """The same user name at a server of another domain, where none of the newest known messages is."""

    code = "server_moved"

    def __init__(self, *, expected: str, address: str, host: str, before: str) -> None:
        super().__init__(expected=expected, address=address)
        self.facts |= {"host": host, "before": before}


def require_same_account(
    mailbox: Mailbox, credentials: Credentials, granted: Granted | None, *, has_moved: bool = False
) -> None:
    """Raises OtherAccount; ProviderError where the account could not be looked into.

    `has_moved`: somebody has said that its server moved, so OtherServer is not raised. Called outside a transaction: it
    may ask the mailbox's server.
    """
    grant = Grant.objects.filter(mailbox=mailbox).first()
    if grant is None:
        return
    if granted is not None:
        _require_same_person(mailbox, grant, granted, credentials)
        return
    secrets = _secrets_before(mailbox, grant)
    before, after = user_name(secrets), user_name(credentials.secrets)
    if not after:
        return
    is_same = any(is_same_user(after, one, mailbox.address) for one in (before, mailbox.address))
    hosts = _host(secrets), _host(credentials.secrets)
    if is_same and (has_moved or not all(hosts) or _domain(hosts[0]) == _domain(hosts[1])):
        return
    known = joints().newest_messages(mailbox.pk, LOOKED_FOR)
    if not known and (is_same or not before):  # there is nothing to be mixed up
        return
    if async_to_sync(_is_any_there)(mailbox.provider, credentials, known):
        return
    expected = _named(mailbox, before)
    if is_same:
        raise OtherServer(expected=expected, address=after, host=hosts[1], before=hosts[0])
    raise OtherAccount(expected=expected, address=after)


def is_delegated(mailbox: Mailbox, grant: Grant | None) -> bool:
    """Whether somebody signed in as another address and opens the mailbox with the rights to it."""
    if grant is None or not grant.app or not grant.sign_in_user:
        return False
    opens_shared = registry.provider(grant.app).capabilities.opens_shared
    return opens_shared and grant.sign_in_user.lower() != mailbox.address.lower()


def user_name(secrets: Mapping[str, Any]) -> str:
    """Who signs in to read, as typed: the user name of the first server; "" where there are no servers."""
    return next((str(one["username"]) for one in _servers(secrets) if one.get("username")), "")


def _servers(secrets: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (one for one in secrets.values() if isinstance(one, Mapping))


def is_same_user(one: str, other: str, address: str) -> bool:
    """Whether two user names are one: servers take the whole address or what stands before the @, in any case."""
    return _whole(one, address) == _whole(other, address)


def _whole(user: str, address: str) -> str:
    whole = address_key(address)
    key = address_key(user) if "@" in user else user.strip().lower()
    return whole if key == whole.rpartition("@")[0] else key


def _require_same_person(mailbox: Mailbox, grant: Grant, granted: Granted, credentials: Credentials) -> None:
    if is_delegated(mailbox, grant):  # the check has opened the mailbox of that very address
        is_same = credentials.sign_in_user.lower() != mailbox.address.lower()
    elif grant.app == granted.app and grant.subject:
        is_same = grant.subject == granted.subject
    else:  # it was opened by a password, or by another registration: the address has to do
        is_same = not credentials.sign_in_user or credentials.sign_in_user.lower() in (
            mailbox.address.lower(),
            grant.sign_in_user.lower(),
        )
    if not is_same:
        raise OtherAccount(expected=grant.sign_in_user or mailbox.address, address=credentials.sign_in_user)


def _secrets_before(mailbox: Mailbox, grant: Grant) -> Mapping[str, Any]:
    """{} where they are lost: a secret that nobody can open any more."""
    with suppress(Unsealable):
        return unseal_secrets(bytes(grant.sealed), mailbox.pk, mailbox.workspace_id)
    return {}


def _host(secrets: Mapping[str, Any]) -> str:
    """The server that is read from; "" where there are no servers."""
    return next((str(one["host"]).strip().lower() for one in _servers(secrets) if one.get("host")), "")


def _domain(host: str) -> str:
    """Whose server it is: the domain that somebody registered, or the host itself where it is no such name."""
    return registered_domain(host) or host


def _named(mailbox: Mailbox, user: str) -> str:
    """The mailbox, and who signs in for it where that is somebody else."""
    if not user or is_same_user(user, mailbox.address, mailbox.address):
        return mailbox.address
    return f"{mailbox.address} with the user name {user}"


async def _is_any_there(provider: str, credentials: Credentials, known: Sequence[KnownMessage]) -> bool:
    if not known:  # nothing to be mixed up, and nothing that would prove it
        return False
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            session = await registry.provider(provider).open(credentials)
            try:
                return await _finds_any(session, known)
            finally:
                with suppress(ProviderError, OSError):  # what was asked has been answered
                    await session.close()
    except TimeoutError as error:
        server: Mapping[str, Any] = next(_servers(credentials.secrets), {})
        raise Unreachable("timed_out", host=server.get("host"), port=server.get("port")) from error


async def _finds_any(session: Session, known: Sequence[KnownMessage]) -> bool:
    for message in known:
        if await _finds(session, message):
            return True
    return False


async def _finds(session: Session, message: KnownMessage) -> bool:
    try:
        return bool(await session.find_by_message_id(message.folder, message.internet_message_id))
    except FolderGone:
        return False
