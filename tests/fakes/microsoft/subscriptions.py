"""Subscriptions that really call (change-notifications-delivery-webhooks.md, subscription-post-subscriptions.md).

A thread of its own tells of changes, so that neither tests nor the server wait for whoever listens.
"""

from __future__ import annotations

import queue
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import httpx

from tests.fakes.microsoft.errors import GraphError, access_denied, bad_request, item_not_found
from tests.fakes.microsoft.mailbox import Change, FakeMailbox
from tests.fakes.microsoft.oauth import Access
from tests.fakes.microsoft.registration import CLIENT_ID, tenant_of
from tests.fakes.microsoft.shapes import moment
from tests.fakes.served import Answer, Request, json_answer

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft

Lifecycle = Literal["missed", "subscriptionRemoved", "reauthorizationRequired"]
LONGEST = timedelta(minutes=10_080)
SHORTEST = timedelta(minutes=45)
ANSWER_SECONDS = 3.0
_RESOURCE = re.compile(
    r"/?(?:me|users(?:/|\(')(?P<user>[^/')]+)(?:'\))?)(?:/mailFolders(?:/|\(')(?P<folder>[^/')]+)(?:'\))?)?/messages/?",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Subscription:
    """Somebody who is told of changes. `folder` is "" for the whole mailbox."""

    id: str
    address: str
    asked: dict[str, Any]
    folder: str
    expires_at: datetime
    immutable: bool

    def json(self) -> dict[str, Any]:
        """As Graph shows it: clientState is never shown again."""
        return {
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity",
            "id": self.id,
            "resource": self.asked["resource"],
            "applicationId": CLIENT_ID,
            "changeType": self.asked["changeType"],
            "clientState": None,
            "notificationUrl": self.asked["notificationUrl"],
            "notificationQueryOptions": None,
            "lifecycleNotificationUrl": self.asked.get("lifecycleNotificationUrl"),
            "expirationDateTime": moment(self.expires_at),
            "creatorId": str(uuid4()),
            "includeResourceData": None,
            "latestSupportedTlsVersion": "v1_2",
            "encryptionCertificate": None,
            "encryptionCertificateId": None,
            "notificationUrlAppId": None,
        }


@dataclass(slots=True)
class Told:
    """A notification that was sent. `status` 0: nobody answered in time."""

    url: str
    body: dict[str, Any]
    status: int


@dataclass(slots=True)
class Subscriptions:
    """All of them, and the thread that tells."""

    microsoft: FakeMicrosoft
    by_id: dict[str, Subscription] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    _due: queue.Queue[tuple[str, dict[str, Any]] | None] = field(default_factory=queue.Queue)
    _thread: threading.Thread | None = None

    def stop(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._due.put(None)
            self._thread.join(timeout=10)

    def settle(self) -> None:
        """Wait until everything that was due was told."""
        self._due.join()

    # What Graph answers.

    def prepare(self, request: Request, access: Access) -> Subscription:
        """Check what was asked for; the URLs are not asked yet."""
        asked = request.json()
        for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
            if not asked.get(name):
                raise bad_request(f"Subscription request is missing the property {name}.", "InvalidRequest")
        if set(asked["changeType"].split(",")) - {"created", "updated", "deleted"}:
            raise bad_request("changeType is not supported.", "InvalidRequest")
        if len(asked.get("clientState") or "") > 128:
            raise bad_request("clientState has at most 128 characters.", "InvalidRequest")
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            if name in asked and not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", asked[name]):
                raise bad_request("NotificationUrl must start with 'https://'.", "InvalidRequest")
        found = _RESOURCE.fullmatch(asked["resource"].lstrip("/"))
        if not found:
            raise bad_request(f"Resource {asked['resource']} is not supported.", "ExtensionError")
        if not access.scopes & {"Mail.Read", "Mail.ReadWrite"}:
            raise access_denied()
        own = self.microsoft.mailboxes[access.address]
        user = (found["user"] or own.address).lower()
        if user not in (own.address, own.user_id):
            raise access_denied()  # a delegated permission opens one's own mailbox only (outlook-subscription-notes.md)
        folder = own.find_folder(found["folder"]).id if found["folder"] else ""
        immutable = 'IdType="ImmutableId"' in request.headers.get("prefer", "")
        until = _expiry(asked["expirationDateTime"])
        return Subscription(str(uuid4()), own.address, asked, folder, until, immutable)

    def check_urls(self, subscription: Subscription) -> None:
        """The handshake with both URLs; raise GraphError. Waits for them: not under the lock."""
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            if name in subscription.asked:
                _validate(subscription.asked[name])

    def answer(self, request: Request, access: Access, parts: tuple[str, ...]) -> Answer:
        """All but making one."""
        mine = {one.id: one for one in self.by_id.values() if one.address == access.address}
        match (request.method, parts):
            case ("GET", ()):
                return json_answer(200, {"value": [one.json() for one in mine.values()]})
            case (_, (subscription_id, *_)) if subscription_id not in mine or self._is_over(mine[subscription_id]):
                raise GraphError(404, "ResourceNotFound", "The object was not found.")
            case ("GET", (subscription_id,)):
                return json_answer(200, mine[subscription_id].json())
            case ("PATCH", (subscription_id,)):
                asked = request.json()
                if "expirationDateTime" in asked:
                    mine[subscription_id].expires_at = _expiry(asked["expirationDateTime"])
                return json_answer(200, mine[subscription_id].json())
            case ("DELETE", (subscription_id,)):
                del self.by_id[subscription_id]
                return Answer(204)
            case ("POST", (_, "reauthorize")):
                return Answer(204)
        raise item_not_found()

    # Telling.

    def note(self, mailbox: FakeMailbox, change: Change) -> None:
        """A message changed: tell who asked."""
        kind = "deleted" if change.kind == "removed" else change.kind
        for one in self.by_id.values():
            if one.address != mailbox.address or one.folder not in ("", change.folder) or self._is_over(one):
                continue
            if kind not in one.asked["changeType"].split(","):
                continue
            if self.microsoft.faults.took("skip_notifications"):
                continue
            item = change.item if one.immutable else change.mutable_id
            path = f"Users/{mailbox.user_id}/Messages/{item}"
            told = {
                **self._head(one),
                "changeType": kind,
                "resource": path,
                "resourceData": {
                    "@odata.type": "#Microsoft.Graph.Message",
                    "@odata.id": path,
                    "@odata.etag": f'W/"CQAAABYA{change.number:08d}"',
                    "id": item,
                },
            }
            for _ in range(2 if self.microsoft.faults.repeats_notifications else 1):
                self._tell(one.asked["notificationUrl"], told)

    def tell_lifecycle(self, event: Lifecycle, address: str = "") -> None:
        """Send a lifecycle notification to all subscriptions (of that mailbox); removed ones are gone."""
        with self.microsoft.lock:
            for one in list(self.by_id.values()):
                if address not in ("", one.address) or "lifecycleNotificationUrl" not in one.asked:
                    continue
                self._tell(one.asked["lifecycleNotificationUrl"], {**self._head(one), "lifecycleEvent": event})
                if event == "subscriptionRemoved":
                    del self.by_id[one.id]

    def _head(self, one: Subscription) -> dict[str, Any]:
        return {
            "subscriptionId": one.id,
            "subscriptionExpirationDateTime": moment(one.expires_at),
            "clientState": one.asked.get("clientState"),
            "tenantId": tenant_of(one.address),
        }

    def _is_over(self, one: Subscription) -> bool:
        return one.expires_at <= datetime.now(UTC)

    def _tell(self, url: str, notification: dict[str, Any]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._due.put((url, {"value": [notification]}))

    def _run(self) -> None:
        with httpx.Client(timeout=ANSWER_SECONDS, verify=False) as client:
            while (due := self._due.get()) is not None:
                url, body = due
                try:
                    status = client.post(url, json=body).status_code
                except httpx.HTTPError:
                    status = 0
                self.told.append(Told(url, body, status))
                self._due.task_done()


def _expiry(text: str) -> datetime:
    """At most 10,080 minutes ahead; less than 45 is raised to 45 (resources/subscription.md)."""
    now = datetime.now(UTC)
    until = datetime.fromisoformat(re.sub(r"\.(\d{6})\d+", r".\1", text))
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    if until - now > LONGEST:
        raise bad_request("Subscription expiration can only be 10080 minutes in the future.", "InvalidRequest")
    return max(until, now + SHORTEST)


def _validate(url: str) -> None:
    """POST ?validationToken=…; the answer is the token as text/plain, within 10 s."""
    token = f"Validation: Testing client application reachability for subscription Request-Id: {uuid4()} + ä&="
    try:
        answer = httpx.post(url, params={"validationToken": token}, content=b"", timeout=10.0, verify=False)
    except httpx.HTTPError as error:
        words = f"Subscription validation request failed. {type(error).__name__}"
        raise bad_request(words, "ValidationError") from None
    kind = answer.headers.get("content-type", "").split(";")[0]
    if answer.status_code != 200 or answer.text != token or kind != "text/plain":
        raise bad_request(
            f"Subscription validation request failed. Notification endpoint must respond with 200 OK to validation "
            f"request. HTTP status code is '{answer.status_code}'.",
            "ValidationError",
        )
