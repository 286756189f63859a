"""What Graph says when it refuses, and what it means: one table, by status, code and what the call was about.

Sources: learn.microsoft.com/graph/errors, /graph/throttling, /graph/delta-query-overview; research/providers.md 2.4.
The first row that fits counts, so the particular ones stand first. Codes are compared in any letter case: Graph itself
writes "SyncStateNotFound" and "syncStateNotFound".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from postroom.providers.errors import (
    FolderGone,
    ListingExpired,
    MessageGone,
    NeedsAdministrator,
    NeedsReconnect,
    ProtocolViolation,
    ProviderError,
    Refused,
    Throttled,
    Unreachable,
    WrongSettings,
)
from postroom.providers.outlook.requests import About
from postroom.providers.outlook.responses import Answer

ErrorClass: TypeAlias = type[ProviderError]
UNTOLD_WAIT_SECONDS = 10.0  # where throttling comes without a Retry-After


@dataclass(frozen=True, slots=True)
class Cause:
    """One row: 0, "" and None fit any. `is_shared` tells a mailbox of another address from one's own."""

    status: int
    graph_code: str
    error: ErrorClass
    code: str
    about: About | None = None
    is_shared: bool | None = None

    def fits(self, status: int, graph_code: str, about: About, is_shared: bool) -> bool:
        return (
            self.status in (0, status)
            and self.graph_code.lower() in ("", graph_code.lower())
            and self.about in (None, about)
            and self.is_shared in (None, is_shared)
        )


CAUSES = (
    # the cursor: delta-query-overview, "Synchronization reset"
    Cause(0, "syncStateNotFound", ListingExpired, "listing_expired"),
    Cause(0, "syncStateInvalid", ListingExpired, "listing_expired"),
    Cause(0, "resyncRequired", ListingExpired, "listing_expired"),
    Cause(0, "resyncChangesApplyDifferences", ListingExpired, "listing_expired"),
    Cause(0, "resyncChangesUploadDifferences", ListingExpired, "listing_expired"),
    Cause(0, "ErrorInvalidSyncStateData", ListingExpired, "listing_expired"),
    Cause(410, "", ListingExpired, "listing_expired"),
    # patience; how many messages are sent in a day is another limit than how often Graph is asked
    Cause(0, "ErrorSubmissionQuotaExceeded", Throttled, "sending_limit"),
    Cause(0, "ErrorExceededMessageLimit", Throttled, "sending_limit"),
    Cause(429, "", Throttled, "throttled"),
    Cause(0, "ApplicationThrottled", Throttled, "throttled"),
    Cause(0, "TooManyRequests", Throttled, "throttled"),
    Cause(0, "ErrorTooManyObjectsOpened", Throttled, "throttled"),
    Cause(0, "ErrorServerBusy", Throttled, "throttled"),
    # the permission
    Cause(0, "InvalidAuthenticationToken", NeedsReconnect, "needs_reconnect"),
    Cause(401, "", NeedsReconnect, "needs_reconnect"),
    Cause(0, "ErrorSendAsDenied", Refused, "send_as_denied"),
    Cause(0, "ErrorAccountSuspend", NeedsReconnect, "browser_sign_in_needed"),
    Cause(0, "ErrorAccessDenied", NeedsAdministrator, "microsoft_shared_not_allowed", is_shared=True),
    Cause(0, "ErrorAccessDenied", NeedsReconnect, "microsoft_permission_missing"),
    Cause(0, "Authorization_RequestDenied", NeedsAdministrator, "microsoft_shared_not_allowed", is_shared=True),
    Cause(0, "Authorization_RequestDenied", NeedsReconnect, "microsoft_permission_missing"),
    # the mailbox
    Cause(0, "MailboxNotEnabledForRESTAPI", NeedsAdministrator, "microsoft_no_mailbox"),
    Cause(0, "MailboxNotSupportedForRESTAPI", NeedsAdministrator, "microsoft_no_mailbox"),
    Cause(0, "ErrorNonExistentMailbox", WrongSettings, "microsoft_shared_unknown", is_shared=True),
    Cause(0, "ErrorInvalidUser", WrongSettings, "microsoft_shared_unknown", is_shared=True),
    Cause(0, "Request_ResourceNotFound", WrongSettings, "microsoft_shared_unknown", is_shared=True),
    Cause(0, "ResourceNotFound", WrongSettings, "microsoft_shared_unknown", is_shared=True),
    Cause(0, "ErrorNonExistentMailbox", NeedsAdministrator, "microsoft_no_mailbox"),
    Cause(0, "ErrorInvalidUser", NeedsAdministrator, "microsoft_no_mailbox"),
    Cause(0, "ResourceNotFound", NeedsAdministrator, "microsoft_no_mailbox", about="mailbox"),
    # Exchange hides what one may not see: the inbox of a mailbox without rights is "not found".
    Cause(
        404, "ErrorItemNotFound", NeedsAdministrator, "microsoft_shared_not_allowed", about="mailbox", is_shared=True
    ),
    Cause(0, "ErrorIrresolvableConflict", Unreachable, "server_unavailable"),  # somebody changes it at this moment
    Cause(0, "ErrorMailboxMoveInProgress", Unreachable, "server_unavailable"),
    Cause(0, "ErrorMailboxStoreUnavailable", Unreachable, "server_unavailable"),
    Cause(0, "ErrorQuotaExceeded", Refused, "mailbox_full"),
    Cause(507, "", Refused, "mailbox_full"),
    # folders and messages
    Cause(0, "ErrorFolderNotFound", FolderGone, "folder_gone"),
    Cause(404, "", FolderGone, "folder_gone", about="folder"),
    Cause(400, "ErrorInvalidIdMalformed", FolderGone, "folder_gone", about="folder"),
    Cause(404, "", MessageGone, "message_gone", about="message"),
    Cause(400, "ErrorInvalidIdMalformed", MessageGone, "message_gone", about="message"),
    Cause(404, "", NeedsAdministrator, "microsoft_no_mailbox", about="mailbox"),
    # sending
    Cause(0, "ErrorMessageSizeExceeded", Refused, "message_too_large"),
    Cause(413, "", Refused, "message_too_large"),
    Cause(0, "ErrorInvalidRecipients", Refused, "recipients_refused"),
    # faults of their own
    Cause(500, "", Unreachable, "server_unavailable"),
    Cause(502, "", Unreachable, "server_unavailable"),
    Cause(503, "", Unreachable, "server_unavailable"),
    Cause(504, "", Unreachable, "server_unavailable"),
    Cause(403, "", NeedsAdministrator, "needs_administrator"),
    Cause(0, "", Refused, "refused", about="sending"),
    Cause(0, "", ProtocolViolation, "unexpected_answer"),
)


def find_cause(status: int, graph_code: str, about: About, is_shared: bool) -> Cause:
    """The first row that fits; the last fits everything."""
    return next(cause for cause in CAUSES if cause.fits(status, graph_code, about, is_shared))


def error_for(answer: Answer, about: About, *, is_shared: bool = False, **facts: Any) -> ProviderError:
    """The error that an answer is. A 5xx with a Retry-After asks for patience, as 429 does (graph/throttling)."""
    graph_code, words = answer.error()
    cause = find_cause(answer.status, graph_code, about, is_shared)
    error, code, retry_after = cause.error, cause.code, answer.retry_after_seconds
    if error is Unreachable and retry_after is not None:
        error, code = Throttled, "throttled"
    if error is Throttled and retry_after is None:
        retry_after = UNTOLD_WAIT_SECONDS
    return error(code, server_words=_shown(answer.status, graph_code, words), retry_after_seconds=retry_after, **facts)


def _shown(status: int, graph_code: str, words: str) -> str:
    """The server's words on one line of at most 500 characters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in f"{status} {graph_code}: {words}")
    return " ".join(shown.split()).rstrip(" :")[:500]
