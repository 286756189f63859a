"""What a FakeMicrosoft can be told to do wrong. Counters go down as they take effect; switches stay until taken back.

The names are those of the fake Google's faults wherever both can do the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft


@dataclass
class Faults:
    """Switches, counters and acts. `microsoft` is whom the acts are done to."""

    microsoft: FakeMicrosoft

    # Requests to Graph, whatever they ask for; the first that applies.
    throttle_next: tuple[int, str, float | None, int] | None = None  # status, code, retry_after seconds, count
    throttle_mailbox: str = ""  # only requests to this address are throttled
    retry_after_as_date: bool = False  # Retry-After as an HTTP date (RFC 9110 section 10.2.3)
    drop_next: int = 0  # the connection is reset, nothing was done
    fail_next: int = 0  # 503 without Retry-After
    delay_seconds: float = 0.0  # of every request, so that several are under way at once
    concurrency: int = 4  # requests of the app to one mailbox at once
    throttle_batch_parts: int = 0  # of the next parts of a $batch: 429 each
    retry_after_of_parts: float = 1.0

    # Sending (send, sendMail). "Time out": silence for `silence_seconds`, then the connection is reset.
    time_out_after_accepting: int = 0
    time_out_before_accepting: int = 0
    drop_after_accepting: int = 0
    fail_after_accepting: int = 0  # 503, and yet it was sent
    drop_ranges: int = 0  # of the next ranges of upload sessions: taken, and the answer is lost
    refuse_send: tuple[int, str, str] | None = None  # status, code and message for the next one
    silence_seconds: float = 5.0
    sent_copy_after_seconds: float = 0.0  # until then the message is 404 under its id
    replaces_message_id: bool = False  # a message leaves with a Message-ID of Microsoft's

    # Delta.
    expire_delta: Literal["", "410", "syncStateNotFound"] = ""  # what the next deltaLink is answered with
    expire_pages: int = 0  # of the next uses of a nextLink of a delta
    after_page: Callable[[], None] | None = None  # done after each page that has another one
    repeats_items: bool = False  # a page repeats items of the one before
    shuffles: bool = False  # items come in no order
    whole_updates: bool = False  # updated items carry all that was selected, not only what changed

    # OAuth.
    needs_admin_approval: bool = False  # members may not consent themselves, until an administrator has
    admin_approval_error: Literal["access_denied", "consent_required"] = "access_denied"
    needs_mfa: bool = False
    refuse_client: Literal["", "expired secret", "wrong secret", "unknown app"] = ""
    token_endpoint_status: int = 0  # answer of the token endpoint's next calls, e.g. 503
    token_endpoint_delay_seconds: float = 0.0
    drop_token_answers: int = 0  # of the next token requests: done, and the answer is lost
    access_token_seconds: int = 3599
    withheld_scopes: set[str] = field(default_factory=set)  # never granted, asked for or not
    id_token_claims: dict[str, object] = field(default_factory=dict)  # said instead of the truth

    # Subscriptions.
    skip_notifications: int = 0  # of the next changes: nobody is told
    repeats_notifications: bool = False

    def revoke(self, address: str) -> None:
        """Take back every token of that person, as an administrator does."""
        with self.microsoft.lock:
            self.microsoft.oauth.revoke(address)

    def expire_tokens(self, address: str = "") -> None:
        """Let every access token (of that person) be over now."""
        with self.microsoft.lock:
            self.microsoft.oauth.expire_tokens(address)

    def took(self, counter: str) -> bool:
        """Say whether this counter's fault is due, and count it down."""
        left = getattr(self, counter)
        if left:
            setattr(self, counter, left - 1)
        return bool(left)
