"""/push/<provider>/: providers call here when mail arrives. No session, no cookie, no CSRF token: a call proves itself.

Whoever calls, whatever about, gets the same quiet answer at once (Graph gives three seconds and retries what is slow);
what a call says is read afterwards. A provider may call a thousand times a second: each watch wakes its mailbox at
once, and then once a second for all that came meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl
from weakref import WeakKeyDictionary

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

PATH: Final = "/push/"
_HEADERS: Final = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
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


class PushCalls:
    """ASGI: calls to /push/<provider>/, everything else goes to the wrapped application.

    Before Django, since its middleware looks for sessions and needs a thread: calls come by the thousand.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._application(scope, receive, send)
            return
        status, text = await _answer(scope, receive)
        headers = [*_HEADERS, (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})


async def _answer(scope: Scope, receive: Receive) -> tuple[int, bytes]:
    """Status and text. The rest of a body that is too long is left where it is."""
    provider, slash, rest = scope["path"].removeprefix(PATH).partition("/")
    push = registry.PROVIDERS[provider].push if provider in registry.PROVIDERS else None
    if push is None or not slash or rest:
        return 404, b""
    if scope["method"] != "POST":
        return 405, b""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return 400, b""
        body += message.get("body", b"")
        if len(body) > MOST_OCTETS:
            return 413, b""
        if not message.get("more_body"):
            break
    call = PushCall(
        address=watches.push_address(provider),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        body=bytes(body),
    )
    greeting = push.greeting(call)
    if greeting is not None:
        return 200, greeting.encode()
    bell().take(provider, push, call)
    return 202, b""


def _start(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
