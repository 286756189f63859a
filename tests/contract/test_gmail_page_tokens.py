"""Page tokens of Gmail that are refused in the middle of a list: the list begins anew, a few times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from postroom.providers.errors import Refused
from tests.contract.gmail_place import GmailPlace
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft.client import letter
from tests.fakes.served import Answer, Request


class ForgetfulGoogle(FakeGoogle):
    """Refuses so many page tokens."""

    forgets = 0

    async def answer(self, request: Request) -> Answer:
        asks_for_page = "pageToken" in request.query
        self.faults.page_tokens_expire = asks_for_page and self.forgets > 0
        self.forgets -= asks_for_page
        return await super().answer(request)


@pytest.fixture
def google() -> Iterator[ForgetfulGoogle]:
    with ForgetfulGoogle() as google:
        yield google


async def test_a_list_whose_page_expired_begins_anew(google: ForgetfulGoogle) -> None:
    place = GmailPlace(google)
    ids = {place.mailbox.deliver(letter(number)) for number in range(520)}
    session = await place.provider.open(place.credentials)
    google.forgets = 2
    window = await session.list_window("INBOX", date(2020, 1, 1))
    assert {message.remote_id for message in window.messages} == ids
    assert len(window.messages) == len(ids)
    google.forgets = 100
    with pytest.raises(Refused):
        await session.list_window("INBOX", date(2020, 1, 1))
    await session.close()
