"""Every row of the table of Graph's refusals, and what is kept of the server's words."""

from __future__ import annotations

from typing import get_args

import pytest

from postroom.providers.catalogue import CATALOGUE
from postroom.providers.errors import NeedsReconnect, Throttled, Unreachable
from postroom.providers.outlook.errors import CAUSES, UNTOLD_WAIT_SECONDS, Cause, error_for, find_cause
from postroom.providers.outlook.requests import About
from postroom.providers.outlook.responses import Answer, read_answer

TOKEN_REFUSED = (
    b'{"error": {"code": "InvalidAuthenticationToken", "message": "Lifetime validation failed, the token is expired.",'
    b' "innerError": {"date": "2026-11-23T08:00:00", "request-id": "a"}}}'
)


def name_of(cause: Cause) -> str:
    return "-".join(str(one) for one in (cause.status, cause.graph_code, cause.about, cause.is_shared) if one)


def statuses_of(cause: Cause) -> list[int]:
    return [cause.status] if cause.status else [400, 403, 404, 500]


@pytest.mark.parametrize("cause", CAUSES, ids=name_of)
def test_every_row_is_reached(cause: Cause) -> None:
    """A row that an earlier one hides would be a mistake: each is the answer to something."""
    reached = [
        find_cause(status, cause.graph_code or "unheardOf", about, shared)
        for status in (*statuses_of(cause), 418)
        for about in ([cause.about] if cause.about else get_args(About))
        for shared in ([cause.is_shared] if cause.is_shared is not None else [True, False])
    ]
    assert any(found is cause for found in reached)


@pytest.mark.parametrize("cause", CAUSES, ids=name_of)
def test_every_row_has_words(cause: Cause) -> None:
    assert cause.code in CATALOGUE


@pytest.mark.parametrize(
    ("status", "code", "about", "shared", "error", "our_code"),
    [
        (401, "InvalidAuthenticationToken", "mailbox", False, "NeedsReconnect", "needs_reconnect"),
        (401, "", "sending", False, "NeedsReconnect", "needs_reconnect"),
        (403, "ErrorAccessDenied", "folder", False, "NeedsReconnect", "microsoft_permission_missing"),
        (403, "ErrorAccessDenied", "folder", True, "NeedsAdministrator", "microsoft_shared_not_allowed"),
        (404, "ErrorItemNotFound", "mailbox", True, "NeedsAdministrator", "microsoft_shared_not_allowed"),
        (404, "ErrorInvalidUser", "mailbox", True, "WrongSettings", "microsoft_shared_unknown"),
        (404, "MailboxNotEnabledForRESTAPI", "mailbox", False, "NeedsAdministrator", "microsoft_no_mailbox"),
        (404, "MailboxNotEnabledForRESTAPI", "folder", True, "NeedsAdministrator", "microsoft_no_mailbox"),
        (403, "ErrorSendAsDenied", "sending", True, "Refused", "send_as_denied"),
        (404, "ErrorItemNotFound", "message", False, "MessageGone", "message_gone"),
        (404, "ErrorItemNotFound", "folder", True, "FolderGone", "folder_gone"),
        (404, "ErrorFolderNotFound", "message", False, "FolderGone", "folder_gone"),
        (400, "ErrorInvalidIdMalformed", "folder", False, "FolderGone", "folder_gone"),
        (400, "ErrorInvalidIdMalformed", "message", False, "MessageGone", "message_gone"),
        (410, "resyncRequired", "folder", False, "ListingExpired", "listing_expired"),
        (410, "", "folder", False, "ListingExpired", "listing_expired"),
        (400, "SyncStateNotFound", "folder", False, "ListingExpired", "listing_expired"),
        (404, "syncStateNotFound", "folder", False, "ListingExpired", "listing_expired"),
        (429, "ApplicationThrottled", "folder", False, "Throttled", "throttled"),
        (429, "MailboxConcurrency", "message", False, "Throttled", "throttled"),
        (503, "ErrorServerBusy", "folder", False, "Throttled", "throttled"),
        (503, "", "folder", False, "Unreachable", "server_unavailable"),
        (504, "UnknownError", "folder", False, "Unreachable", "server_unavailable"),
        (507, "ErrorQuotaExceeded", "sending", False, "Refused", "mailbox_full"),
        (413, "RequestEntityTooLarge", "sending", False, "Refused", "message_too_large"),
        (400, "ErrorInvalidRecipients", "sending", False, "Refused", "recipients_refused"),
        (400, "BadRequest", "sending", False, "Refused", "refused"),
        (400, "BadRequest", "folder", False, "ProtocolViolation", "unexpected_answer"),
        (403, "unheardOf", "folder", False, "NeedsAdministrator", "needs_administrator"),
    ],
)
def test_a_refusal_means(status: int, code: str, about: About, shared: bool, error: str, our_code: str) -> None:
    body = {"error": {"code": code, "message": "So it is."}}
    raised = error_for(Answer(status, {}, b"", body), about, is_shared=shared, host="graph.test")
    assert (type(raised).__name__, raised.code) == (error, our_code)
    assert raised.server_words == f"{status} {code}: So it is." and raised.facts == {"host": "graph.test"}


@pytest.mark.parametrize("status", [429, 503, 504])
def test_a_retry_after_asks_for_patience_whatever_the_status(status: int) -> None:
    raised = error_for(Answer(status, {"retry-after": "17"}), "folder")
    assert isinstance(raised, Throttled) and raised.retry_after_seconds == 17.0


def test_throttling_that_names_no_time_is_given_one() -> None:
    assert error_for(Answer(429), "folder").retry_after_seconds == UNTOLD_WAIT_SECONDS
    assert error_for(Answer(429, {"retry-after": "0"}), "folder").retry_after_seconds == 0.0
    assert isinstance(error_for(Answer(503, {"retry-after": "soon"}), "folder"), Unreachable)


def test_the_servers_words_are_kept_on_one_short_line() -> None:
    answer = read_answer(401, {"Content-Type": "application/json; charset=utf-8"}, TOKEN_REFUSED)
    raised = error_for(answer, "mailbox")
    assert isinstance(raised, NeedsReconnect)
    assert raised.server_words == ("401 InvalidAuthenticationToken: Lifetime validation failed, the token is expired.")
    long = Answer(500, {}, b"", {"error": {"code": "x", "message": "a\r\nb\0" + "c" * 900}})
    words = error_for(long, "folder").server_words
    assert words.startswith("500 x: a b ccc") and len(words) == 500
    assert error_for(Answer(502, {}, b"<html>"), "folder").server_words == "502"
