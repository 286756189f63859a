"""What servers say when they refuse, and what it means: one table for IMAP and SMTP.

Sources: research/providers.md 2.7 (strings from warmbly/warmbly `mailcause` and from servers that we ran) and the
threads named beside a row. A row matches when its host ends as told ("" is any) and the words hold the fragment in any
letter case. The first row that matches counts, so the particular ones stand first. SMTP's words begin with the number
of the reply, so a fragment with one never matches an answer of IMAP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from postroom.providers.errors import (
    NeedsAdministrator,
    NeedsReconnect,
    ProviderError,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
    WrongSettings,
)

ErrorClass: TypeAlias = type[ProviderError]

GMAIL = ("gmail.com", "googlemail.com")
MICROSOFT_365 = ("office365.com",)  # of organisations, whose administrators switch SMTP on and off
MICROSOFT = (*MICROSOFT_365, "outlook.com", "hotmail.com")
YAHOO = ("yahoo.com", "aol.com", "verizon.net")
ICLOUD = ("mail.me.com", "icloud.com")
ZOHO = ("zoho.com", "zoho.eu", "zoho.in", "zoho.jp", "zoho.com.au", "zohocloud.ca", "zoho.com.cn")
YANDEX = ("yandex.com", "yandex.ru", "yandex.net")
FASTMAIL = ("fastmail.com", "messagingengine.com")
MAIL_RU = ("mail.ru",)
COREMAIL = ("163.com", "126.com", "yeah.net", "188.com")
CODED = (*COREMAIL, "qq.com")  # an authorization code in place of the password
OWN_PASSWORD = ("t-online.de", "att.net")  # a password of its own for mail programs, set on the web
# IMAP is off until its owner switches it on, and their servers answer as to a wrong password.
OFF_UNTIL_ALLOWED = (
    "gmx.net",
    "gmx.com",
    "web.de",
    "mail.com",
    "naver.com",
    "daum.net",
    "seznam.cz",
    "wp.pl",
    "o2.pl",
    "onet.pl",
    "comcast.net",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One row: what the words hold, where (host endings), and what follows."""

    fragment: str
    error: ErrorClass
    code: str
    hosts: tuple[str, ...] = ()
    retry_after_seconds: float | None = None


_PATIENCE = (
    Cause("suggested backoff time", Throttled, "throttled", retry_after_seconds=300),  # Exchange says how long
    Cause("request is throttled", Throttled, "throttled", retry_after_seconds=300),
    Cause("too many simultaneous connections", Throttled, "too_many_connections", retry_after_seconds=300),
    Cause("too many connections", Throttled, "too_many_connections", retry_after_seconds=300),
    Cause("maximum number of connections", Throttled, "too_many_connections", retry_after_seconds=300),  # Dovecot
    Cause("too many login attempts", Throttled, "too_many_sign_ins", retry_after_seconds=900),
    Cause("exceeded command or bandwidth limits", Throttled, "bandwidth_spent", GMAIL, 3600),
    Cause("550 5.4.5", Throttled, "sending_limit", GMAIL, 3600),  # gen_smtp#140: "Daily user sending quota exceeded"
    Cause("submissionquotaexceeded", Throttled, "sending_limit", MICROSOFT, 3600),  # OfficeDocs-Support#1150
    Cause("sending limit", Throttled, "sending_limit", retry_after_seconds=3600),  # nodemailer#1137
    Cause("sending quota exceeded", Throttled, "sending_limit", retry_after_seconds=3600),
)

# Before all about accounts: "550 5.1.1 this account is suspended" is the recipient's, and no trouble of our mailbox.
_RECIPIENTS = (
    Cause("550 5.1.1", Refused, "recipient_unknown"),
    Cause("552 5.2.2", Refused, "recipient_full"),
    Cause("452 4.2.2", Throttled, "recipient_full_for_now", retry_after_seconds=3600),
)

_SIGN_IN = (
    Cause("application-specific password required", SignInRefused, "gmail_app_password", GMAIL),
    Cause("not enabled for imap use", NeedsAdministrator, "gmail_imap_off", GMAIL),
    Cause("imap access is disabled for your domain", NeedsAdministrator, "gmail_imap_off", GMAIL),
    Cause("web login required", SignInRefused, "browser_sign_in_needed", GMAIL),
    Cause("log in via your web browser", SignInRefused, "browser_sign_in_needed", GMAIL),
    Cause("username and password not accepted", SignInRefused, "gmail_app_password", GMAIL),
    Cause("invalid credentials", SignInRefused, "gmail_app_password", GMAIL),
    Cause("is disabled for the tenant", NeedsAdministrator, "microsoft_smtp_auth_off_everywhere", MICROSOFT),
    Cause("smtpclientauthentication is disabled", NeedsAdministrator, "microsoft_smtp_auth_off", MICROSOFT),
    Cause("550 5.7.30", SignInRefused, "microsoft_sends_no_passwords", MICROSOFT),
    Cause(
        "535 5.7.139 authentication unsuccessful, basic", SignInRefused, "microsoft_sends_no_passwords", MICROSOFT_365
    ),
    Cause("basic authentication is disabled", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("basic authentication is not supported", SignInRefused, "microsoft_sends_no_passwords", MICROSOFT),
    Cause("504 5.7.4 unrecognized", NeedsAdministrator, "microsoft_smtp_auth_off", MICROSOFT_365),
    Cause("unrecognized authentication type", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("login failed", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("authenticate failed", SignInRefused, "microsoft_no_passwords", MICROSOFT),
    Cause("security defaults", NeedsAdministrator, "microsoft_blocked_by_policy", MICROSOFT),
    Cause("did not meet the criteria", NeedsAdministrator, "microsoft_blocked_by_policy", MICROSOFT),
    Cause("authenticated but not connected", NeedsAdministrator, "microsoft_imap_off", MICROSOFT),
    Cause("account locked", NeedsReconnect, "account_locked"),
    Cause("account is locked", NeedsReconnect, "account_locked"),
    Cause("authentication unsuccessful", SignInRefused, "microsoft_password_refused", MICROSOFT),
    Cause("login invalid credentials", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("too many bad auth attempts", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("bad credentials", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("authenticationfailed", SignInRefused, "yahoo_app_password", YAHOO),
    Cause("authentication failed", SignInRefused, "icloud_app_password", ICLOUD),
    Cause("authenticationfailed", SignInRefused, "icloud_app_password", ICLOUD),
    Cause("yet to enable imap", NeedsReconnect, "imap_not_enabled"),
    Cause("authentication failed", SignInRefused, "zoho_app_password", ZOHO),
    Cause("invalid credentials", SignInRefused, "zoho_app_password", ZOHO),
    Cause("does not have access rights to this service", SignInRefused, "yandex_app_password"),
    Cause("or imap is disabled", SignInRefused, "yandex_app_password", YANDEX),  # Mailspring#2111
    Cause("authentication failed", SignInRefused, "yandex_app_password", YANDEX),
    Cause("authenticationfailed", SignInRefused, "fastmail_app_password", FASTMAIL),
    Cause("authentication failed", SignInRefused, "fastmail_app_password", FASTMAIL),
    Cause("neobhodim parol", SignInRefused, "mail_ru_app_password", MAIL_RU),  # lmanukyan/print-designer#5
    Cause("application password is required", SignInRefused, "mail_ru_app_password", MAIL_RU),
    Cause("authentication failed", SignInRefused, "mail_ru_app_password", MAIL_RU),
    Cause("unsafe login", NeedsReconnect, "coremail_unsafe_login", COREMAIL),
    Cause("authentication failed", SignInRefused, "authorization_code_needed", CODED),
    Cause("password error", SignInRefused, "authorization_code_needed", CODED),
    Cause("login fail", SignInRefused, "authorization_code_needed", CODED),  # chengazhen/cursor-auto-free#294
    Cause("user has no permission", SignInRefused, "authorization_code_needed", CODED),
    Cause("authenticationfailed", SignInRefused, "own_mail_password", OWN_PASSWORD),
    Cause("authentication failed", SignInRefused, "own_mail_password", OWN_PASSWORD),
    Cause("535 ", SignInRefused, "own_mail_password", OWN_PASSWORD),
    Cause("authenticationfailed", SignInRefused, "mail_programs_off", OFF_UNTIL_ALLOWED),
    Cause("authentication failed", SignInRefused, "mail_programs_off", OFF_UNTIL_ALLOWED),  # jens-maus/yam#638
    Cause("535 ", SignInRefused, "mail_programs_off", OFF_UNTIL_ALLOWED),
    Cause("application-specific password", SignInRefused, "app_password_needed"),
    Cause("application password", SignInRefused, "app_password_needed"),
    Cause("app password", SignInRefused, "app_password_needed"),
    Cause("imap is disabled", NeedsAdministrator, "imap_off"),
    Cause("imap access is disabled", NeedsAdministrator, "imap_off"),
    Cause("suspended", NeedsAdministrator, "account_closed"),
    Cause("account disabled", NeedsAdministrator, "account_closed"),
    Cause("account is disabled", NeedsAdministrator, "account_closed"),
)

_CODES = (  # response codes of RFC 5530, and what servers say about encryption and their own faults
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
)

_SENDING = (
    Cause("sendasdenied", Refused, "sender_not_allowed"),
    Cause("sender address rejected: not owned", Refused, "sender_not_allowed"),  # Postfix
    Cause("sender address is not allowed", Refused, "sender_not_allowed"),  # GMX, IONOS
    Cause("550 5.7.60", Refused, "sender_not_allowed"),  # Exchange: client does not have permissions to send as
    Cause("not permitted to relay", Refused, "relay_denied"),
    Cause("relay access denied", Refused, "relay_denied"),
    Cause("relaying denied", Refused, "relay_denied"),
    Cause("552 5.3.4", Refused, "message_too_large"),
    Cause("554 5.3.4", Refused, "message_too_large"),
    Cause("spam message rejected", Refused, "looks_like_spam"),
    Cause("spam message", Refused, "looks_like_spam"),
    Cause("550 5.7.26", Refused, "sender_not_proven"),  # Gmail: neither SPF nor DKIM
    Cause("550-5.7.26", Refused, "sender_not_proven"),
)

CAUSES = (*_PATIENCE, *_RECIPIENTS, *_SIGN_IN, *_CODES, *_SENDING)


def find_cause(host: str, words: str) -> Cause | None:
    """The first row of the table that fits, or None."""
    lowered, name = words.lower(), host.lower().rstrip(".")
    for cause in CAUSES:
        if cause.fragment in lowered and (not cause.hosts or is_at(name, cause.hosts)):
            return cause
    return None


def is_at(host: str, endings: tuple[str, ...]) -> bool:
    """Whether a host in lower case is one of these or below one of them."""
    return any(host == ending or host.endswith("." + ending) for ending in endings)
