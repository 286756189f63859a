"""What somebody allowed at a provider and Postroom refused is given back there, unless it opens a mailbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from postroom.mailboxes.arrivals import arrive
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.journeys import begin
from postroom.mailboxes.models import Journey, Mailbox
from postroom.ops import jobs
from postroom.providers.errors import Unreachable
from postroom.workspaces import approval
from postroom.workspaces.members import Member
from tests.cast import Cast
from tests.fakes import person
from tests.fakes.google.server import FakeGoogle
from tests.integration.sign_in_place import fake_google, microsoft_known_to, revocations, save_google

ANN, BEN, VISITOR = "ann@tidewater.example", "ben@tidewater.example", "v@partner.example"
HERE = "the session of this browser"
ANYBODY = ConnectRequest("", "", "personal")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def google(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGoogle]:
    with fake_google(monkeypatch) as server:
        for address in (ANN, BEN, VISITOR):
            server.mailbox(address)
        async_to_sync(save_google)(cast.alice, server)
        revocations()  # what other tests left
        yield server


def signs_in(member: Member, address: str, request: ConnectRequest = ANYBODY, mailbox: Mailbox | None = None) -> str:
    """How it ended."""
    back = person.at_google(begin(member, HERE, "gmail", request, mailbox).url, address)
    return async_to_sync(arrive)(member, HERE, "gmail", back).code


def is_alive(google: FakeGoogle, address: str) -> bool:
    return any(grant.is_alive for grant in google.oauth.grants if grant.address == address)


def give_back() -> int:
    """Run the jobs that wait; how many there were."""
    waiting = revocations()
    for job in waiting:
        async_to_sync(jobs.revoke_permission)(**job)
    return len(waiting)


def test_the_wrong_account_keeps_no_permission_that_nobody_uses(cast: Cast, google: FakeGoogle) -> None:
    assert signs_in(cast.bob, BEN, ConnectRequest("", ANN, "personal")) == "wrong_account"
    token = next(grant.refresh_token for grant in google.oauth.grants if grant.address == BEN)
    [job] = revocations()
    assert token not in json.dumps(job), "it lies sealed"
    async_to_sync(jobs.revoke_permission)(**job)
    assert not is_alive(google, BEN)
    async_to_sync(jobs.revoke_permission)(**job)  # again: there is nothing left to be taken back


def test_an_address_outside_of_the_allowed_domains_keeps_no_permission(cast: Cast, google: FakeGoogle) -> None:
    approval.change_policy(
        cast.alice, providers={}, personal="everyone", shared="everyone", domains=["Tidewater.EXAMPLE"]
    )
    assert signs_in(cast.bob, VISITOR) == "connect_domain_not_listed", "the address that signed in is judged"
    assert not Mailbox.objects.exists()
    assert give_back() == 1 and not is_alive(google, VISITOR)
    assert signs_in(cast.bob, ANN) == "connected"
    assert give_back() == 0 and is_alive(google, ANN)


def test_a_mailbox_that_does_not_open_keeps_no_permission(cast: Cast, google: FakeGoogle) -> None:
    google.faults.mail_service_off.add(ANN)
    assert signs_in(cast.bob, ANN) not in ("connected", "")
    assert give_back() == 1 and not is_alive(google, ANN)


def test_an_account_that_opens_a_mailbox_keeps_its_permission(cast: Cast, google: FakeGoogle) -> None:
    assert signs_in(cast.bob, ANN) == "connected"
    assert signs_in(cast.alice, ANN) == "address_connected"
    assert give_back() == 0 and is_alive(google, ANN)


def test_an_account_that_opens_a_mailbox_elsewhere_keeps_its_permission(cast: Cast, google: FakeGoogle) -> None:
    """Another workspace's registration may belong to the same project, and its mailbox would lose its permission."""
    async_to_sync(save_google)(cast.charlie, google)
    assert signs_in(cast.charlie, BEN) == "connected"
    assert signs_in(cast.bob, BEN, ConnectRequest("", ANN, "personal")) == "wrong_account"
    assert give_back() == 0 and is_alive(google, BEN)


def test_an_account_that_is_connected_before_the_jobs_turn_keeps_its_permission(cast: Cast, google: FakeGoogle) -> None:
    assert signs_in(cast.bob, BEN, ConnectRequest("", ANN, "personal")) == "wrong_account"
    assert signs_in(cast.bob, BEN) == "connected"
    assert give_back() == 1 and is_alive(google, BEN)


def test_nothing_is_given_back_while_somebody_is_arriving(cast: Cast, google: FakeGoogle) -> None:
    """It may be the same person, whose mailbox is being tried out and not saved yet."""
    assert signs_in(cast.bob, BEN, ConnectRequest("", ANN, "personal")) == "wrong_account"
    begin(cast.alice, HERE, "gmail", ANYBODY)
    arriving = Journey.objects.filter(user=cast.alice.user)
    arriving.update(used_at=timezone.now())
    [job] = revocations()
    with pytest.raises(Unreachable):  # the job is tried again
        async_to_sync(jobs.revoke_permission)(**job)
    assert is_alive(google, BEN)
    arriving.update(used_at=timezone.now() - timedelta(minutes=3))  # it has died
    async_to_sync(jobs.revoke_permission)(**job)
    assert not is_alive(google, BEN)


def test_a_window_that_is_closed_while_the_mailbox_is_tried_keeps_no_permission(cast: Cast, google: FakeGoogle) -> None:
    google.faults.delay_seconds = 0.4
    back = person.at_google(begin(cast.bob, HERE, "gmail", ANYBODY).url, ANN)

    async def comes_and_goes() -> None:
        arrival = asyncio.create_task(arrive(cast.bob, HERE, "gmail", back))
        while sum(seen.path.startswith("/gmail/") for seen in google.requests) < 2:  # the first says who it is
            await asyncio.sleep(0.01)
        arrival.cancel()
        with pytest.raises(asyncio.CancelledError):
            await arrival

    async_to_sync(comes_and_goes)()
    assert not Mailbox.objects.exists()
    assert give_back() == 1 and not is_alive(google, ANN)


def test_a_provider_without_an_address_for_it_is_not_asked(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with microsoft_known_to(cast.alice, monkeypatch, ANN, BEN):
        departure = begin(cast.bob, HERE, "outlook", ConnectRequest("", ANN, "personal"))
        back = person.at_microsoft(departure.url, BEN)
        assert async_to_sync(arrive)(cast.bob, HERE, "outlook", back).code == "wrong_account"
        assert give_back() == 0
