"""Gmail tells of changes by Cloud Pub/Sub: a watch publishes to the operator's topic, whose subscription calls us.

developers.google.com/workspace/gmail/api/guides/push; a watch lasts seven days, and Google advises to renew it daily.
The subscription has to send a token (cloud.google.com/pubsub/docs/authenticate-push-subscriptions): signed by Google,
for our address, with the e-mail address of a service account. Anybody has a service account, so only those of the
topic's own project are believed: nobody else can make one there.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from postroom.providers.base import Credentials
from postroom.providers.errors import Unsupported
from postroom.providers.gmail import units
from postroom.providers.gmail.requests import ME, Api, Exchange
from postroom.providers.key_ring import KeyRing
from postroom.providers.push import Notice, PushCall, Watched, WatchOrder

RENEW_EVERY: Final = timedelta(days=1)
_ACCOUNTS: Final = ".iam.gserviceaccount.com"
_TOPIC: Final = re.compile(r"projects/([a-z][a-z0-9.:-]{3,60})/topics/[A-Za-z][\w.~+%-]{2,254}")


class GmailPush:
    """See push.Push. A watch's resource is its topic, its remote id the topic's project and the mailbox."""

    def __init__(self, exchange: Exchange, keys_url: str, issuers: Sequence[str]) -> None:
        self._exchange = exchange
        self._keys = KeyRing(exchange.http, keys_url)
        self._issuers = frozenset(issuers)

    def resources(self, address: str, sign_in_user: str, topic: str) -> Sequence[str]:
        return (topic,) if _TOPIC.fullmatch(topic) else ()

    async def watch(self, credentials: Credentials, order: WatchOrder) -> Watched:
        api = Api(self._exchange, credentials)
        try:
            answer = await api.call("POST", f"{ME}/watch", units=units.WATCH, json={"topicName": order.resource})
        finally:
            await api.close()
        now = datetime.now(UTC)
        expires_at = _moment(answer.get("expiration")) or now + RENEW_EVERY
        remote_id = _remote_id(_project_of(order.resource), credentials.address)
        return Watched(remote_id, expires_at, min(now + RENEW_EVERY, now + (expires_at - now) / 2))

    async def renew(self, credentials: Credentials, remote_id: str, order: WatchOrder) -> Watched | None:
        return await self.watch(credentials, order)  # asking again is how a watch is renewed

    async def unwatch(self, credentials: Credentials, remote_id: str) -> None:
        api = Api(self._exchange, credentials)
        try:
            await api.call("POST", f"{ME}/stop", units=units.STOP)
        finally:
            await api.close()

    def greeting(self, call: PushCall) -> str | None:
        return None

    async def read(self, call: PushCall) -> Sequence[Notice]:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        address = _address_in(call.body)
        if scheme.lower() != "bearer" or not address:
            return ()
        self._exchange.enter()
        try:
            claims = await self._keys.claims(token.strip())
        finally:
            await self._exchange.leave()
        account = self._account_of(claims or {}, call.address)
        if not account.endswith(_ACCOUNTS):
            return ()
        project = account.partition("@")[2].removesuffix(_ACCOUNTS)
        return (Notice(_remote_id(project, address), "changed", is_proven=True),)

    def _account_of(self, claims: dict[str, Any], audience: str) -> str:
        """The service account that a token speaks for, "" unless it was made for us by Google."""
        is_ours = claims.get("aud") == audience and claims.get("iss") in self._issuers
        return str(claims.get("email") or "").lower() if is_ours and claims.get("email_verified") is True else ""


def _project_of(topic: str) -> str:
    """The part of service accounts' addresses that names the topic's project: "example.com:crm" is
    crm.example.com there (cloud.google.com/iam/docs/service-account-overview)."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise Unsupported
    domain, colon, name = found[1].partition(":")
    return f"{name}.{domain}" if colon else found[1]


def _remote_id(project: str, address: str) -> str:
    return f"{project}/{address.lower()}"[:300]


def _address_in(body: bytes) -> str:
    """The mailbox that a Pub/Sub message is about: {"message": {"data": base64 of {"emailAddress", "historyId"}}}."""
    try:
        data = json.loads(body)["message"]["data"]
        return str(json.loads(base64.b64decode(data.replace("-", "+").replace("_", "/") + "==="))["emailAddress"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        return ""


def _moment(milliseconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
