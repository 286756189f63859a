"""Graph tells of changes by subscriptions: one for what arrives and one for what is sent, each with an expiry.

learn.microsoft.com/graph/change-notifications-delivery-webhooks and /change-notifications-lifecycle-events. Our
address is asked to repeat a token before a subscription is made; each call repeats its clientState. A delegated
permission cannot subscribe to a shared mailbox (outlook-change-notifications-overview): that one is polled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from postroom.providers.base import Credentials
from postroom.providers.errors import ProtocolViolation
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, segment
from postroom.providers.outlook.responses import Answer
from postroom.providers.push import Event, Notice, PushCall, Watched, WatchOrder

LONGEST: Final = timedelta(minutes=10_070)  # 10,080 is the most, and our clock may be ahead
MOST_NOTICES: Final = 1_000  # of one call
MOST_GREETING: Final = 4_096  # characters
RESOURCES: Final = ("me/mailFolders('inbox')/messages", "me/mailFolders('sentitems')/messages")
_EVENTS: Final[Mapping[str, Event]] = {
    "reauthorizationRequired": "renew",
    "subscriptionRemoved": "removed",
    "missed": "missed",
}


class OutlookPush:
    """See push.Push. `open_graph` begins a conversation about one mailbox."""

    def __init__(self, open_graph: Callable[[Credentials], Graph]) -> None:
        self._open_graph = open_graph

    def resources(self, address: str, sign_in_user: str, topic: str) -> Sequence[str]:
        is_shared = bool(sign_in_user) and sign_in_user.lower() != address.lower()
        return () if is_shared else RESOURCES

    async def watch(self, credentials: Credentials, order: WatchOrder) -> Watched:
        asked = {
            "changeType": "created,updated,deleted",
            "notificationUrl": order.address,
            "lifecycleNotificationUrl": order.address,  # only now: it cannot be added to a subscription that is there
            "resource": order.resource,
            "expirationDateTime": _written(datetime.now(UTC) + LONGEST),
            "clientState": order.secret,
        }
        call = Call("POST", "/subscriptions", json=asked)
        return self._watched(await self._checked(credentials, call))

    async def renew(self, credentials: Credentials, remote_id: str, order: WatchOrder) -> Watched | None:
        asked = {"expirationDateTime": _written(datetime.now(UTC) + LONGEST)}
        call = Call("PATCH", f"/subscriptions/{segment(remote_id)}", json=asked)
        answer = await self._asked(credentials, call)
        return None if answer is None else self._watched(answer)

    async def unwatch(self, credentials: Credentials, remote_id: str) -> None:
        await self._asked(credentials, Call("DELETE", f"/subscriptions/{segment(remote_id)}"))

    def greeting(self, call: PushCall) -> str | None:
        token = call.query.get("validationToken")
        return None if token is None else token[:MOST_GREETING]

    async def read(self, call: PushCall) -> Sequence[Notice]:
        try:
            told = json.loads(call.body)["value"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return ()
        if not isinstance(told, list):
            return ()
        return [notice for one in told[:MOST_NOTICES] if (notice := _notice(one)) is not None]

    def _watched(self, answer: Answer) -> Watched:
        """Graph gives less time than it is asked for without saying so: what it answers counts."""
        fields = answer.fields()
        now = datetime.now(UTC)
        remote_id = fields.get("id")
        try:
            expires_at = datetime.fromisoformat(str(fields.get("expirationDateTime")))
        except ValueError:
            raise ProtocolViolation("unexpected_answer") from None
        if not isinstance(remote_id, str) or not remote_id or expires_at.tzinfo is None:
            raise ProtocolViolation("unexpected_answer")
        return Watched(remote_id, expires_at, now + max(expires_at - now, timedelta()) / 2)

    async def _asked(self, credentials: Credentials, call: Call) -> Answer | None:
        """The answer; None for 404, a subscription that is not there any more."""
        graph = self._open_graph(credentials)
        try:
            answer = await graph.send(call)
            return None if answer.status == 404 else graph.checked(answer, call)
        finally:
            await graph.close()

    async def _checked(self, credentials: Credentials, call: Call) -> Answer:
        graph = self._open_graph(credentials)
        try:
            return await graph.ask(call)
        finally:
            await graph.close()


def _notice(told: Any) -> Notice | None:
    if not isinstance(told, dict) or not isinstance(told.get("subscriptionId"), str):
        return None
    lifecycle = told.get("lifecycleEvent")
    event = _EVENTS.get(str(lifecycle), "changed") if lifecycle else "changed"
    return Notice(told["subscriptionId"][:300], event, secret=str(told.get("clientState") or ""))


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
