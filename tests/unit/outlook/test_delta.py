"""Whatever happens in a mailbox, in whatever order Graph tells it and how often: a listing ends as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postroom.providers.base import Changes, Window
from postroom.providers.errors import ListingExpired, ProtocolViolation
from postroom.providers.outlook.delta import Round
from postroom.providers.outlook.flags import flags_of
from postroom.providers.outlook.responses import Answer
from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail
from tests.fakes.microsoft.faults import Faults
from tests.fakes.microsoft.server import FakeMicrosoft

ACTS = ("deliver", "delete", "move away", "move back", "read", "unread", "flag", "categorise")


@dataclass(frozen=True)
class Weather:
    """What Graph may do, all of it documented."""

    repeats: bool
    shuffles: bool
    whole_updates: bool
    expired_pages: int
    forgets: bool


class Other:
    """Somebody else in the mailbox, who acts when told."""

    def __init__(self, place: OutlookPlace) -> None:
        self.mailbox = place.mailbox
        self.count = 0

    def act(self, act: str, which: int) -> None:
        inbox, archive = self.mailbox.messages_in("inbox"), self.mailbox.messages_in("archive")
        self.count += 1
        if act == "deliver" or not (archive if act == "move back" else inbox):
            self.mailbox.deliver(make_mail(self.count))
            return
        held = archive if act == "move back" else inbox
        one = held[which % len(held)].id
        acts: dict[str, Callable[[], Any]] = {
            "delete": lambda: self.mailbox.delete(one),
            "move away": lambda: self.mailbox.move(one, "archive"),
            "move back": lambda: self.mailbox.move(one, "inbox"),
            "read": lambda: self.mailbox.update(one, is_read=True),
            "unread": lambda: self.mailbox.update(one, is_read=False),
            "flag": lambda: self.mailbox.update(one, flag="flagged"),
            "categorise": lambda: self.mailbox.update(one, categories=("Red category", "Öl")),
        }
        acts[act]()


class Mirror:
    """What a listener knows: ids with their flags, as sync keeps them."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, ...]] = {}
        self.cursor = ""

    def list(self, told: Window | Changes) -> None:
        if isinstance(told, Window) or told.is_full:
            self.known = {
                one.remote_id: one.flags for one in (told.messages if isinstance(told, Window) else told.added)
            }
        else:
            assert not {one.remote_id for one in told.touched} & set(told.removed)
            assert len({one.remote_id for one in told.touched}) == len(told.touched), "one is told once"
            for gone in told.removed:
                self.known.pop(gone, None)
            self.known |= {one.remote_id: one.flags for one in told.touched}
        self.cursor = told.cursor

    async def catch_up(self, session: OutlookSession, inbox: str) -> None:
        try:
            self.list(await session.list_changes(inbox, self.cursor))
        except ListingExpired:
            try:
                self.list(await session.list_all(inbox))
            except ListingExpired:  # twice in one walk; the next round tries again
                self.cursor = ""


def is_there(place: OutlookPlace) -> dict[str, tuple[str, ...]]:
    return {
        one.id: flags_of(
            {
                "isRead": one.is_read,
                "isDraft": one.is_draft,
                "flag": {"flagStatus": one.flag},
                "categories": list(one.categories),
            }
        )
        or ()
        for one in place.mailbox.messages_in("inbox")
    }


steps = st.lists(st.tuples(st.sampled_from((*ACTS, "list", "list")), st.integers(0, 20)), max_size=14)
weathers = st.builds(Weather, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 20)), max_size=6), weathers)
@example(
    [("list", 0), ("move away", 0), ("list", 0), ("move back", 0), ("list", 0)],
    [],
    Weather(True, True, False, 0, False),
)
def test_what_is_listed_ends_as_it_is_at_the_server(
    server: FakeMicrosoft,
    steps: Sequence[tuple[str, int]],
    meanwhile: Sequence[tuple[str, int]],
    weather: Weather,
) -> None:
    asyncio.run(_converge(server, steps, meanwhile, weather))


async def _converge(
    server: FakeMicrosoft, steps: Sequence[tuple[str, int]], meanwhile: Sequence[tuple[str, int]], weather: Weather
) -> None:
    server.faults = Faults(server)
    place = OutlookPlace(server, page_items=2)
    other, mirror, waiting = Other(place), Mirror(), list(meanwhile)
    for number in range(5):
        place.mailbox.deliver(make_mail(100 + number))
    server.faults.repeats_items, server.faults.shuffles = weather.repeats, weather.shuffles
    server.faults.whole_updates = weather.whole_updates
    server.faults.after_page = lambda: other.act(*waiting.pop()) if waiting else None
    session = await place.provider.open(place.credentials)
    try:
        mirror.list(await session.list_window(place.inbox, None))
        server.faults.expire_pages = weather.expired_pages
        for act, which in steps:
            if act == "list":
                await mirror.catch_up(session, place.inbox)
            else:
                other.act(act, which)
        if weather.forgets:
            place.mailbox.forget_changes()
        server.faults.expire_pages, waiting[:] = 0, []
        for _ in range(2):
            await mirror.catch_up(session, place.inbox)
        assert mirror.known == is_there(place)
        assert await session.poll({place.inbox: mirror.cursor}) == frozenset()
    finally:
        await session.close()


def page(*told: dict[str, Any]) -> Answer:
    return Answer(200, body={"value": list(told)})


WHOLE = {"isRead": False, "isDraft": False, "flag": {"flagStatus": "notFlagged"}, "categories": []}


def test_what_is_told_last_counts_and_what_it_leaves_out_is_as_it_was() -> None:
    round_ = Round()
    round_.take(page({"id": "a", "receivedDateTime": "2026-11-23T08:00:00Z", **WHOLE}, {"id": "b"}))
    round_.take(page({"id": "b", "@removed": {"reason": "changed"}}, {"id": "a", **WHOLE, "isRead": True}))
    assert list(round_.items) == ["a"] and round_.items["a"].flags == ("\\Seen",)
    assert round_.items["a"].received_at is not None and list(round_.removed) == ["b"]
    round_.take(page({"id": "b", **WHOLE}, {"id": "a", "@removed": {"reason": "deleted"}}))
    assert list(round_.items) == ["b"] and list(round_.removed) == ["a"]


@pytest.mark.parametrize("told", [{}, {"id": None}, {"id": ""}, {"@removed": {}}])
def test_what_has_no_id_makes_no_sense(told: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation):
        Round().take(page(told))


@pytest.mark.parametrize("missing", ["isRead", "isDraft", "flag", "categories"])
def test_flags_are_not_known_by_half(missing: str) -> None:
    assert flags_of({name: value for name, value in WHOLE.items() if name != missing}) is None


def test_categories_become_words() -> None:
    message = WHOLE | {"categories": ["Red category", "a/b", "Öl", "!", "Red category"], "flag": None}
    assert flags_of(message) == ("$Redcategory", "$ab", "$Öl")
    assert flags_of(WHOLE | {"flag": {"flagStatus": "complete"}, "isDraft": True}) == ("\\Draft",)
