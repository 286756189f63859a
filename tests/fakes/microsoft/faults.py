"""What can be made to go wrong, as switches and counters that tests set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

SendFault = Literal["late before", "late after", "torn before", "torn after", "unavailable before", "unavailable after"]


@dataclass(slots=True)
class Faults:
    """Counters say how many of the next requests are met; switches stay until they are taken back.

    A request that is "late" is held for `patience_seconds` and then torn: the client's time-out came first, or the
    connection broke while it waited. "before" and "after" say whether the message was accepted by then.
    """

    patience_seconds: float = 0.2
    latency_seconds: float = 0.0  # of every Graph request, so that several are under way at once
    # The next `count` Graph requests: (status, code, Retry-After, count). Retry-After: seconds, or None for none.
    throttle_next: tuple[int, str, float | None, int] | None = None
    throttle_mailbox: str = ""  # an address: only requests to it are throttled
    retry_after_as_date: bool = False  # RFC 9110 section 10.2.3
    throttle_parts: int = 0  # of the next parts of a $batch
    drop_next: int = 0  # Graph requests that are torn before anything is done
    time_out_before_accepting: int = 0  # of the next .../send or sendMail
    time_out_after_accepting: int = 0
    send_faults: list[SendFault] = field(default_factory=list)  # what meets the next sends, in order
    refuse_send: tuple[int, str, str] | None = None  # (status, code, message) of the next send
    sent_copy_after_seconds: float = 0.0  # until then the message is 404 under its id
    rewrites_message_id: bool = False  # a message leaves with a Message-ID of Microsoft's
    concurrency: int = 4  # Graph requests of one app to one mailbox at once

    # Delta.
    expire_delta: Literal["", "410", "syncStateNotFound"] = ""  # of the next use of a deltaLink, once
    expire_pages: int = 0  # of the next uses of a nextLink of a delta walk
    on_page: Callable[[str, int], None] | None = (
        None  # called before each page with the mailbox's address and its number
    )
    repeats_items: bool = False  # pages repeat items of the page before
    shuffles: bool = False  # order of items as bad luck has it
    whole_updates: bool = False  # updated items carry all that was selected, not just what changed

    # OAuth.
    needs_admin_approval: bool = False  # members may not consent themselves
    admin_approval_error: Literal["access_denied", "consent_required"] = "access_denied"
    client_error: Literal["", "expired secret", "wrong secret", "unknown app"] = ""
    token_unavailable: int = 0  # of the next token requests: 503
    token_late: int = 0  # of the next token requests: done, and the answer is torn
    token_latency_seconds: float = 0.0
    withheld_scopes: tuple[str, ...] = ()  # never granted, asked or not

    # Subscriptions.
    skips_notifications: int = 0  # of the next changes: nobody is told
    repeats_notifications: bool = False
