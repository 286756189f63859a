"""Tokens that end, permissions that are missing, mailboxes that are another's, and what a check says of each."""

from __future__ import annotations

import pytest

from postroom.providers.base import Credentials
from postroom.providers.errors import (
    NeedsAdministrator,
    NeedsReconnect,
    ProviderError,
    WrongSettings,
)
from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail
from tests.fakes.microsoft.server import FakeMicrosoft
from tests.unit.outlook.letters import deliver


class Renewing:
    """A grant that gives another token once one is refused."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    async def access_token(self, refused: str = "") -> str:
        if refused:
            self.refused.append(refused)
            self.tokens.remove(refused)
        return self.tokens[0]


async def test_a_token_that_ends_is_renewed_once_and_nothing_is_lost(
    place: OutlookPlace, microsoft: FakeMicrosoft
) -> None:
    ids = deliver(place, 4)
    tokens = Renewing("ended", microsoft.token_for(place.address))
    session = await place.provider.open(Credentials(place.address, {}, tokens))
    assert tokens.refused == ["ended"]
    tokens.tokens.insert(0, "ended too")
    assert [one.remote_id for one in await session.fetch_headers(place.inbox, ids)] == ids
    tokens.tokens.insert(0, "and that")
    pieces: list[bytes] = []
    await session.fetch_large(place.inbox, ids[0], 1_000, pieces.append)
    assert b"".join(pieces) == make_mail(3) and tokens.refused == ["ended", "ended too", "and that"]
    await session.close()


async def test_a_token_that_is_refused_twice_needs_its_owner(place: OutlookPlace) -> None:
    tokens = Renewing("one", "two", "three")
    with pytest.raises(NeedsReconnect):
        await place.provider.open(Credentials(place.address, {}, tokens))
    assert tokens.refused == ["one"] and place.provider._switchboard.places == 0


async def test_a_scope_that_was_not_given_is_named(place: OutlookPlace, microsoft: FakeMicrosoft) -> None:
    credentials = place.with_token(microsoft.token_for(place.address, "openid User.Read Mail.Send"))
    with pytest.raises(NeedsReconnect) as missing:
        await place.provider.open(credentials)
    assert missing.value.code == "microsoft_permission_missing"


async def failing(place: OutlookPlace, credentials: Credentials) -> tuple[ProviderError, list[tuple[str, str]]]:
    """The error of opening, and the steps of a check with their codes."""
    with pytest.raises(ProviderError) as raised:
        await place.provider.open(credentials)
    return raised.value, [(step.name, step.code) async for step in place.provider.check(credentials)]


async def test_a_shared_mailbox_without_the_right_says_who_must_act(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft, is_shared=True)
    microsoft.share(place.address, with_=place.user, full_access=False)
    error, steps = await failing(place, place.credentials)
    assert isinstance(error, NeedsAdministrator) and error.code == "microsoft_shared_not_allowed"
    assert error.facts["address"] == place.address and error.facts["username"] == place.user
    assert steps == [("reach", ""), ("sign_in", ""), ("mailbox", "microsoft_shared_not_allowed")]


async def test_a_shared_mailbox_that_is_none_says_so(microsoft: FakeMicrosoft) -> None:
    place = OutlookPlace(microsoft, is_shared=True)
    unknown = Credentials("nobody@example.test", {}, place.credentials.tokens, sign_in_user=place.user)
    error, steps = await failing(place, unknown)
    assert isinstance(error, WrongSettings) and error.code == "microsoft_shared_unknown"
    assert steps[-1] == ("mailbox", "microsoft_shared_unknown")


async def test_an_account_without_a_mailbox_says_so(place: OutlookPlace) -> None:
    place.mailbox.is_enabled = False
    error, steps = await failing(place, place.credentials)
    assert isinstance(error, NeedsAdministrator) and error.code == "microsoft_no_mailbox"
    assert steps[-1] == ("mailbox", "microsoft_no_mailbox")


async def test_a_check_reads_the_folders_and_leaves_nothing_open(place: OutlookPlace) -> None:
    steps = [step async for step in place.provider.check(place.credentials)]
    assert [(step.server, step.name, step.ok) for step in steps] == [
        ("outlook", name, True) for name in ("reach", "sign_in", "mailbox", "folders")
    ]
    assert "inbox: Inbox" in steps[-1].note and place.provider._switchboard.places == 0


async def test_who_signed_in_by_the_address_of_the_mailbox_opens_their_own(place: OutlookPlace) -> None:
    same = Credentials(place.address, {}, place.credentials.tokens, sign_in_user=place.address.upper())
    session = await place.provider.open(same)
    assert all("/me/" in one.path for one in place.heard())
    await session.close()
