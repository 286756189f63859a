"""The start of a thousand mailboxes is staggered, in all and for each host."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, defaultdict
from itertools import count

import pytest

from postroom.engine.limiter import ConnectLimiter, Pace, Rates

RATES = Rates(per_second=20, burst=20, host_per_second=4, host_burst=8, at_once=10)


class FakeTime:
    """A clock that moves on when everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), future))
        await future

    async def run(self, tasks: list[asyncio.Task[None]]) -> None:
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            if all(task.done() for task in tasks):
                break
            if self._sleepers:
                self.now, _, future = heapq.heappop(self._sleepers)
                future.set_result(None)
        await asyncio.gather(*tasks)


async def start_all(hosts: list[str], connect_seconds: float) -> tuple[list[tuple[float, str]], Counter[str]]:
    """When each connection began and to which host, and the most at once for each host."""
    time, began = FakeTime(), list[tuple[float, str]]()
    limiter = ConnectLimiter(RATES, clock=time.clock, sleep=time.sleep)
    now, most = Counter[str](), Counter[str]()

    async def connect(host: str) -> None:
        async with limiter.connecting(host):
            began.append((time.now, host))
            now[host] += 1
            most[host] = max(most[host], now[host])
            await time.sleep(connect_seconds)
            now[host] -= 1

    await time.run([asyncio.create_task(connect(host)) for host in hosts])
    return began, most


def most_within(moments: list[float], seconds: float) -> int:
    return max(sum(start <= moment < start + seconds for moment in moments) for start in moments)


async def test_a_thousand_mailboxes_on_many_hosts_keep_the_common_pace() -> None:
    began, _ = await start_all([f"mail{number % 250}.example" for number in range(1_000)], 0.3)
    moments = [moment for moment, _ in began]
    assert len(moments) == 1_000
    assert most_within(moments, 1.0) <= 20 + 20
    assert 48 <= max(moments) <= 52, "the pace is used up: (1,000 - 20) / 20 s"


async def test_one_host_is_never_hurried() -> None:
    began, most = await start_all(["one.example"] * 100, 5.0)
    per_host = defaultdict[str, list[float]](list)
    for moment, host in began:
        per_host[host].append(moment)
    assert most["one.example"] == 10
    assert most_within(per_host["one.example"], 1.0) <= 8 + 4


async def test_a_host_that_hangs_keeps_no_other_waiting() -> None:
    time = FakeTime()
    limiter = ConnectLimiter(RATES, clock=time.clock, sleep=time.sleep)
    hanging = [asyncio.create_task(_connect(limiter, "slow.example", time, 1_000.0)) for _ in range(50)]
    others = [asyncio.create_task(_connect(limiter, f"{number}.example", time, 0.1)) for number in range(40)]
    await time.run(others)
    assert time.now < 5
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def _connect(limiter: ConnectLimiter, host: str, time: FakeTime, seconds: float) -> None:
    async with limiter.connecting(host):
        await time.sleep(seconds)


@pytest.mark.parametrize(("burst", "waits"), [(1, [0.0, 0.5, 1.0]), (3, [0.0, 0.0, 0.0])])
def test_a_burst_is_what_may_start_after_a_quiet_time(burst: int, waits: list[float]) -> None:
    pace = Pace(2.0, burst)
    assert [pace.reserve(100.0) for _ in range(3)] == waits


async def test_hosts_nobody_connects_to_are_forgotten() -> None:
    time = FakeTime()
    limiter = ConnectLimiter(RATES, clock=time.clock, sleep=time.sleep)
    for number in range(100):
        time.now += 10
        await time.run([asyncio.create_task(_connect(limiter, f"{number}.example", time, 10.0))])
    assert len(limiter._hosts) <= 1
