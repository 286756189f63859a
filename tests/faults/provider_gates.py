"""A gate before each fake: it sees every request with the mailbox that it is for, and stops some.

So both fakes are disturbed and counted in the same way.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from postroom.providers.oauth import Endpoints
from tests.fakes import person
from tests.fakes.google import FakeGoogle
from tests.fakes.google.oauth import TOKEN
from tests.fakes.google.units import error
from tests.fakes.microsoft import FakeMicrosoft
from tests.fakes.microsoft.client import letter
from tests.fakes.microsoft.errors import GraphError
from tests.fakes.served import Answer, Request, Served

ON_ITS_WAY_SECONDS = 0.3  # what was asked before a refusal came may arrive after it


@dataclass(slots=True)
class Stop:
    """A refusal that meets the next request once so many bodies were given out. `reason` is the provider's word."""

    bodies: int
    status: int
    reason: str
    seconds: float | None = None  # Retry-After
    as_date: bool = False
    in_words: bool = False  # told in the message alone, as Gmail mostly does
    is_met: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """A request for a mailbox. `was_early`: its mailbox had asked for patience until later."""

    at: float
    address: str
    status: int
    was_early: bool


class Gate(Served):
    """Before a fake. `stops` and what is counted are by address."""

    provider: str
    owner: str  # the middle of the names of settings: GOOGLE
    client_id: str
    client_secret: str
    endpoints: Endpoints

    def __init__(self) -> None:
        super().__init__()
        self.stops: dict[str, Stop] = {}
        self.passed: list[Passed] = []
        self.before: Callable[[str], None] | None = None  # called with the address before each request for one
        self._patience: dict[str, tuple[float, float]] = {}  # by address: told when, until when

    async def answer(self, request: Request) -> Answer:
        address = self.whose(request)
        if not address:
            return await super().answer(request)
        now = time.monotonic()
        told_at, until = self._patience.get(address, (0.0, 0.0))
        was_early = told_at + ON_ITS_WAY_SECONDS < now < until
        if self.before is not None:
            self.before(address)
        told = self._refused(address) or await super().answer(request)
        self.passed.append(Passed(now, address, told.status, was_early))
        return told

    def _refused(self, address: str) -> Answer | None:
        stop = self.stops.get(address)
        if stop is None or stop.is_met or len(self.bodies(address)) < stop.bodies:
            return None
        stop.is_met = True
        until = datetime.now(UTC) + timedelta(seconds=stop.seconds or 0.0)
        answer = self.refusal(stop, until)
        if stop.seconds is not None:
            if stop.as_date:  # whole seconds only
                until = until.replace(microsecond=0) + timedelta(seconds=1)
            if not stop.in_words:
                told = format_datetime(until, usegmt=True) if stop.as_date else str(int(stop.seconds))
                answer.headers["Retry-After"] = told
            now, left = time.monotonic(), (until - datetime.now(UTC)).total_seconds()
            self._patience[address] = (now, now + left)
        return answer

    def early(self) -> Counter[str]:
        """How many requests came within the patience that their mailbox had asked for."""
        return Counter(one.address for one in self.passed if one.was_early)

    def asked(self, address: str) -> int:
        """How many requests came for a mailbox, whatever became of them."""
        return sum(one.address == address for one in self.passed)

    @abstractmethod
    def whose(self, request: Request) -> str:
        """The address whose mail a request is about, "" for any other."""

    @abstractmethod
    def refusal(self, stop: Stop, until: datetime) -> Answer:
        """The provider's words."""

    @abstractmethod
    def put(self, address: str, number: int) -> str:
        """Let a message arrive; its remote id."""

    @abstractmethod
    def held(self, address: str) -> set[str]:
        """What the inbox holds."""

    @abstractmethod
    def remove(self, address: str, remote_id: str) -> None:
        """Remove a message for good."""

    @abstractmethod
    def calls(self, address: str) -> int:
        """The calls about single messages of a mailbox, those in batches each: what an import consists of.

        Looks for new mail are not counted, which take place as long as anything takes.
        """

    @abstractmethod
    def bodies(self, address: str) -> Counter[str]:
        """How often each message's bytes were given out."""

    @abstractmethod
    def lists(self, address: str) -> int:
        """How many pages of listings of messages were given out."""

    @abstractmethod
    def refreshes(self, address: str) -> int:
        """How often a token of this person was asked to be refreshed."""

    @abstractmethod
    def delay_tokens(self, seconds: float) -> None:
        """Let the token endpoint take its time."""

    @abstractmethod
    def spoil(self, address: str, *, revoked: bool) -> None:
        """Let all access tokens of this person be over, or take everything back."""

    @abstractmethod
    def forget_changes(self, address: str) -> None:
        """Let every cursor that was given out be expired."""

    @abstractmethod
    def disturb_walks(self, between_pages: Callable[[], None] | None) -> None:
        """Do something after each page that has another one, with pages that shift and repeat; None: no more."""

    @abstractmethod
    def expire_pages(self, count: int) -> None:
        """Refuse the tokens of so many pages."""

    @abstractmethod
    def person(self, url: str, address: str) -> dict[str, str]:
        """Sign in on the page, say yes; the query of the way back."""

    @abstractmethod
    def granted(self, address: str) -> str:
        """A refresh token of a new grant."""

    @abstractmethod
    def sent_count(self, address: str, internet_message_id: str) -> int:
        """How often a message left."""


class Google(Gate, FakeGoogle):
    """The gate before the fake Google."""

    provider, owner = "gmail", "GOOGLE"

    def __init__(self) -> None:
        super().__init__()
        self._expiring = 0
        self._refreshes: Counter[str] = Counter()  # with whatever end

    def whose(self, request: Request) -> str:
        if not request.path.startswith(("/gmail/", "/batch")):
            return ""
        token = self.oauth.access_tokens.get(request.bearer)
        return str(token.grant.address) if token else ""

    def refusal(self, stop: Stop, until: datetime) -> Answer:
        if stop.in_words:
            words = f"User-rate limit exceeded.  Retry after {until.isoformat(timespec='milliseconds')[:-6]}Z"
            return error(stop.status, stop.reason, words)
        return error(stop.status, stop.reason, "Too much.")

    def put(self, address: str, number: int) -> str:
        return self.mailbox(address).deliver(letter(number, to=address))

    def held(self, address: str) -> set[str]:
        found = self.mailbox(address).messages.values()
        return {one.remote_id for one in found if "INBOX" in one.labels}

    def remove(self, address: str, remote_id: str) -> None:
        self.mailbox(address).delete(remote_id)

    def calls(self, address: str) -> int:
        return sum(one.address == address and one.name == "messages.get" for one in self.requests)

    def bodies(self, address: str) -> Counter[str]:
        return Counter(
            one.path.rpartition("/")[2]
            for one in self.requests
            if one.address == address and one.name == "messages.get" and one.status == 200
        )

    def lists(self, address: str) -> int:
        names = ("messages.list", "history.list")
        return sum(one.address == address and one.name in names for one in self.requests)

    def refreshes(self, address: str) -> int:
        return self._refreshes[address]

    def granted(self, address: str) -> str:
        return self.refresh_token_for(address)

    def delay_tokens(self, seconds: float) -> None:
        self.faults.token_endpoint_delay_seconds = seconds

    def spoil(self, address: str, *, revoked: bool) -> None:
        self.faults.revoke(address) if revoked else self.faults.expire_tokens(address)

    def forget_changes(self, address: str) -> None:
        self.faults.expire_history(address)

    def disturb_walks(self, between_pages: Callable[[], None] | None) -> None:
        self.faults.after_page = between_pages
        self.faults.pages_shift = between_pages is not None

    def expire_pages(self, count: int) -> None:
        self.faults.page_tokens_expire, self._expiring = count > 0, count

    async def answer(self, request: Request) -> Answer:
        if request.path == TOKEN and "refresh_token" in (asked := request.form()):
            by_token = {grant.refresh_token: grant.address for grant in self.oauth.grants}
            self._refreshes[by_token[asked["refresh_token"]]] += 1
        told = await super().answer(request)
        if self.faults.page_tokens_expire and told.status == 400:
            self._expiring -= 1
            self.faults.page_tokens_expire = self._expiring > 0
        return told

    def person(self, url: str, address: str) -> dict[str, str]:
        self.mailbox(address)
        return person.at_google(url, address)

    def sent_count(self, address: str, internet_message_id: str) -> int:
        return self.mailbox(address).sent_count(internet_message_id)


class Microsoft(Gate, FakeMicrosoft):
    """The gate before the fake Microsoft."""

    provider, owner = "outlook", "MICROSOFT"
    _forgotten = 0

    def whose(self, request: Request) -> str:
        return self._address_of(request) if request.path.startswith("/v1.0/") else ""

    def refusal(self, stop: Stop, until: datetime) -> Answer:
        return GraphError(stop.status, stop.reason, "Application is over its MailboxConcurrency limit.").answer()

    def put(self, address: str, number: int) -> str:
        return self.mailbox(address).deliver(letter(number, to=address))

    def held(self, address: str) -> set[str]:
        return {message.id for message in self.mailbox(address).messages_in("inbox")}

    def remove(self, address: str, remote_id: str) -> None:
        self.mailbox(address).delete(remote_id)

    def calls(self, address: str) -> int:
        return len(self.heard(mailbox=address, path=r"/messages/(?!delta)"))

    def bodies(self, address: str) -> Counter[str]:
        found = self.heard(mailbox=address, path=r"/\$value$")
        return Counter(one.path.split("/")[-2] for one in found if one.status == 200)

    def lists(self, address: str) -> int:
        return len(self.heard(mailbox=address, method="GET", path=r"/messages(/delta)?$"))

    def refreshes(self, address: str) -> int:
        return self.oauth.refreshes(address)

    def granted(self, address: str) -> str:
        return self.refresh_token_for(address)

    def delay_tokens(self, seconds: float) -> None:
        self.faults.token_endpoint_delay_seconds = seconds

    def spoil(self, address: str, *, revoked: bool) -> None:
        self.faults.revoke(address) if revoked else self.faults.expire_tokens(address)

    def forget_changes(self, address: str) -> None:
        self.mailbox(address).forget_changes()
        self._forgotten += 1
        if self._forgotten % 2 == 0:  # there are two ways to say so
            self.faults.expire_delta = "syncStateNotFound"

    def disturb_walks(self, between_pages: Callable[[], None] | None) -> None:
        self.faults.after_page = between_pages
        self.faults.repeats_items = self.faults.shuffles = between_pages is not None

    def expire_pages(self, count: int) -> None:
        self.faults.expire_pages = count

    def person(self, url: str, address: str) -> dict[str, str]:
        self.mailbox(address)
        return person.at_microsoft(url, address)

    def sent_count(self, address: str, internet_message_id: str) -> int:
        return self.mailbox(address).sent_count(internet_message_id)
