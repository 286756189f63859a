"""What the Gmail API says when it refuses, and what it means: one table.

Sources: developers.google.com/workspace/gmail/api/guides/handle-errors and providers.md 2.1. An answer names its cause
up to three times: `error.errors[].reason`, `error.details[].reason` (google.rpc.ErrorInfo) and `error.status`; a row
matches when any of them is its reason, the status fits, and the message holds the fragment in any letter case. The
first row that matches counts, so the particular ones stand first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias

from postroom.providers.errors import (
    MessageGone,
    NeedsAdministrator,
    NeedsReconnect,
    ProtocolViolation,
    ProviderError,
    Refused,
    Throttled,
    Unreachable,
)

ErrorClass: TypeAlias = type[ProviderError]

MOST_BELIEVED_SECONDS: Final = 86_400.0
HOUR: Final = 3_600.0
UNTOLD_WAIT_SECONDS: Final = 60.0  # where throttling comes without a time; who is refused then waits longer and longer


@dataclass(frozen=True, slots=True)
class Cause:
    """One row: the status (0: any), Google's word for the cause and a part of its message ("": any); what follows."""

    status: int
    reason: str
    error: ErrorClass
    code: str
    fragment: str = ""
    retry_after_seconds: float | None = None


CAUSES: Final = (
    Cause(400, "failedPrecondition", NeedsAdministrator, "gmail_not_enabled", "mail service not enabled"),
    Cause(400, "FAILED_PRECONDITION", NeedsAdministrator, "gmail_not_enabled", "mail service not enabled"),
    Cause(400, "invalidArgument", MessageGone, "message_gone", "invalid id value"),
    Cause(400, "INVALID_ARGUMENT", MessageGone, "message_gone", "invalid id value"),
    Cause(0, "authError", NeedsReconnect, "needs_reconnect"),
    Cause(401, "", NeedsReconnect, "needs_reconnect"),
    # the operator's project
    Cause(403, "accessNotConfigured", NeedsAdministrator, "gmail_api_off"),
    Cause(403, "SERVICE_DISABLED", NeedsAdministrator, "gmail_api_off"),
    Cause(0, "dailyLimitExceeded", Throttled, "google_daily_limit", retry_after_seconds=HOUR),
    Cause(0, "quotaExceeded", Throttled, "google_daily_limit", retry_after_seconds=HOUR),
    # the mailbox's organization, and what its owner allowed
    Cause(403, "domainPolicy", NeedsAdministrator, "google_domain_policy"),
    Cause(403, "insufficientPermissions", NeedsReconnect, "google_permission_missing"),
    Cause(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", NeedsReconnect, "google_permission_missing"),
    # limits of a mailbox: some 2,500 MB a day, and a number of requests at once
    Cause(429, "", Throttled, "bandwidth_spent", "bandwidth", HOUR),
    Cause(403, "rateLimitExceeded", Throttled, "bandwidth_spent", "bandwidth", HOUR),
    Cause(403, "userRateLimitExceeded", Throttled, "bandwidth_spent", "bandwidth", HOUR),
    Cause(429, "", Throttled, "google_sending_limit", "mail sending", HOUR),
    Cause(403, "userRateLimitExceeded", Throttled, "google_sending_limit", "mail sending", HOUR),
    Cause(429, "", Throttled, "throttled", "too many concurrent requests", 10),
    Cause(403, "rateLimitExceeded", Throttled, "throttled"),
    Cause(403, "userRateLimitExceeded", Throttled, "throttled"),
    Cause(403, "RATE_LIMIT_EXCEEDED", Throttled, "throttled"),
    Cause(429, "", Throttled, "throttled"),
    Cause(403, "", NeedsAdministrator, "google_forbids"),
    Cause(404, "", MessageGone, "message_gone"),
    Cause(413, "", Refused, "message_too_large"),
    Cause(400, "", Refused, "google_rejects"),  # badRequest, invalidArgument: a mistake of ours, not to be repeated
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that says no. `reasons` are all of Google's words for the cause."""

    status: int
    reasons: frozenset[str]
    message: str


def trouble_of(status: int, body: bytes) -> Trouble:
    """What the body of an answer with such a status says; of a body that is no JSON the status alone counts."""
    reasons: set[str] = set()
    message = ""
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict):
        message = _text(error.get("message"))
        reasons.add(_text(error.get("status")))
        for name in ("errors", "details"):
            causes = error.get(name)
            for cause in causes if isinstance(causes, list) else ():
                if isinstance(cause, dict):
                    reasons.add(_text(cause.get("reason")))
    return Trouble(status, frozenset(reasons - {""}), message)


def find_cause(trouble: Trouble) -> Cause | None:
    """The first row of the table that fits, or None."""
    lowered = trouble.message.lower()
    for cause in CAUSES:
        if (
            cause.status in (0, trouble.status)
            and (not cause.reason or cause.reason in trouble.reasons)
            and cause.fragment in lowered
        ):
            return cause
    return None


def error_for(status: int, body: bytes, headers: Mapping[str, str], **facts: Any) -> ProviderError:
    """The error for an answer that is not 2xx; `facts` are host and what else fills the words."""
    trouble = trouble_of(status, body)
    words = _shown(f"{status} {' '.join(sorted(trouble.reasons))} {trouble.message}")
    cause = find_cause(trouble)
    if cause is None:
        if status >= 500:
            return Unreachable(
                "server_unavailable",
                server_words=words,
                retry_after_seconds=_told_seconds(headers, trouble.message),
                **facts,
            )
        return ProtocolViolation("unexpected_answer", server_words=words, **facts)
    retry_after = None
    if issubclass(cause.error, Throttled):
        retry_after = _told_seconds(headers, trouble.message) or cause.retry_after_seconds
    return cause.error(cause.code, server_words=words, retry_after_seconds=retry_after, **facts)


def patience_seconds(error: ProviderError) -> float:
    """How long nobody may ask for anything of the mailbox, 0 for no rest."""
    if error.code in _OF_SENDING:
        return 0.0
    untold = UNTOLD_WAIT_SECONDS if isinstance(error, Throttled) else 0.0
    return untold if error.retry_after_seconds is None else error.retry_after_seconds


_OF_SENDING = frozenset({"google_sending_limit"})  # reading goes on
_RETRY_AFTER = re.compile(r"retry after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)", re.IGNORECASE)


def _told_seconds(headers: Mapping[str, str], message: str) -> float | None:
    """How long Google itself asks us to stay away: in the header (RFC 9110 section 10.2.3), or in the message."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return min(float(told[:9]), MOST_BELIEVED_SECONDS)
    until: datetime | None = None
    match = _RETRY_AFTER.search(message[:1_000])
    try:
        if told:
            until = parsedate_to_datetime(told)
        elif match is not None:
            until = datetime.fromisoformat(match[1].replace("Z", "+00:00"))
    except ValueError:
        return None
    if until is None:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 1.0), MOST_BELIEVED_SECONDS)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _shown(words: str) -> str:
    """Server words without controls, at most 500 characters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:500]
