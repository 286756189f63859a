"""The fake Google itself: who asks, may they, what does it cost, and what goes wrong."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from postroom.providers.oauth import Endpoints
from tests.fakes.google import batch, drafts, gmail
from tests.fakes.google.calls import HANDLERS, Call, parse_body
from tests.fakes.google.discovery import Found, Method, check, find_method
from tests.fakes.google.faults import Faults
from tests.fakes.google.listing import Searches
from tests.fakes.google.mailbox import GoogleMailbox, Refusal
from tests.fakes.google.oauth import AUTHORIZE, GMAIL_MODIFY, KEYS, REVOKE, TOKEN, Client, GoogleOAuth
from tests.fakes.google.pubsub import PubSub
from tests.fakes.google.units import Meter, error, price, too_much
from tests.fakes.served import Answer, Request, Served, json_answer

__all__ = ["FakeGoogle", "Seen", "drafts", "gmail"]  # the last two are loaded for the calls they answer

SENDING = ("messages.send", "drafts.send")
CLIENT_ID = "314159265358-postroom.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-fake"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came, at which moment of the monotonic clock; `name` is the API's name of the call.

    `status` is 0 where the connection was reset.
    """

    method: str
    path: str
    units: int
    name: str = ""
    address: str = ""
    status: int = 0
    at: float = 0.0


class FakeGoogle(Served):
    """`with FakeGoogle() as google:` serves on a free port of loopback. Mailboxes are made when first asked for."""

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults(self)
        self.oauth = GoogleOAuth(self, clients={CLIENT_ID: Client(CLIENT_ID, CLIENT_SECRET)})
        self.pubsub = PubSub()
        self.topics: set[str] = set()  # that exist; empty: all
        self.requests: list[Seen] = []
        self.delivered: Counter[tuple[str, str]] = Counter()  # copies by the sender's Message-ID and the recipient
        self.meter = Meter()
        self.searches = Searches()
        self._mailboxes: dict[str, GoogleMailbox] = {}

    @property
    def endpoints(self) -> Endpoints:
        """Where the product has to look for Google."""
        return Endpoints(
            authorize=self.url + AUTHORIZE,
            token=self.url + TOKEN,
            keys=self.url + KEYS,
            issuers=(self.url,),
            api=self.url,
            revoke=self.url + REVOKE,
        )

    def mailbox(self, address: str) -> GoogleMailbox:
        """That person's mailbox."""
        with self.lock:
            if address.lower() not in self._mailboxes:
                mailbox = GoogleMailbox(address, lock=self.lock, changed=self.publish)
                self._mailboxes[address.lower()] = mailbox
                self.oauth.add_person(address)
            return self._mailboxes[address.lower()]

    def find_mailbox(self, address: str) -> GoogleMailbox | None:
        """That person's mailbox, where there is one."""
        return self._mailboxes.get(address.lower())

    def mailboxes_of(self, address: str) -> list[GoogleMailbox]:
        """That one, or all of them."""
        return [self.mailbox(address)] if address else list(self._mailboxes.values())

    def token_for(self, address: str, scope: str = f"openid email {GMAIL_MODIFY}") -> str:
        """An access token of a new grant."""
        with self.lock:
            self.mailbox(address)
            return self.oauth.make_access_token(self._grant(address, scope))

    def refresh_token_for(self, address: str, scope: str = f"openid email {GMAIL_MODIFY}") -> str:
        """A refresh token of a new grant."""
        with self.lock:
            self.mailbox(address)
            return self._grant(address, scope).refresh_token

    def units(self, address: str) -> int:
        """What that person's mailbox was charged so far."""
        with self.lock:
            return self.meter.total[address.lower()]

    def publish(self, mailbox: GoogleMailbox, labels: frozenset[str] = frozenset()) -> None:
        """Tell the topic that watches this mailbox, as far as it asked for these labels."""
        watch = mailbox.watch
        if watch is None or not watch.covers(labels):
            return
        self.pubsub.publish(watch.topic, {"emailAddress": mailbox.address, "historyId": mailbox.history.latest})

    async def answer(self, request: Request) -> Answer:
        """Answer one request."""
        with self.lock:
            told = self._answer(request)
            told.delay_seconds = told.delay_seconds or self.faults.delay_seconds
            return told

    def __exit__(self, *_: object) -> None:
        self.pubsub.close()
        super().__exit__()

    def _grant(self, address: str, scope: str) -> Any:
        names = tuple(
            "https://www.googleapis.com/auth/userinfo.email" if one == "email" else one for one in scope.split()
        )
        return self.oauth.make_grant(address, names, CLIENT_ID)

    def _answer(self, request: Request) -> Answer:
        if (told := self.oauth.answer(request)) is not None:
            self._note(request, told.status)
            return told
        if (told := self._disturbed()) is not None:
            self._note(request, 0 if told.torn else told.status)
            return told
        if request.method == "POST" and request.path in batch.PATHS:
            told = batch.answer(request, self._call, self.faults)
            self._note(request, told.status, name="batch")
            return told
        return self._call(request)

    def _disturbed(self) -> Answer | None:
        faults = self.faults
        if faults.drop_next:
            faults.drop_next -= 1
            return Answer(torn=True)
        if faults.throttle_next is not None and faults.throttle_next[3] > 0:
            status, reason, retry_after, count = faults.throttle_next
            faults.throttle_next = (status, reason, retry_after, count - 1)
            how = faults.throttle
            return too_much(type(how)(status, reason, retry_after, how.in_header, how.as_date))
        if faults.fail_next:
            faults.fail_next -= 1
            return error(503, "backendError", "The service is currently unavailable.")
        return None

    def _call(self, request: Request) -> Answer:
        """One call of the API, alone or out of a batch."""
        token = self.oauth.find_token(request.bearer)
        if token is None:
            self._note(request, 401)
            return error(
                401,
                "authError",
                "Request had invalid authentication credentials. Expected OAuth 2 access "
                "token, login cookie or other valid authentication credential.",
            )
        address = token.grant.address
        found = find_method(request.method, request.path)
        if found is None or found.method.name not in HANDLERS:
            self._note(request, 404, address=address)
            return error(404, "notFound", "Not Found")
        name, units = found.method.name, price(found.method.name)
        refusal = self._refusal(found, address, frozenset(token.scopes))
        if refusal is not None:
            self._note(request, refusal.status, 0, name, address)
            return refusal
        self.meter.spend(address.lower(), units)
        told = self._done(Call(self, self.mailbox(address), found, request, frozenset(token.scopes), {}, None))
        self._note(request, 0 if told.torn else told.status, units, name, address)
        return told

    def _refusal(self, found: Found, address: str, scopes: frozenset[str]) -> Answer | None:
        faults, method = self.faults, found.method
        if faults.api_off:
            return error(
                403,
                "accessNotConfigured",
                "Gmail API has not been used in project 314159265358 before or it is disabled.",
            )
        if address in faults.domain_refuses:
            return error(403, "domainPolicy", "The domain administrators have disabled Gmail apps.")
        if not scopes & method.scopes:
            return error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        if found.parameters.get("userId", "me").lower() not in ("me", address.lower()):
            return error(403, "forbidden", f"Delegation denied for {address}")
        if address in faults.mail_service_off:
            return error(400, "failedPrecondition", "Mail service not enabled")
        if faults.enforces_quota and not self.meter.fits(address.lower(), price(method.name), faults.units_a_minute):
            return too_much(faults.throttle)
        return None

    def _done(self, call: Call) -> Answer:
        faults, method = self.faults, call.found.method
        sends = method.name in SENDING
        if sends and faults.time_out_before_accepting:
            faults.time_out_before_accepting -= 1
            return Answer(torn=True, delay_seconds=faults.silence_seconds)
        if sends and faults.refuse_send is not None:
            refused, faults.refuse_send = faults.refuse_send, None
            return error(*refused)
        if call.found.is_upload and len(call.request.body) > method.most_octets:
            return error(413, "uploadTooLarge", "Request Entity Too Large")
        try:
            body, media = parse_body(call.request, call.found.is_upload)
            call = Call(self, call.mailbox, call.found, call.request, call.scopes, body, media)
            told = HANDLERS[method.name](call)
        except Refusal as refusal:
            return error(refusal.status, refusal.reason, str(refusal))
        if sends and (late := self._after_accepting()) is not None:
            return late
        return self._shown(told, method)

    def _after_accepting(self) -> Answer | None:
        faults = self.faults
        if faults.time_out_after_accepting:
            faults.time_out_after_accepting -= 1
            return Answer(torn=True, delay_seconds=faults.silence_seconds)
        if faults.drop_after_accepting:
            faults.drop_after_accepting -= 1
            return Answer(torn=True)
        if faults.fail_after_accepting:
            faults.fail_after_accepting -= 1
            return error(503, "backendError", "Backend Error")
        return None

    def _shown(self, told: dict[str, Any] | None, method: Method) -> Answer:
        if told is None or not method.answers:
            return Answer(204)
        check(told, method.answers)
        return json_answer(200, told, {"Content-Type": "application/json; charset=UTF-8"})

    def _note(self, request: Request, status: int, units: int = 0, name: str = "", address: str = "") -> None:
        self.requests.append(Seen(request.method, request.path, units, name, address, status, time.monotonic()))
