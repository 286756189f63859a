"""The fake Microsoft: identity platform and Graph v1.0 mail, as a server on loopback."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from postroom.providers.oauth import Endpoints
from tests.fakes.microsoft import delta, listing, sending, writing
from tests.fakes.microsoft.batch import answer_batch
from tests.fakes.microsoft.calls import Call, Heard
from tests.fakes.microsoft.errors import GraphError, bad_request, token_refused
from tests.fakes.microsoft.faults import Faults
from tests.fakes.microsoft.mailbox import ROOT, Change, FakeMailbox
from tests.fakes.microsoft.oauth import Access, OAuth
from tests.fakes.microsoft.registration import CLIENT_ID, CLIENT_SECRET, GRAPH
from tests.fakes.microsoft.shapes import folder_json, user_json
from tests.fakes.microsoft.subscriptions import Subscriptions
from tests.fakes.served import Answer, Request, Served, json_answer

EVERYTHING = (
    "openid profile email offline_access User.Read Mail.ReadWrite Mail.Send Mail.ReadWrite.Shared Mail.Send.Shared"
)


class FakeMicrosoft(Served):
    """`with FakeMicrosoft() as microsoft:` serves until the end of the block.

    `mailboxes` are by address; who has one can sign in. `redirect_uris` empty: any is fine.
    """

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults(self)
        self.oauth = OAuth(self)
        self.subscriptions = Subscriptions(self)
        self.mailboxes: dict[str, FakeMailbox] = {}
        self.redirect_uris: set[str] = set()
        self.requests: list[Heard] = []
        self.walks: list[delta.Walk] = []
        self.uploads: dict[str, writing.UploadSession] = {}
        self.most_at_once: Counter[str] = Counter()  # by address: the most requests that were under way together
        self._under_way: Counter[str] = Counter()
        self._patience_until: dict[str, float] = {}

    def __exit__(self, *told: object) -> None:
        self.subscriptions.stop()
        super().__exit__(*told)

    # What tests use.

    @property
    def api(self) -> str:
        """Where Graph is."""
        return f"{self.url}/v1.0"

    @property
    def endpoints(self) -> Endpoints:
        """What a provider needs to use this server instead of Microsoft's."""
        login = f"{self.url}/{{tenant}}"
        return Endpoints(
            authorize=f"{login}/oauth2/v2.0/authorize",
            token=f"{login}/oauth2/v2.0/token",
            keys=f"{login}/discovery/v2.0/keys",
            issuers=(f"{self.url}/{{tid}}/v2.0",),
            api=self.api,
            admin_consent=f"{login}/v2.0/adminconsent",
        )

    def mailbox(self, address: str, name: str = "") -> FakeMailbox:
        """The mailbox of that address, made when first asked for."""
        with self.lock:
            address = address.lower()
            if address not in self.mailboxes:
                usual = address.partition("@")[0].replace(".", " ").title()
                self.mailboxes[address] = FakeMailbox(
                    address, name or usual, len(self.mailboxes) + 1, self.lock, self._note
                )
            return self.mailboxes[address]

    def share(self, address: str, *, with_: str, full_access: bool = True, send_as: bool = True) -> FakeMailbox:
        """A shared mailbox that a user may open, and send as."""
        shared, user = self.mailbox(address), self.mailbox(with_)
        shared.share(user.address, full_access=full_access, send_as=send_as)
        return shared

    def token_for(self, address: str, scope: str = EVERYTHING) -> str:
        """An access token for Graph."""
        with self.lock:
            return self.oauth.give_access(self.mailbox(address).address, tuple(scope.split()))

    def refresh_token_for(self, address: str, scope: str = EVERYTHING) -> str:
        """A refresh token."""
        with self.lock:
            return self.oauth.give_refresh(self.mailbox(address).address, tuple(scope.split()))

    def heard(self, *, mailbox: str = "", method: str = "", path: str = "") -> list[Heard]:
        """Requests of one mailbox, method and path (a regular expression that is searched)."""
        with self.lock:
            return [
                one
                for one in self.requests
                if mailbox in ("", one.mailbox) and method in ("", one.method) and re.search(path, one.path)
            ]

    def early_calls(self, mailbox: str = "") -> list[Heard]:
        """Requests that came within the Retry-After that their mailbox had been given."""
        return [one for one in self.heard(mailbox=mailbox) if one.is_early]

    def retry_after(self, seconds: float | None) -> dict[str, str]:
        """The header, as seconds or as a date (rounded up to whole seconds, as both are written)."""
        if seconds is None:
            return {}
        if self.faults.retry_after_as_date:
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            until = until.replace(microsecond=0) + timedelta(seconds=1 if until.microsecond else 0)
            return {"Retry-After": format_datetime(until, usegmt=True)}
        return {"Retry-After": str(-int(-seconds // 1))}

    def now(self) -> float:
        """The server's clock, in seconds."""
        return time.monotonic()

    # Answering.

    async def answer(self, request: Request) -> Answer:
        """Graph, uploads, or the identity platform."""
        if request.path.startswith("/v1.0/"):
            return await self._graph(request)
        with self.lock:
            if request.path.startswith("/upload/"):
                token = request.path.removeprefix("/upload/")
                self._hear(Heard(self.now(), request.method, request.path))
                answer = writing.upload(self.uploads.get(token), request)
                is_lost = request.method == "PUT" and self.faults.took("drop_ranges")
                return Answer(torn=True) if is_lost else answer
            return self.oauth.answer(request) or Answer(404)

    async def _graph(self, request: Request) -> Answer:
        with self.lock:
            address = self._address_of(request)
            heard = self._hear(_heard(self.now(), request, address))
            heard.is_early = self.now() < self._patience_until.get(address, 0.0)
            fault = self._fault(address)
            self._under_way[address] += 1
            under_way = self._under_way[address]
            self.most_at_once[address] = max(self.most_at_once[address], under_way)
        try:
            if self.faults.delay_seconds:
                await asyncio.sleep(self.faults.delay_seconds)
            if fault is not None:
                answer = fault
            elif address and under_way > self.faults.concurrency:
                words = "Application is over its MailboxConcurrency limit."
                answer = self._throttled(address, GraphError(429, "ApplicationThrottled", words), 1.0)
            elif (request.method, request.path) == ("POST", "/v1.0/subscriptions"):
                answer = await self._subscribe(request)
            else:
                with self.lock:
                    answer = self._told(request)
        finally:
            with self.lock:
                self._under_way[address] -= 1
        heard.status = 0 if answer.torn else answer.status
        return answer

    def _told(self, request: Request) -> Answer:
        """Answer under the lock, with errors as answers."""
        try:
            return self._dispatch(request)
        except GraphError as error:
            return error.answer()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return bad_request(f"{type(error).__name__}: {error}", "ErrorInvalidRequest").answer()

    def _dispatch(self, request: Request) -> Answer:
        access = self._access(request)
        match _parts(request.path):
            case ("$batch",) if request.method == "POST":
                return answer_batch(self, request, self._part)
            case ("subscriptions", *rest):
                return self.subscriptions.answer(request, access, tuple(rest))
            case ("me", *rest):
                return self._mail(Call(self, request, access, self.mailboxes[access.address], "/me", tuple(rest)))
            case ("users", name, *rest):
                mailbox = self._named(name)
                if mailbox is None:
                    raise GraphError(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid.")
                return self._mail(Call(self, request, access, mailbox, f"/users/{name}", tuple(rest)))
        raise bad_request(f"Resource not found for the segment '{request.path}'.")

    def _part(self, request: Request) -> Answer:
        """A part of a $batch."""
        heard = self._hear(_heard(self.now(), request, self._address_of(request)))
        heard.in_batch = True
        answer = self._told(request)
        heard.status = answer.status
        return answer

    def _mail(self, call: Call) -> Answer:
        if not call.parts:
            if not call.access.scopes & {"User.Read", "User.ReadBasic.All"}:
                raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges.")
            return json_answer(200, user_json(call.mailbox))
        if not call.mailbox.is_enabled:
            words = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise GraphError(404, "MailboxNotEnabledForRESTAPI", words)
        answer = _folders(call) or _messages(call)
        if answer is None:
            raise bad_request(f"Resource not found for the segment '{'/'.join(call.parts)}'.")
        if call.immutable:
            answer.headers["Preference-Applied"] = 'IdType="ImmutableId"'
        return answer

    async def _subscribe(self, request: Request) -> Answer:
        try:
            with self.lock:
                subscription = self.subscriptions.prepare(request, self._access(request))
            await asyncio.to_thread(self.subscriptions.check_urls, subscription)
        except GraphError as error:
            return error.answer()
        with self.lock:
            self.subscriptions.by_id[subscription.id] = subscription
        return json_answer(201, subscription.json() | {"clientState": subscription.asked.get("clientState")})

    def _access(self, request: Request) -> Access:
        if not request.bearer:
            raise token_refused("Access token is empty.")
        access = self.oauth.access.get(request.bearer)
        if access is None:
            raise token_refused("CompactToken parsing failed with error code: 80049217")
        if access.expires_at <= self.now():
            raise token_refused("Lifetime validation failed, the token is expired.")
        if access.resource != GRAPH:
            raise token_refused("Access token validation failure. Invalid audience.")
        return access

    def _address_of(self, request: Request) -> str:
        """Whose mail is asked for; "" for anything else, and for who is not known."""
        match _parts(request.path):
            case ("me", *_) | ("$batch",):
                access = self.oauth.access.get(request.bearer)
                return access.address if access else ""
            case ("users", name, *_):
                mailbox = self._named(name)
                return mailbox.address if mailbox else ""
        return ""

    def _named(self, name: str) -> FakeMailbox | None:
        by_address = self.mailboxes.get(name.lower())
        return by_address or next((one for one in self.mailboxes.values() if one.user_id == name), None)

    def _fault(self, address: str) -> Answer | None:
        faults = self.faults
        if faults.took("drop_next"):
            return Answer(torn=True)
        if faults.took("fail_next"):
            return GraphError(503, "ServiceUnavailable", "The service is temporarily unavailable.").answer()
        if faults.throttle_next is None or faults.throttle_mailbox not in ("", address):
            return None
        status, code, seconds, count = faults.throttle_next
        faults.throttle_next = (status, code, seconds, count - 1) if count > 1 else None
        words = "Application is over its limit." if status == 429 else "The service is temporarily unavailable."
        return self._throttled(address, GraphError(status, code, words), seconds)

    def _throttled(self, address: str, error: GraphError, seconds: float | None) -> Answer:
        error.headers.update(self.retry_after(seconds))
        if seconds:
            until = self.now() + seconds
            self._patience_until[address] = max(self._patience_until.get(address, 0.0), until)
        return error.answer()

    def _hear(self, heard: Heard) -> Heard:
        self.requests.append(heard)
        return heard

    def _note(self, mailbox: FakeMailbox, change: Change) -> None:
        self.subscriptions.note(mailbox, change)


def _heard(at: float, request: Request, address: str) -> Heard:
    immutable = 'IdType="ImmutableId"' in request.headers.get("prefer", "")
    return Heard(at, request.method, request.path, address, immutable=immutable)


def _parts(path: str) -> tuple[str, ...]:
    """The segments of a path; mailFolders('id') is another way to write mailFolders/id."""
    return tuple(re.sub(r"\('([^']*)'\)", r"/\1", path.removeprefix("/v1.0/")).strip("/").split("/"))


def _folders(call: Call) -> Answer | None:
    match (call.request.method, call.parts):
        case ("GET", ("mailFolders",)):
            return listing.list_folders(call, ROOT)
        case ("GET", ("mailFolders", "delta")):
            return delta.folders_delta(call)
        case ("POST", ("mailFolders",)):
            call.need_writing()
            folder = call.mailbox.make_folder(call.request.json()["displayName"])
            return json_answer(201, folder_json(call.mailbox, call.mailbox.find_folder(folder)))
        case ("GET", ("mailFolders", folder)):
            return listing.get_folder(call, folder)
        case ("GET", ("mailFolders", folder, "childFolders")):
            return listing.list_folders(call, folder if folder == ROOT else call.mailbox.find_folder(folder).id)
        case ("GET", ("mailFolders", folder, "messages")):
            return listing.list_messages(call, folder)
        case ("POST", ("mailFolders", folder, "messages")):
            return writing.create(call, folder)
        case ("GET", ("mailFolders", folder, "messages", "delta")):
            return delta.messages_delta(call, folder)
        case (_, ("mailFolders", folder, "messages", *rest)) if rest:
            call.mailbox.find_folder(folder)
            return _messages(Call(call.microsoft, call.request, call.access, call.mailbox, call.owner_path,
                                  ("messages", *rest)))  # fmt: skip
    return None


def _messages(call: Call) -> Answer | None:
    match (call.request.method, call.parts):
        case ("GET", ("messages",)):
            return listing.list_messages(call, None)
        case ("POST", ("messages",)):
            return writing.create(call)
        case ("POST", ("sendMail",)):
            return sending.send_mail(call)
        case ("GET", ("messages", message)):
            return listing.get_message(call, message)
        case ("PATCH", ("messages", message)):
            return writing.update(call, message)
        case ("DELETE", ("messages", message)):
            return writing.delete(call, message)
        case ("GET", ("messages", message, "$value")):
            return listing.get_bytes(call, message)
        case ("GET", ("messages", message, "attachments")):
            return writing.list_attachments(call, message)
        case ("POST", ("messages", message, "attachments")):
            return writing.attach(call, message)
        case ("POST", ("messages", message, "attachments", "createUploadSession")):
            return writing.create_upload(call, message)
        case ("POST", ("messages", message, ("createReply" | "createReplyAll") as act)):
            return writing.create_reply(call, message, act == "createReplyAll")
        case ("POST", ("messages", message, "move")):
            return writing.move(call, message)
        case ("POST", ("messages", message, "send")):
            return sending.send_draft(call, message)
    return None
