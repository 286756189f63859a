"""The error for what a server says when it refuses: by the table of causes.py, else as the caller expects it.

Server words are kept on the error for the fold "the server's words", scrubbed of the secrets we sent.
"""

from __future__ import annotations

import re
from typing import Any, Final

from postroom.providers.base import ServerSettings
from postroom.providers.errors import FolderGone, ProtocolViolation, ProviderError, Throttled, Unreachable, printable
from postroom.providers.imap.causes import ErrorClass, find_cause
from postroom.providers.imap.responses import Continuation, Event, Status, Stray

# How a server of another kind begins to talk (RFC 5321 section 4.2, RFC 3501 section 7.1, RFC 1939 section 3).
GREETINGS: Final = {"220": "smtp_answers", "* ": "imap_answers", "+OK": "pop_answers"}

_BACKOFF = re.compile(r"suggested backoff time:?\s*(\d{1,12})\s*([a-z]*)", re.IGNORECASE)


def scrub(words: str, *secrets: str) -> str:
    """Server words without our secrets, controls and lone surrogates, at most 500 characters."""
    for secret in secrets:
        if secret:
            words = words.replace(secret, "…")
    return " ".join(printable(words).split())[:500]


def error_for(
    host: str, words: str, otherwise: ErrorClass, code: str = "", *, secrets: tuple[str, ...] = (), **facts: Any
) -> ProviderError:
    """The error for a refusal: by the table, else `otherwise` with `code` (its default_code when empty)."""
    scrubbed = scrub(words, *secrets)
    facts = {"host": host} | facts
    cause = find_cause(host, words)
    if cause is None:
        return otherwise(code, server_words=scrubbed, **facts)
    retry_after = _told_seconds(words) or cause.retry_after_seconds
    return cause.error(cause.code, server_words=scrubbed, retry_after_seconds=retry_after, **facts)


def _told_seconds(words: str) -> float | None:
    """How long the server itself asks us to stay away: Exchange says it in milliseconds; a day at most is believed."""
    match = _BACKOFF.search(words[:1_000])
    if match is None:
        return None
    return min(int(match[1]) / (1 if (match[2] or "m").lower().startswith("s") else 1_000), 86_400.0)


def error_for_status(host: str, status: Status, otherwise: ErrorClass, code: str = "", **facts: Any) -> ProviderError:
    """The same for an IMAP status; a code that says where the folder went decides before the words do."""
    if otherwise is FolderGone and status.code and status.code.name in ("NONEXISTENT", "TRYCREATE", "NOPERM"):
        return FolderGone(code, server_words=scrub(status.words), host=host, **facts)
    return error_for(host, status.words, otherwise, code, **facts)


def error_for_reply(
    host: str,
    number: int,
    text: str,
    otherwise: ErrorClass,
    code: str = "",
    *,
    secrets: tuple[str, ...] = (),
    **facts: Any,
) -> ProviderError:
    """The same for an SMTP reply: what the table does not know is decided by the first digit (RFC 5321 4.2.1).

    4yz asks for patience, 5yz is final; 421 announces that the server closes the connection.
    """
    words = f"{number} {text}"
    if find_cause(host, words) is None and 400 <= number < 500:
        facts = {"host": host} | facts
        if number == 421:
            return Unreachable("server_unavailable", server_words=scrub(words, *secrets), **facts)
        return Throttled("try_later", server_words=scrub(words, *secrets), retry_after_seconds=300, **facts)
    return error_for(host, words, otherwise, code, secrets=secrets, **facts)


def other_service(line: str, settings: ServerSettings) -> ProtocolViolation:
    """The error for a first line that no server of the wanted kind says.

    Its words are not kept: whoever types a host and a port must not read what else is behind them.
    """
    code = next((code for begin, code in GREETINGS.items() if line.startswith(begin)), "no_mail_server")
    return ProtocolViolation(code, host=settings.host, port=settings.port)


def before_greeting(event: Event, settings: ServerSettings) -> ProtocolViolation | None:
    """The error for what no IMAP server says before its greeting; None for what one may say."""
    if isinstance(event, Continuation):
        return other_service(f"+{event.text}", settings)
    if isinstance(event, Stray) and "unavailable" not in event.text.lower():  # Exchange: "Server Unavailable. 15"
        return other_service(event.text, settings)
    return None
