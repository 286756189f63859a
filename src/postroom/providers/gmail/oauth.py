"""How permission for a Gmail mailbox is had (developers.google.com/identity/protocols/oauth2/web-server).

One restricted scope, gmail.modify, reads, sends and drafts; IMAP and SMTP know only the broadest one, mail.google.com
(developers.google.com/gmail/api/auth/scopes). `access_type=offline` with `prompt=consent` is the only way to be sure of
a refresh token.
"""

from __future__ import annotations

from postroom.providers.oauth import Endpoints, MailServers, OAuth, Scope

_ALL_MAIL = "https://mail.google.com/"
_GMAIL = "https://www.googleapis.com/auth/gmail."
_EMAIL = (
    Scope("openid", "See who you are, so that the right mailbox is connected", "sign_in"),
    Scope("email", "See your address", "sign_in", ("https://www.googleapis.com/auth/userinfo.email",)),
)

# What the sign-in page and the token endpoint say (developers.google.com/identity/protocols/oauth2/web-server).
REASONS = {
    "access_denied": "consent_refused",
    "admin_policy_enforced": "app_blocked_by_administrator",
    "org_internal": "app_internal_only",
    "disallowed_useragent": "browser_refused",
    "redirect_uri_mismatch": "app_redirect_refused",
    "deleted_client": "app_deleted",
    "invalid_rapt": "grant_expired",
    "rate_limit_exceeded": "sign_in_busy",
}

GMAIL = OAuth(
    owner="Google",
    environment="GOOGLE",
    endpoints=Endpoints(
        authorize="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",  # noqa: S106  an address
        keys="https://www.googleapis.com/oauth2/v3/certs",
        issuers=("https://accounts.google.com", "accounts.google.com"),
        api="https://gmail.googleapis.com",
        revoke="https://oauth2.googleapis.com/revoke",
    ),
    scopes={
        "api": (
            *_EMAIL,
            Scope(
                f"{_GMAIL}modify",
                "Read your mail, to put customers' messages on their records",
                "receiving",
                (_ALL_MAIL, f"{_GMAIL}readonly"),
            ),
            Scope(
                f"{_GMAIL}modify",
                "Write drafts and send the mail that you write in Postroom",
                "sending",
                (_ALL_MAIL,),  # gmail.compose may not search: no thread would be found, and no doubt resolved
            ),
        ),
        "servers": (
            *_EMAIL,
            Scope(_ALL_MAIL, "Read your mail by IMAP, to put customers' messages on their records", "receiving"),
            Scope(_ALL_MAIL, "Send the mail that you write in Postroom by SMTP", "sending"),
        ),
    },
    not_asked=(
        "Your password: you type it at Google, and Postroom never sees it",
        "Calendar, contacts, files or anything else of your Google account",
        "Postroom marks nothing as read, moves nothing and deletes nothing in your mailbox",
    ),
    servers=MailServers(
        imap_host="imap.gmail.com",
        imap_port=993,
        smtp_host="smtp.gmail.com",
        smtp_port=465,
        smtp_security="tls",
    ),
    authorize_parameters={"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"},
    profile_path="/gmail/v1/users/me/profile",
    profile_fields=("emailAddress",),
    reasons=REASONS,
    asks_topic=True,
    testing_days=7,  # External and Testing: the permission dies a week after consent, whether it is used or not
    domains=("gmail.com", "googlemail.com"),
)
