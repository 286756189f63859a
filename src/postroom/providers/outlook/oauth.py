"""How permission for an Outlook mailbox is had (learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow).

Graph's scopes have no host, so that they mean the cloud the endpoints lie in. One token is for one resource: scopes of
Graph and of outlook.office.com are never asked for together (AADSTS700022), hence the two ways. `offline_access` is
what a refresh token needs. Drafts and createReply, by which mail is sent, need Mail.ReadWrite besides Mail.Send.
"""

from __future__ import annotations

from postroom.providers.oauth import Endpoints, Feature, MailServers, OAuth, Scope
from postroom.providers.outlook.reasons import REASONS

_LOGIN = "https://login.microsoftonline.com/{tenant}"
_OFFICE = "https://outlook.office.com/"
_WHO = (
    Scope("openid", "See who you are, so that the right mailbox is connected", "sign_in"),
    Scope("profile", "See your name", "sign_in"),  # without it the ID token has no `oid`, which outlives registrations
    Scope("email", "See your address", "sign_in"),
    Scope("offline_access", "Stay connected until you disconnect the mailbox", "sign_in"),
)


def _graph(name: str, words: str, feature: Feature, *, for_shared: bool = False) -> Scope:
    """A scope of Graph; token answers may give its name with the host."""
    return Scope(name, words, feature, (f"https://graph.microsoft.com/{name}",), for_shared)


OUTLOOK = OAuth(
    owner="Microsoft",
    environment="MICROSOFT",
    endpoints=Endpoints(
        authorize=f"{_LOGIN}/oauth2/v2.0/authorize",
        token=f"{_LOGIN}/oauth2/v2.0/token",
        keys=f"{_LOGIN}/discovery/v2.0/keys",
        issuers=("https://login.microsoftonline.com/{tid}/v2.0",),
        api="https://graph.microsoft.com/v1.0",
        admin_consent=f"{_LOGIN}/v2.0/adminconsent",
    ),
    scopes={
        "api": (
            *_WHO,
            _graph("User.Read", "See your name and address", "sign_in"),
            _graph("Mail.ReadWrite", "Read your mail, to put customers' messages on their records", "receiving"),
            _graph("Mail.ReadWrite", "Write drafts of the mail that you send", "sending"),
            _graph("Mail.Send", "Send the mail that you write in Postroom", "sending"),
            _graph("Mail.ReadWrite.Shared", "Read the shared mailbox that you name", "receiving", for_shared=True),
            _graph("Mail.ReadWrite.Shared", "Write drafts in the shared mailbox", "sending", for_shared=True),
            _graph("Mail.Send.Shared", "Send from the shared mailbox that you name", "sending", for_shared=True),
        ),
        "servers": (
            *_WHO,
            Scope(
                f"{_OFFICE}IMAP.AccessAsUser.All",
                "Read your mail by IMAP, to put customers' messages on their records",
                "receiving",
            ),
            Scope(f"{_OFFICE}SMTP.Send", "Send the mail that you write in Postroom by SMTP", "sending"),
        ),
    },
    not_asked=(
        "Your password: you type it at Microsoft, and Postroom never sees it",
        "Calendar, contacts, Teams, files or anything else of your Microsoft account",
        "Postroom marks nothing as read, moves nothing and deletes nothing in your mailbox",
    ),
    servers=MailServers(
        imap_host="outlook.office365.com",
        imap_port=993,
        smtp_host="smtp.office365.com",
        smtp_port=587,
        smtp_security="starttls",
    ),
    authorize_parameters={"response_mode": "query", "prompt": "select_account"},
    asks_tenant=True,
    default_tenant="common",
    subject_claims=("tid", "oid"),
    profile_path="/me?$select=mail,userPrincipalName",
    profile_fields=("mail", "userPrincipalName"),
    reasons=REASONS,
    domains=(
        "outlook.com",
        "hotmail.com",
        "live.com",
        "msn.com",
        "outlook.de",
        "hotmail.de",
        "live.de",
        "hotmail.co.uk",
    ),
)
