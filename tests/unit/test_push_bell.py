"""What a thousand calls a second come to: one look at once, and then one a pause (api/push.py)."""

from __future__ import annotations

import asyncio

import pytest

from postroom.api.push import MOST_READING, Bell
from postroom.providers.errors import Unreachable
from postroom.providers.push import Notice, PushCall

PAUSE = 0.05
NEWS = Notice("watch-1", "changed", "secret")


class Ears:
    """Hears slowly, and knows how many hear at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.heard: list[Notice] = []
        self.at_once = self.most_at_once = 0
        self._seconds = seconds

    async def __call__(self, provider: str, notice: Notice) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.heard.append(notice)
        await asyncio.sleep(self._seconds)
        self.at_once -= 1


async def test_a_call_is_heard_at_once() -> None:
    ears = Ears()
    bell = Bell(ears, PAUSE)
    bell.ring("outlook", NEWS)
    await asyncio.sleep(0)
    assert ears.heard == [NEWS]
    await bell.settle()
    assert ears.heard == [NEWS]


async def test_a_thousand_are_heard_once_a_pause_one_after_the_other_and_the_last_is_not_forgotten() -> None:
    ears = Ears(seconds=PAUSE / 2)
    bell = Bell(ears, PAUSE)
    for _ in range(10):
        for _ in range(100):
            bell.ring("outlook", NEWS)
        await asyncio.sleep(PAUSE / 5)
    before = len(ears.heard)
    bell.ring("outlook", NEWS)
    await bell.settle()
    assert 2 <= len(ears.heard) <= 4
    assert len(ears.heard) == before + 1
    assert ears.most_at_once == 1


async def test_forged_calls_keep_no_true_one_waiting() -> None:
    ears = Ears()
    bell = Bell(ears, PAUSE)
    for number in range(1_000):
        bell.ring("outlook", Notice("watch-1", "changed", f"guess {number}"))
    bell.ring("outlook", NEWS)
    await bell.settle()
    assert ears.heard.count(NEWS) == 1


async def test_an_error_ends_one_hearing_and_not_the_next() -> None:
    tried = []

    async def break_down(provider: str, notice: Notice) -> None:
        tried.append(notice)
        raise RuntimeError("broken")

    bell = Bell(break_down, PAUSE)
    for _ in range(2):
        bell.ring("outlook", NEWS)
        await bell.settle()
    assert tried == [NEWS, NEWS]


class SlowPush:
    """Reads for ever, or not at all."""

    def __init__(self) -> None:
        self.reading = 0
        self.may_end = asyncio.Event()

    async def read(self, call: PushCall) -> list[Notice]:
        self.reading += 1
        await self.may_end.wait()
        raise Unreachable


@pytest.mark.parametrize("calls", [1, MOST_READING, 3 * MOST_READING])
async def test_calls_that_cannot_be_read_yet_do_not_pile_up(calls: int) -> None:
    push, bell = SlowPush(), Bell(Ears(), PAUSE)
    for _ in range(calls):
        bell.take("gmail", push, PushCall("", {}, {}, b""))  # type: ignore[arg-type]  # nothing else is asked of it
    await asyncio.sleep(0)
    assert push.reading == min(calls, MOST_READING)
    push.may_end.set()
    await bell.settle()
