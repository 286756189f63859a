"""A wait that somebody may end, and that stays a task that can be cancelled."""

from __future__ import annotations

import asyncio

import pytest

from postroom.engine.wakeable import Wakeable


async def slowly(answer: str, seconds: float = 5.0) -> str:
    await asyncio.sleep(seconds)
    return answer


async def test_what_comes_is_the_answer() -> None:
    assert await Wakeable().wait(slowly("it came", 0.01), "woken") == "it came"


async def test_waking_ends_the_wait_and_nothing_else() -> None:
    wakeable = Wakeable()
    asyncio.get_running_loop().call_later(0.01, wakeable.wake)
    assert await wakeable.wait(slowly("it came"), "woken") == "woken"
    assert wakeable.take_woken()
    assert await wakeable.wait(slowly("it came", 0.01), "woken") == "it came"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_who_wakes_before_the_wait_is_heard() -> None:
    wakeable = Wakeable()
    wakeable.wake()
    assert await wakeable.wait(slowly("it came"), "woken") == "woken"


async def test_waking_twice_wakes_once() -> None:
    wakeable = Wakeable()
    loop = asyncio.get_running_loop()
    for _ in range(2):
        loop.call_later(0.01, wakeable.wake)
    assert await wakeable.wait(slowly("it came"), "woken") == "woken"


async def test_a_task_that_is_cancelled_and_woken_at_once_ends() -> None:
    wakeable = Wakeable()
    task = asyncio.create_task(wakeable.wait(slowly("it came"), "woken"))
    await asyncio.sleep(0.01)
    wakeable.wake()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_what_comes_is_raised() -> None:
    async def fail() -> str:
        raise ConnectionError

    wakeable = Wakeable()
    with pytest.raises(ConnectionError):
        await wakeable.wait(fail(), "woken")


async def test_a_nudge_ends_a_light_wait_once_and_no_other() -> None:
    wakeable = Wakeable()
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, wakeable.nudge)
    assert await wakeable.wait(slowly("it came"), "nudged", is_light=True) == "nudged"
    assert not wakeable.take_woken(), "nobody asks for more than a poll"
    assert await wakeable.wait(slowly("it came", 0.01), "nudged", is_light=True) == "it came"
    loop.call_later(0.01, wakeable.nudge)
    assert await wakeable.wait(slowly("it came", 0.05), "nudged") == "it came"
    assert await wakeable.wait(slowly("it came"), "nudged", is_light=True) == "nudged", "it is heard afterwards"
