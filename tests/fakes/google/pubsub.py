"""Cloud Pub/Sub as far as Gmail needs it: topics, and push subscriptions that call with a token of Google's.

Source: cloud.google.com/pubsub/docs/push and /authenticate-push-subscriptions.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.fakes.identity_provider import sign

ISSUER = "https://accounts.google.com"
SERVICE_ACCOUNT = "gmail-push@postroom-test.iam.gserviceaccount.com"


@dataclass(frozen=True, slots=True)
class PushSubscription:
    """Where a topic's messages are brought to, and how the token beside them reads."""

    topic: str
    endpoint: str
    audience: str
    service_account: str = SERVICE_ACCOUNT
    issuer: str = ISSUER
    name: str = "projects/postroom-test/subscriptions/gmail"


@dataclass
class PubSub:
    """`published` is everything; `answers` are the statuses that push endpoints gave."""

    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    loses: bool = False  # push nothing
    repeats: int = 1  # how often each is brought
    _subscriptions: list[PushSubscription] = field(default_factory=list)
    _waiting: queue.Queue[tuple[PushSubscription, dict[str, Any]] | None] = field(default_factory=queue.Queue)
    _thread: threading.Thread | None = None

    def subscribe(self, subscription: PushSubscription) -> None:
        """Bring what is published from now on."""
        self._subscriptions.append(subscription)
        if self._thread is None:
            self._thread = threading.Thread(target=self._bring, daemon=True)
            self._thread.start()

    def publish(self, topic: str, told: Mapping[str, Any]) -> None:
        """Publish one message."""
        self.published.append((topic, dict(told)))
        for subscription in self._subscriptions:
            if subscription.topic == topic and not self.loses:
                for _ in range(self.repeats):
                    self._waiting.put((subscription, envelope(told, subscription.name)))

    def close(self) -> None:
        """Bring nothing more."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(timeout=10)

    def _bring(self) -> None:
        with httpx.Client(timeout=5.0) as client:
            while (one := self._waiting.get()) is not None:
                subscription, body = one
                headers = {"Authorization": f"Bearer {push_token(subscription)}"}
                try:
                    self.answers.append(client.post(subscription.endpoint, json=body, headers=headers).status_code)
                except httpx.HTTPError:
                    self.answers.append(0)


def envelope(
    told: Mapping[str, Any], subscription: str = "projects/postroom-test/subscriptions/gmail"
) -> dict[str, Any]:
    """The body of a push request."""
    number = str(time.time_ns())
    moment = datetime.now(UTC).isoformat()
    data = base64.b64encode(json.dumps(told).encode()).decode()
    message = {"data": data, "messageId": number, "message_id": number, "publishTime": moment, "publish_time": moment}
    return {"message": message, "subscription": subscription}


def push_token(subscription: PushSubscription, **other_claims: Any) -> str:
    """Google's OIDC token for a push request; `other_claims` make it a wrong one."""
    now = int(time.time())
    claims = {
        "iss": subscription.issuer,
        "aud": subscription.audience,
        "azp": "113774264463038321964",
        "sub": "113774264463038321964",
        "email": subscription.service_account,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
    }
    return sign({**claims, **other_claims})
