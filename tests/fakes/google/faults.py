"""What a FakeGoogle can be told to do wrong. Counters go down as they take effect; switches stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.google.server import FakeGoogle


@dataclass(frozen=True, slots=True)
class Throttle:
    """Answers that say "too much": `reason` as Google's body has it, `retry_after` in seconds (None: not told)."""

    status: int = 429
    reason: str = "rateLimitExceeded"
    retry_after: float | None = None
    in_header: bool = True  # as Retry-After; else in the message's words alone, as Gmail mostly does
    as_date: bool = False  # Retry-After as an HTTP date (RFC 9110 section 10.2.3)


@dataclass
class Faults:
    """Switches, counters and acts. `google` is whom the acts are done to."""

    google: FakeGoogle

    # Requests to the API, whatever they ask for; the first that applies.
    throttle_next: tuple[int, str, float | None, int] | None = None  # status, reason, retry_after seconds, count
    throttle: Throttle = field(default_factory=Throttle)  # how throttle_next and the quota tell when to come again
    drop_next: int = 0  # the connection is reset, nothing was done
    fail_next: int = 0  # 503 backendError
    delay_seconds: float = 0.0  # before each answer
    throttle_batch_parts: int = 0  # of the next batch: its last parts are 429

    # Sending (messages.send, drafts.send). "Time out": silence for `silence_seconds`, then the connection is reset.
    time_out_after_accepting: int = 0
    time_out_before_accepting: int = 0
    drop_after_accepting: int = 0
    fail_after_accepting: int = 0  # 503, and yet it was sent
    refuse_send: tuple[int, str, str] | None = None  # status, reason and message for the next one
    silence_seconds: float = 5.0
    replaces_message_id: bool = False
    drops_own_headers: bool = False  # X-… of ours
    search_lags_seconds: float = 0.0  # before rfc822msgid: finds a message

    # Listing.
    pages_shift: bool = False  # page tokens count messages instead of naming a place
    page_tokens_expire: bool = False  # each is refused
    after_page: Callable[[], None] | None = None  # done after each page of a list that has another one
    history_tells_labels: bool = True
    enforces_quota: bool = False
    units_a_minute: int = 6_000

    # Mailboxes by address, and the operator's project.
    mail_service_off: set[str] = field(default_factory=set)  # 400 failedPrecondition
    domain_refuses: set[str] = field(default_factory=set)  # 403 domainPolicy
    api_off: bool = False  # 403 accessNotConfigured

    # OAuth. What Google's page says instead of asking, for each address: "org_internal" or "admin_policy_enforced";
    # "access_denied" comes back to the application.
    refuses_to_ask: dict[str, str] = field(default_factory=dict)
    refuse_client: bool = False  # invalid_client for every call
    client_not_authorized: bool = False  # unauthorized_client
    token_endpoint_status: int = 0  # answer of the token endpoint's next calls, e.g. 503
    token_endpoint_delay_seconds: float = 0.0
    access_token_seconds: int = 3599
    tells_issuer: bool = True  # iss beside the code (RFC 9207)
    id_token_claims: dict[str, object] = field(default_factory=dict)  # said instead of the truth

    def expire_history(self, address: str = "") -> None:
        """Forget the history up to now: every id that was given out answers 404."""
        with self.google.lock:
            for mailbox in self.google.mailboxes_of(address):
                mailbox.history.forget()

    def revoke(self, address: str) -> None:
        """Take back every token of that person, as a changed password does."""
        with self.google.lock:
            self.google.oauth.revoke(address)

    def expire_tokens(self, address: str = "") -> None:
        """Let every access token (of that person) be over now."""
        with self.google.lock:
            self.google.oauth.expire_tokens(address)
