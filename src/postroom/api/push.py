"""/push/<provider>/: providers call here when mail arrives. No session, no cookie, no CSRF token: a call proves itself.

Whoever calls, whatever about, gets the same quiet answer at once (Graph gives three seconds and retries what is slow);
what a call says is read afterwards. A provider may call a thousand times a second: each watch wakes its mailbox at
once, and then once a second for all that came meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from postroom.engine.outage import is_outage
from postroom.mailboxes import watches
from postroom.providers import registry
from postroom.providers.errors import ProviderError
from postroom.providers.push import MOST_OCTETS, Notice, Push, PushCall
from postroom.workspaces.database import in_thread

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1.0  # between two times that a watch wakes its mailbox
MOST_READING: Final = 200  # calls that are read at once; more are forgotten, and the poll finds what they told of
MOST_RESTING: Final = 20_000  # watches that called within the pause

Hear = Callable[[str, Notice], Awaitable[object]]


class Bell:
    """Hears each notice at once, and one more time after a pause if the same came again meanwhile."""

    def __init__(self, hear: Hear, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._hear = hear
        self._pause_seconds = pause_seconds
        self._resting: dict[tuple[str, Notice], bool] = {}  # whether it came again
        self._reading: set[asyncio.Task[None]] = set()
        self._following: set[asyncio.Task[None]] = set()

    def take(self, provider: str, push: Push, call: PushCall) -> None:
        """Read a call when it was answered."""
        if len(self._reading) < MOST_READING:
            _start(self._read(provider, push, call), self._reading)

    def ring(self, provider: str, notice: Notice) -> None:
        """Somebody called about this."""
        key = (provider, notice)
        if key in self._resting:
            self._resting[key] = True
        elif len(self._resting) < MOST_RESTING:
            self._resting[key] = False
            _start(self._follow(key), self._following)

    async def settle(self) -> None:
        """Wait until everything was heard and every pause is over."""
        while tasks := self._reading | self._following:
            await asyncio.wait(tasks)

    async def _read(self, provider: str, push: Push, call: PushCall) -> None:
        try:
            for notice in await push.read(call):
                self.ring(provider, notice)
        except ProviderError as error:
            log.info("a call of %s could not be read: %s", provider, error.code)

    async def _follow(self, key: tuple[str, Notice]) -> None:
        try:
            while True:
                await self._hear(*key)
                await asyncio.sleep(self._pause_seconds)
                if not self._resting[key]:
                    return
                self._resting[key] = False
        except Exception as error:  # a supervisor: a call is a hint, and the poll goes on without it
            if not is_outage(error):
                log.exception("a call of %s could not be heard", key[0])
        finally:
            del self._resting[key]


async def _hear(provider: str, notice: Notice) -> None:
    await in_thread(watches.hear, provider, notice)


_bells: WeakKeyDictionary[asyncio.AbstractEventLoop, Bell] = WeakKeyDictionary()


def bell() -> Bell:
    """The one of this process."""
    loop = asyncio.get_running_loop()
    if loop not in _bells:
        _bells[loop] = Bell(_hear)
    return _bells[loop]


@csrf_exempt
@require_POST
async def push(request: HttpRequest, provider: str) -> HttpResponse:
    """One call."""
    found = registry.PROVIDERS.get(provider)
    if found is None or found.push is None:
        return HttpResponse(status=404)
    if len(request.body) > MOST_OCTETS:
        return HttpResponse(status=413)
    call = PushCall(
        address=watches.push_address(provider),
        headers={name.lower(): value for name, value in request.headers.items()},
        query={name: str(value) for name, value in request.GET.items()},
        body=request.body,
    )
    greeting = found.push.greeting(call)
    if greeting is not None:
        return HttpResponse(greeting, content_type="text/plain; charset=utf-8")
    bell().take(provider, found.push, call)
    return HttpResponse(status=202)


def _start(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
