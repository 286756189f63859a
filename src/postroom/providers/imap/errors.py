"""What servers say when they refuse, and what it means: one table for IMAP and SMTP.

Sources: research/providers.md 2.7 (strings from warmbly/warmbly `mailcause` and from servers that we ran). A row
matches when its host ends as told ("" is any), the protocol fits, and the words hold the fragment in any letter case.
The first row that matches counts, so the particular ones stand first. Server words are kept on the error for the
fold "the server's words", scrubbed of the secrets we sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from postroom.providers.errors import (
    FolderGone,
    NeedsAdministrator,
    NeedsReconnect,
    ProviderError,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
    WrongSettings,
)
from postroom.providers.imap.responses import Status

ErrorClass: TypeAlias = type[ProviderError]

GMAIL = ("gmail.com", "googlemail.com")
MICROSOFT = ("office365.com", "outlook.com", "hotmail.com")
YAHOO = ("yahoo.com", "aol.com", "verizon.net")
COREMAIL = ("163.com", "126.com", "yeah.net", "188.com")


_BACKOFF = re.compile(r"suggested backoff time:?\s*(\d{1,12})\s*([a-z]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cause:
    """One row: where (host endings), what the words hold, and what follows."""

    fragment: str
    error: ErrorClass
    code: str
    hosts: tuple[str, ...] = ()
    retry_after_seconds: float | None = None


CAUSES = (
    Cause("suggested backoff time", Throttled, "throttled", retry_after_seconds=300),  # Exchange; see _told_seconds
    Cause("request is throttled", Throttled, "throttled", retry_after_seconds=300),
    Cause("application-specific password required", SignInRefused, "gmail_app_password", GMAIL),
    Cause("not enabled for imap use", NeedsAdministrator, "gmail_imap_off", GMAIL),
    Cause("imap access is disabled for your domain", NeedsAdministrator, "gmail_imap_off", GMAIL),
    Cause("web login required", SignInRefused, "browser_sign_in_needed", GMAIL),
    Cause("log in via your web browser", SignInRefused, "browser_sign_in_needed", GMAIL),
    Cause("too many simultaneous connections", Throttled, "too_many_connections", retry_after_seconds=300),
    Cause("too many connections", Throttled, "too_many_connections", retry_after_seconds=300),
    Cause("maximum number of connections", Throttled, "too_many_connections", retry_after_seconds=300),  # Dovecot
    Cause("too many login attempts", Throttled, "too_many_sign_ins", retry_after_seconds=900),
    Cause("exceeded command or bandwidth limits", Throttled, "bandwidth_spent", GMAIL, 3600),
    Cause("username and password not accepted", SignInRefused, "gmail_app_password", GMAIL),
    Cause("invalid credentials", SignInRefused, "gmail_app_password", GMAIL),
    Cause("smtpclientauthentication is disabled", NeedsAdministrator, "microsoft_smtp_auth_off", MICROSOFT),
    Cause("basic authentication is disabled", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("550 5.7.30", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("unrecognized authentication type", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("login failed", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("authenticate failed", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("security defaults", NeedsAdministrator, "microsoft_blocked_by_policy", MICROSOFT),
    Cause("did not meet the criteria", NeedsAdministrator, "microsoft_blocked_by_policy", MICROSOFT),
    Cause("authenticated but not connected", NeedsAdministrator, "microsoft_imap_off", MICROSOFT),
    Cause("account locked", NeedsReconnect, "account_locked"),
    Cause("authentication unsuccessful", SignInRefused, "sign_in_refused", MICROSOFT),
    Cause("login invalid credentials", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("too many bad auth attempts", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("bad credentials", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("authenticationfailed", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("authentication failed", SignInRefused, "icloud_app_password", ("mail.me.com", "icloud.com")),
    Cause("authenticationfailed", SignInRefused, "icloud_app_password", ("mail.me.com", "icloud.com")),
    Cause("yet to enable imap", NeedsAdministrator, "imap_off"),
    Cause(
        "authentication failed", SignInRefused, "zoho_app_password", ("zoho.com", "zoho.eu", "zoho.in", "zohocloud.ca")
    ),
    Cause("does not have access rights to this service", SignInRefused, "yandex_app_password"),
    Cause("authenticationfailed", SignInRefused, "fastmail_app_password", ("fastmail.com", "messagingengine.com")),
    Cause("unsafe login", NeedsReconnect, "coremail_unsafe_login", COREMAIL),
    Cause("authentication failed", SignInRefused, "authorization_code_needed", (*COREMAIL, "qq.com")),
    Cause("password error", SignInRefused, "authorization_code_needed", (*COREMAIL, "qq.com")),
    Cause("imap is disabled", NeedsAdministrator, "imap_off"),
    Cause("imap access is disabled", NeedsAdministrator, "imap_off"),
    Cause("suspended", NeedsAdministrator, "account_closed"),
    Cause("account disabled", NeedsAdministrator, "account_closed"),
    Cause("account is disabled", NeedsAdministrator, "account_closed"),
    Cause("[privacyrequired]", WrongSettings, "encryption_required"),
    Cause("must issue a starttls command first", WrongSettings, "encryption_required"),
    Cause("plaintext authentication disallowed", WrongSettings, "encryption_required"),
    Cause("server unavailable", Unreachable, "server_unavailable"),
    Cause("[unavailable]", Unreachable, "server_unavailable"),
    Cause("temporary authentication failure", Unreachable, "server_unavailable"),
    Cause("[serverbug]", Unreachable, "server_unavailable"),
    Cause("[inuse]", Throttled, "mailbox_in_use", retry_after_seconds=60),
    Cause("[limit]", Throttled, "limit_reached", retry_after_seconds=900),
    Cause("[throttled]", Throttled, "throttled", retry_after_seconds=300),
    Cause("[overquota]", Refused, "mailbox_full"),
    Cause("[expired]", NeedsReconnect, "password_expired"),
    Cause("[contactadmin]", NeedsAdministrator, "needs_administrator"),
    Cause("[authenticationfailed]", SignInRefused, "sign_in_refused"),
    Cause("[authorizationfailed]", SignInRefused, "sign_in_refused"),
    Cause("sendasdenied", Refused, "sender_not_allowed"),
    Cause("sender address rejected: not owned", Refused, "sender_not_allowed"),
    Cause("not permitted to relay", Refused, "sender_not_allowed"),
)


def find_cause(host: str, words: str) -> Cause | None:
    """The first row of the table that fits, or None."""
    lowered, name = words.lower(), host.lower().rstrip(".")
    for cause in CAUSES:
        if cause.fragment in lowered and (not cause.hosts or _ends_in(name, cause.hosts)):
            return cause
    return None


def _ends_in(host: str, endings: tuple[str, ...]) -> bool:
    return any(host == ending or host.endswith("." + ending) for ending in endings)


def scrub(words: str, *secrets: str) -> str:
    """Server words without our secrets, controls and lone surrogates, at most 500 characters."""
    for secret in secrets:
        if secret:
            words = words.replace(secret, "…")
    shown = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(shown.split())[:500]


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
