"""What Google says when it refuses: each row of the table, in the words of its documentation."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from postroom.providers import errors
from postroom.providers.catalogue import CATALOGUE
from postroom.providers.gmail.errors import CAUSES, Cause, error_for, find_cause, trouble_of

CONCURRENT = "Too many concurrent requests for user."
SENDING = "User-rate limit exceeded (Mail sending)"
NO_GMAIL = "Mail service not enabled"
ADMIN, OWNER, WAIT = errors.NeedsAdministrator, errors.NeedsReconnect, errors.Throttled
NO, GONE, AGAIN = errors.Refused, errors.MessageGone, errors.Unreachable
RATE = "User-rate limit exceeded.  Retry after 2026-01-01T00:00:00.000Z"


def body(message: str = "", *reasons: str, status: str = "", details: tuple[str, ...] = ()) -> bytes:
    told: dict[str, Any] = {"code": 400, "message": message}
    if reasons:
        told["errors"] = [{"domain": "global", "reason": reason, "message": message} for reason in reasons]
    if status:
        told["status"] = status
    if details:
        told["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": one} for one in details]
    return json.dumps({"error": told}).encode()


SAYINGS: list[tuple[int, bytes, type[errors.ProviderError], str]] = [
    (400, body(NO_GMAIL, "failedPrecondition"), ADMIN, "gmail_not_enabled"),
    (400, body(NO_GMAIL, status="FAILED_PRECONDITION"), ADMIN, "gmail_not_enabled"),
    (400, body("Precondition check failed.", "failedPrecondition"), NO, "google_rejects"),
    (400, body("Invalid id value", "invalidArgument"), GONE, "message_gone"),
    (400, body("Invalid id value", status="INVALID_ARGUMENT"), GONE, "message_gone"),
    (400, body("Invalid label: X", "invalidArgument"), NO, "google_rejects"),
    (400, body("'raw' RFC822 payload message string required", "badRequest"), NO, "google_rejects"),
    (401, body("Invalid Credentials", "authError"), OWNER, "needs_reconnect"),
    (401, b"", OWNER, "needs_reconnect"),
    (403, body("Invalid Credentials", "authError"), OWNER, "needs_reconnect"),
    (403, body("Gmail API has not been used in project 1", "accessNotConfigured"), ADMIN, "gmail_api_off"),
    (403, body("off", status="PERMISSION_DENIED", details=("SERVICE_DISABLED",)), ADMIN, "gmail_api_off"),
    (403, body("Daily Limit Exceeded", "dailyLimitExceeded"), WAIT, "google_daily_limit"),
    (403, body("Quota exceeded", "quotaExceeded"), WAIT, "google_daily_limit"),
    (403, body("The domain administrators have disabled Gmail apps.", "domainPolicy"), ADMIN, "google_domain_policy"),
    (403, body("insufficient authentication scopes", "insufficientPermissions"), OWNER, "google_permission_missing"),
    (403, body("no", details=("ACCESS_TOKEN_SCOPE_INSUFFICIENT",)), OWNER, "google_permission_missing"),
    (429, body("Bandwidth limit exceeded", "rateLimitExceeded"), WAIT, "bandwidth_spent"),
    (403, body("Bandwidth limit exceeded", "rateLimitExceeded"), WAIT, "bandwidth_spent"),
    (403, body("Bandwidth limit exceeded", "userRateLimitExceeded"), WAIT, "bandwidth_spent"),
    (429, body(SENDING, "rateLimitExceeded"), WAIT, "google_sending_limit"),
    (403, body(SENDING, "userRateLimitExceeded"), WAIT, "google_sending_limit"),
    (429, body(CONCURRENT, "rateLimitExceeded"), WAIT, "throttled"),
    (403, body(RATE, "rateLimitExceeded"), WAIT, "throttled"),
    (403, body(RATE, "userRateLimitExceeded"), WAIT, "throttled"),
    (403, body("Quota exceeded for quota metric", details=("RATE_LIMIT_EXCEEDED",)), WAIT, "throttled"),
    (429, body(RATE, "rateLimitExceeded"), WAIT, "throttled"),
    (403, body("Delegation denied", "forbidden"), ADMIN, "google_forbids"),
    (404, body("Requested entity was not found.", "notFound"), GONE, "message_gone"),
    (413, b"<html>", NO, "message_too_large"),
    (500, body("Backend Error", "backendError"), AGAIN, "server_unavailable"),
    (502, b"<html>Bad gateway</html>", AGAIN, "server_unavailable"),
    (503, body("Backend Error", "backendError"), AGAIN, "server_unavailable"),
    (504, b"", AGAIN, "server_unavailable"),
    (302, b"", errors.ProtocolViolation, "unexpected_answer"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "octets", "kind", "code"), SAYINGS)
def test_each_saying_has_its_class_and_code(
    status: int, octets: bytes, kind: type[errors.ProviderError], code: str
) -> None:
    error = error_for(status, octets, {}, host="gmail.googleapis.com", username="ann@example.test")
    assert (type(error), error.code) == (kind, code)
    assert error.code in CATALOGUE
    assert error.facts["host"] == "gmail.googleapis.com"
    assert str(status) in error.server_words


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause.status} {cause.reason} {cause.fragment}")
def test_each_row_of_the_table_is_reached_by_a_saying(cause: Cause) -> None:
    assert any(find_cause(trouble_of(status, octets)) is cause for status, octets, _, _ in SAYINGS)


@pytest.mark.parametrize(
    "octets",
    [b"", b"[]", b"null", b'{"error": "invalid_grant"}', b'{"error": {"errors": [1, {"reason": 7}], "message": {}}}',
     b'{"error": {"errors": {}, "details": 5, "status": []}}', b"[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
def test_a_body_that_makes_no_sense_leaves_the_status_to_decide(octets: bytes) -> None:
    assert isinstance(error_for(503, octets, {}, host="h"), errors.Unreachable)
    assert isinstance(error_for(429, octets, {}, host="h"), errors.Throttled)


def test_how_long_to_stay_away_is_told_in_three_ways() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=90)
    in_words = body(f"User-rate limit exceeded.  Retry after {soon:%Y-%m-%dT%H:%M:%S}.123Z", "userRateLimitExceeded")
    plain = body("too much", "userRateLimitExceeded")
    ways: list[tuple[bytes, dict[str, str]]] = [
        (in_words, {}),
        (plain, {"retry-after": "90"}),
        (plain, {"retry-after": format_datetime(soon, usegmt=True)}),
    ]
    for octets, headers in ways:
        error = error_for(403, octets, headers, host="h")
        assert error.retry_after_seconds == pytest.approx(90, abs=3)


@pytest.mark.parametrize("told", ["", "soon", "-5", "٣", "Mon, 99 Foo 2026", "999999999999999999999"])
def test_nonsense_about_time_is_a_day_at_most(told: str) -> None:
    error = error_for(429, b"", {"retry-after": told}, host="h")
    assert error.retry_after_seconds is None or error.retry_after_seconds <= 86_400


def test_a_moment_that_has_passed_is_a_second() -> None:
    assert error_for(403, body(RATE, "userRateLimitExceeded"), {}, host="h").retry_after_seconds == 1


def test_google_s_words_are_kept_without_controls() -> None:
    error = error_for(400, body("Invalid\r\nlabel:\x1b[31m X" + "y" * 900, "invalidArgument"), {}, host="h")
    assert error.server_words.isprintable() and len(error.server_words) <= 500
