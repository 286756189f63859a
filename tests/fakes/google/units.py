"""What each call costs a project made since 2026-05-01, and the answers when a minute holds too much of it.

Prices: developers.google.com/gmail/api/reference/quota as of May 2026; what it does not name costs as before.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.fakes.google.faults import Throttle
from tests.fakes.served import Answer, json_answer

PRICES: dict[str, int] = {
    "getProfile": 1,
    "watch": 100,
    "stop": 50,
    "history.list": 2,
    "labels.list": 1,
    "labels.get": 1,
    "messages.list": 5,
    "messages.get": 20,
    "messages.send": 100,
    "messages.batchDelete": 50,
    "messages.batchModify": 50,
    "messages.delete": 10,
    "messages.import": 25,
    "messages.insert": 25,
    "threads.list": 10,
    "threads.get": 40,
    "threads.modify": 10,
    "threads.trash": 10,
    "threads.untrash": 10,
    "threads.delete": 20,
    "drafts.create": 10,
    "drafts.delete": 10,
    "drafts.update": 15,
    "drafts.send": 100,
    "settings.sendAs.list": 1,
    "settings.sendAs.get": 1,
}
_OTHERS = 5
_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_TOO_MUCH = {
    "rateLimitExceeded": "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
    "'gmail.googleapis.com' for consumer 'project_number:314159265358'.",
    "userRateLimitExceeded": "User-rate limit exceeded.",
    "dailyLimitExceeded": "Daily Limit Exceeded",
    "quotaExceeded": "Quota exceeded.",
}


def price(method: str) -> int:
    """What one call of that method costs."""
    return PRICES.get(method, _OTHERS)


@dataclass
class Meter:
    """Units by address: all there ever were, and those of the last minute."""

    total: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _recent: dict[str, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque))

    def fits(self, address: str, units: int, limit: int) -> bool:
        """Whether so many more may be spent now."""
        recent = self._recent[address]
        while recent and recent[0][0] <= time.monotonic() - 60:
            recent.popleft()
        return sum(spent for _, spent in recent) + units <= limit

    def spend(self, address: str, units: int) -> None:
        """Count them."""
        self.total[address] += units
        self._recent[address].append((time.monotonic(), units))


def error_body(status: int, reason: str, words: str) -> dict[str, Any]:
    """An error as Google's APIs write it (guides/handle-errors)."""
    domain = (
        "usageLimits" if "LimitExceeded" in reason or reason in ("quotaExceeded", "accessNotConfigured") else "global"
    )
    error: dict[str, Any] = {
        "code": status,
        "message": words,
        "errors": [{"message": words, "domain": domain, "reason": reason}],
    }
    if reason == "authError":
        error["errors"][0] |= {"location": "Authorization", "locationType": "header"}
    named = "FAILED_PRECONDITION" if reason == "failedPrecondition" else _STATUS_NAMES.get(status)
    if named:
        error["status"] = named
    if status == 429 and reason == "rateLimitExceeded":
        error["details"] = [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": {"service": "gmail.googleapis.com", "quota_limit": "QueriesPerMinutePerUser"},
            }
        ]
    return {"error": error}


def error(status: int, reason: str, words: str) -> Answer:
    """That, as an answer."""
    return json_answer(status, error_body(status, reason, words), {"Content-Type": "application/json; charset=UTF-8"})


def too_much(throttle: Throttle) -> Answer:
    """429 or 403 in Google's words."""
    words = _TOO_MUCH.get(throttle.reason, "Rate Limit Exceeded")
    headers: dict[str, str] = {}
    if throttle.retry_after is not None:
        until = datetime.now(UTC) + timedelta(seconds=throttle.retry_after)
        words = f"{words}  Retry after {until:%Y-%m-%dT%H:%M:%S}.{until.microsecond // 1000:03d}Z"
        if throttle.in_header:
            told = format_datetime(until, usegmt=True) if throttle.as_date else f"{throttle.retry_after:g}"
            headers["Retry-After"] = told
    return json_answer(throttle.status, error_body(throttle.status, throttle.reason, words), headers)
