"""The words for people about every error code: what happened, who can act, what to do.

Web, API, command line and docs read this and nothing else. Facts of an error (host, port, username …) fill the braces;
a fact that is missing becomes a plain word, and nothing in a fact is ever read as markup or as another brace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Who = Literal["you", "mail administrator", "Postroom administrator", "nobody"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. `fix` are steps in order, empty when there is nothing to do; `docs` is its place on the help page,
    relative to the address of Postroom."""

    code: str
    title: str
    what: str
    fix: tuple[str, ...]
    who: Who
    docs: str


_MISSING = {
    "host": "the mail server",
    "username": "this user",
    "server": "mail",
    "provider": "this kind of mailbox",
    "limit": "its limit",
    "size": "too many",
    "address": "this address",
    "folder": "a folder",
    "permissions": "a permission",
    "expected": "another account",
}
_BRACE = re.compile(r"\{(\w+)\}")


def explain(code: str, **facts: object) -> Entry:
    """The entry of that code with the facts filled in; an unknown code gets the words of "provider_error"."""
    entry = CATALOGUE.get(code) or replace(CATALOGUE["provider_error"], code=code)

    def fill(text: str) -> str:
        if not facts.get("port"):
            text = text.replace(" on port {port}", "")
        filled = _BRACE.sub(lambda match: _shown(match[1], facts), text)
        begins_with_fact = text.startswith("{") and facts.get(text[1 : text.index("}")])
        return filled if begins_with_fact else filled[:1].upper() + filled[1:]

    return replace(entry, title=fill(entry.title), what=fill(entry.what), fix=tuple(map(fill, entry.fix)))


def explain_check(code: str, **facts: object) -> Entry:
    """The entry for a step of a connection check, after which nothing goes on by itself."""
    entry = explain(code or "provider_error", **facts)
    if entry.who == "nobody":
        entry = replace(entry, who="you", fix=(*entry.fix, "Check the connection again."))
    return replace(entry, what=entry.what.removesuffix(" " + _RETRY))


def _shown(name: str, facts: dict[str, object]) -> str:
    value = facts.get(name)
    if value is None or value == "":
        return _MISSING.get(name, "unknown")
    return "".join(letter if letter.isprintable() else " " for letter in str(value))[:200]


def _entry(code: str, title: str, what: str, *fix: str, who: Who = "you") -> Entry:
    return Entry(code, title, what, fix, who, f"help/#{code}")


_RETRY = "Postroom tries again by itself. Mail that arrives meanwhile stays on the server and is fetched then."

_ENTRIES = (
    # the classes of errors.py
    _entry(
        "provider_error",
        "Something went wrong",
        "{host} answered in a way that Postroom has no words for.",
        "Look at the server's words.",
        "Check the connection again.",
    ),
    _entry("needs_reconnect", "Sign-in needed", "{host} no longer lets Postroom in.", "Reconnect the mailbox."),
    _entry(
        "sign_in_refused",
        "The user name or password was refused",
        "{host} refused the user name or the password for {username}.",
        "Check the user name: try the whole address, then the part before the @.",
        "Type the password again. Many providers want an app password here.",
        "Sign in to the mailbox on the web to see whether the password still works.",
    ),
    _entry(
        "needs_administrator",
        "Somebody with more rights must allow it",
        "{host} says that the mailbox's administrator has to act.",
        "Send the server's words to the administrator.",
        who="mail administrator",
    ),
    _entry(
        "wrong_settings",
        "The settings do not fit",
        "Host, port or encryption do not fit {host}.",
        "Compare the settings with the provider's help page.",
    ),
    _entry(
        "unreachable",
        "The server cannot be reached",
        "{host} could not be reached on port {port}. " + _RETRY,
        who="nobody",
    ),
    _entry("throttled", "The server asks for patience", "{host} asks Postroom to slow down. " + _RETRY, who="nobody"),
    # Of allowances (mailboxes/allowance.py).
    _entry(
        "allowance_used",
        "Reading goes on in a moment",
        "The provider lets Postroom read only so much of a mailbox a minute. Postroom keeps to that and goes on.",
        who="nobody",
    ),
    _entry(
        "listing_expired",
        "The folder is read again",
        "{host} forgot where the last listing ended. Postroom reads the folder in full; nothing is lost.",
        who="nobody",
    ),
    _entry(
        "folder_gone",
        "A folder is gone",
        "A folder was deleted, renamed or closed to this user at {host}. Messages that were filed stay.",
        "Choose again which folders are synced, if the folder was one of yours.",
    ),
    _entry(
        "message_gone", "The message is gone", "The message was deleted at {host} before it was fetched.", who="nobody"
    ),
    _entry(
        "refused",
        "The server refused",
        "{host} understood and said no. Nothing was sent.",
        "Look at the server's words, change the message, and send it again.",
    ),
    _entry(
        "in_doubt",
        "Nobody knows whether it was sent",
        "{host} took the message and never confirmed it. Postroom "
        "looks into the Sent folder before anything is sent again.",
        "Check again, mark it as sent, or send it again; sent again it may arrive twice.",
    ),
    _entry(
        "protocol_violation",
        "The server's answer makes no sense",
        "{host} sent octets that are no mail protocol. Postroom closed the connection. " + _RETRY,
        "Check host and port: another service may answer there.",
    ),
    _entry("unsupported", "Not possible with this mailbox", "{host} cannot do that."),
    # finding the server
    _entry(
        "host_not_allowed",
        "This host is not allowed",
        "Postroom connects to public mail servers only, on ports 25, 143, 465, 587 and 993; {host} is none of them, "
        "or its port is none of these.",
        "Check the host name and the port.",
        "For a mail server in your own network: add its network to POSTROOM_ALLOWED_NETWORKS.",
        who="Postroom administrator",
    ),
    _entry(
        "host_unknown",
        "There is no such host",
        "No server is known by the name {host}.",
        "Check the spelling.",
        "The provider's help page names the host for IMAP and SMTP.",
    ),
    _entry(
        "name_server_failed",
        "The name could not be looked up",
        "The name server did not answer for {host}. " + _RETRY,
        "If it lasts, check the network of the Postroom server.",
        who="Postroom administrator",
    ),
    _entry(
        "connection_refused",
        "Nothing answers on this port",
        "{host} refuses connections on port {port}.",
        "Check the port: 993 with TLS or 143 with STARTTLS for IMAP, 465 with TLS or 587 with STARTTLS for SMTP.",
    ),
    _entry(
        "no_route",
        "There is no way to the server",
        "The network has no route to {host}. " + _RETRY,
        "Check the network of the Postroom server.",
        who="Postroom administrator",
    ),
    _entry(
        "timed_out",
        "The server did not answer in time",
        "{host} did not answer on port {port}. " + _RETRY,
        "If only SMTP is silent: many hosters block ports 25, 465 and 587 until asked to open them.",
        "Check the encryption: a server waiting for TLS is silent without it.",
    ),
    _entry("connection_lost", "The connection was lost", "{host} closed the connection. " + _RETRY, who="nobody"),
    _entry(
        "connection_closed",
        "The connection was closed",
        "Postroom closed the connection to {host}. " + _RETRY,
        who="nobody",
    ),
    _entry("server_closed", "The server said goodbye", "{host} ended the conversation. " + _RETRY, who="nobody"),
    _entry(
        "server_unavailable",
        "The server has a fault of its own",
        "{host} says that it cannot serve now. " + _RETRY,
        who="nobody",
    ),
    # encryption
    _entry(
        "tls_not_spoken",
        "No TLS on this port",
        "{host} does not speak TLS on port {port}.",
        "Choose STARTTLS for ports 143 and 587, TLS for 993 and 465.",
    ),
    _entry(
        "tls_expected",
        "Wrong encryption for this port",
        "{host} speaks TLS from the first octet on port {port}, so it never answered.",
        "Choose TLS for this port, or STARTTLS with port 143 or 587.",
    ),
    _entry(
        "tls_failed",
        "No encryption could be agreed",
        "{host} and Postroom found no encryption that both allow. Postroom wants TLS 1.2 or newer.",
        "Ask for TLS 1.2 on the mail server.",
        who="mail administrator",
    ),
    _entry(
        "starttls_not_offered",
        "STARTTLS is not offered",
        "{host} offers no encryption on port {port}. If it did yesterday, somebody in between may have removed it.",
        "Choose TLS with port 993 or 465.",
    ),
    _entry(
        "plain_text_after_starttls",
        "Somebody spoke before encryption",
        "{host} sent plain text where encryption had "
        "to begin. That is an attack or a broken server; no password was sent.",
        "Choose TLS with port 993 or 465.",
        "Tell the mail administrator.",
        who="mail administrator",
    ),
    _entry(
        "encryption_required",
        "The server wants encryption",
        "{host} takes no password without encryption.",
        "Choose TLS or STARTTLS.",
    ),
    _entry(
        "certificate_expired",
        "The certificate has expired",
        "The certificate of {host} is past its date. No password was sent.",
        "Renew the certificate of {host}.",
        who="mail administrator",
    ),
    _entry(
        "certificate_for_other_host",
        "The certificate is for another host",
        "The certificate that {host} shows bears another name. No password was sent.",
        "Use the name that the certificate bears; the provider's help page has it.",
    ),
    _entry(
        "certificate_not_trusted",
        "The certificate is not trusted",
        "Nobody whom Postroom trusts vouches for the certificate of {host}. No password was sent.",
        "For a certificate of your own authority: name its file in POSTROOM_CA_FILE.",
        who="Postroom administrator",
    ),
    # signing in
    _entry(
        "auth_not_offered",
        "No password is asked for",
        "{host} offers no sign-in by password on port {port}.",
        "Use port 465 with TLS or 587 with STARTTLS.",
        "If it offers OAuth only, connect with the provider's own button.",
    ),
    _entry(
        "account_locked",
        "The account is locked",
        "{host} has locked the account of {username}.",
        "Unlock it on the provider's web pages, then reconnect.",
    ),
    _entry(
        "account_closed",
        "The account is closed",
        "{host} says that the account is suspended or disabled.",
        "Ask the administrator of the mailbox.",
        who="mail administrator",
    ),
    _entry(
        "password_expired",
        "The password has expired",
        "{host} wants a new password for {username}.",
        "Set a new password at the provider, then reconnect.",
    ),
    _entry(
        "browser_sign_in_needed",
        "Sign in once with the browser",
        "{host} wants to see {username} in a browser first.",
        "Sign in to the mailbox on the web, confirm that it was you, then check the connection again.",
    ),
    _entry(
        "gmail_app_password",
        "Gmail wants an app password",
        "Gmail takes no account password over IMAP and SMTP.",
        "Switch on 2-step verification in the Google account.",
        "Create an app password at myaccount.google.com/apppasswords and use its 16 letters here.",
        "A changed account password ends all app passwords: make a new one then.",
    ),
    _entry(
        "gmail_imap_off",
        "IMAP is off for this Google account",
        "Google does not allow IMAP for {username}.",
        "Switch on IMAP in the Google Admin console (Apps, Google Workspace, Gmail, End User Access).",
        who="mail administrator",
    ),
    _entry(
        "microsoft_no_passwords",
        "Microsoft takes no passwords",
        "Microsoft no longer takes passwords for IMAP and SMTP, however right they are.",
        "Connect the mailbox with Microsoft's own sign-in.",
    ),
    _entry(
        "microsoft_smtp_auth_off",
        "SMTP sign-in is off at Microsoft 365",
        "Authenticated SMTP is switched off for the mailbox or the whole organisation.",
        "Connect the mailbox with Microsoft's own sign-in, or switch on "
        "Authenticated SMTP for it in the Microsoft 365 admin center.",
        who="mail administrator",
    ),
    _entry(
        "microsoft_blocked_by_policy",
        "A Microsoft 365 policy blocks the sign-in",
        "Security defaults or Conditional Access block this sign-in.",
        "Allow Postroom in Conditional Access, or connect with Microsoft's own sign-in.",
        who="mail administrator",
    ),
    _entry(
        "microsoft_imap_off",
        "IMAP is off for this Microsoft mailbox",
        "Microsoft knows the user and opens no mailbox: IMAP is off, or Microsoft has a fault.",
        "Switch on IMAP for the mailbox in the Exchange admin center.",
        who="mail administrator",
    ),
    _entry(
        "yahoo_app_password",
        "Yahoo and AOL want an app password",
        "{host} takes app passwords only.",
        "Create one in the account's security page (login.yahoo.com/account/security) and use it here.",
    ),
    _entry(
        "icloud_app_password",
        "iCloud wants an app-specific password",
        "iCloud takes app-specific passwords only.",
        "Create one at account.apple.com and use it here.",
        "For IMAP the user name is the part before the @.",
    ),
    _entry(
        "zoho_app_password",
        "Zoho refused the password",
        "Zoho wants an app password when two-factor sign-in is on, and the host of your region.",
        "Create an app password at accounts.zoho.com.",
        "Check the region: imap.zoho.com, .eu, .in, .com.au, .jp, or imap.zohocloud.ca.",
    ),
    _entry(
        "yandex_app_password",
        "Yandex does not allow mail programs yet",
        "The account does not allow mail programs.",
        "Allow IMAP in the mailbox's settings under Email clients, and create an app password.",
    ),
    _entry(
        "fastmail_app_password",
        "Fastmail wants an app password",
        "Fastmail takes app passwords only.",
        "Create one under Settings, Privacy & Security, and use it here.",
    ),
    _entry(
        "authorization_code_needed",
        "An authorization code is needed",
        "{host} takes an authorization code in place of the password.",
        "Switch on IMAP in the mailbox's settings and create an authorization code there.",
    ),
    _entry(
        "coremail_unsafe_login",
        "The provider calls the sign-in unsafe",
        "{host} let Postroom in and opens no folder.",
        "Create an authorization code in the mailbox's settings and use it in place of the password.",
        "If it stays so, report it: Postroom's introduction was not understood.",
    ),
    _entry(
        "imap_off",
        "IMAP is off for this mailbox",
        "{host} says that IMAP is not switched on.",
        "Switch on IMAP in the mailbox's settings on the web.",
        who="mail administrator",
    ),
    _entry(
        "too_many_sign_ins",
        "Too many sign-ins",
        "{host} saw too many sign-ins. Postroom waits; trying in a loop makes it longer.",
        who="nobody",
    ),
    _entry(
        "too_many_connections",
        "Too many connections",
        "{host} allows no more connections for this mailbox. " + _RETRY,
        "Close other mail programs that use the mailbox.",
    ),
    _entry(
        "bandwidth_spent",
        "The daily amount is spent",
        "{host} allows so many megabytes a day. Postroom waits and goes on where it stopped.",
        who="nobody",
    ),
    _entry(
        "limit_reached",
        "A limit of the provider is reached",
        "{host} has a limit and it is reached. " + _RETRY,
        who="nobody",
    ),
    _entry(
        "mailbox_in_use",
        "Another program holds the mailbox",
        "{host} says that the mailbox is in use. " + _RETRY,
        who="nobody",
    ),
    _entry(
        "mailbox_full", "The mailbox is full", "{host} has no room left in the mailbox.", "Delete mail or buy room."
    ),
    # answers out of bounds
    _entry(
        "unreadable_response",
        "The server's answer is unreadable",
        "{host} sent something that is no IMAP. Postroom closed the connection. " + _RETRY,
        "Check host and port.",
    ),
    _entry(
        "unreadable_reply",
        "The server's answer is unreadable",
        "{host} sent something that is no SMTP. Postroom closed the connection.",
        "Check host and port.",
    ),
    _entry(
        "response_too_deep",
        "The server's answer is nested too deep",
        "{host} sent an answer beyond any use. " + _RETRY,
        who="mail administrator",
    ),
    _entry(
        "line_too_long",
        "The server's answer does not end",
        "{host} sent a line longer than {limit} octets. " + _RETRY,
        "Check host and port.",
        who="mail administrator",
    ),
    _entry(
        "literal_too_large",
        "A message is too large",
        "{host} announced {size} octets; Postroom takes {limit} at most.",
        "Delete the message or move it out of the synced folders.",
    ),
    _entry(
        "too_many_literals",
        "The server's answer has too many parts",
        "{host} sent more than {limit} parts in one answer. " + _RETRY,
        who="mail administrator",
    ),
    _entry(
        "flood",
        "The server talks without end",
        "{host} sent more than {limit} answers that nobody asked for. " + _RETRY,
        who="mail administrator",
    ),
    # sending
    _entry("try_later", "Sending later", "{host} asks to send this message later. Postroom does.", who="nobody"),
    _entry(
        "recipients_greylisted",
        "Sending later",
        "The recipients' server puts unknown senders off for some minutes. Postroom tries again.",
        who="nobody",
    ),
    _entry(
        "recipients_refused",
        "The recipients were refused",
        "{host} refused every recipient. Nothing was sent.",
        "Check the addresses.",
    ),
    _entry("no_recipients", "There is no recipient", "The message names nobody to send to.", "Add a recipient."),
    _entry(
        "sender_refused",
        "The sender was refused",
        "{host} refused the address that the message comes from.",
        "Check which addresses this sign-in may send from.",
    ),
    _entry(
        "sender_not_allowed",
        "Not allowed to send as this address",
        "{host} lets {username} send only from its own addresses.",
        "Send from the mailbox's own address, or ask for the right to send as the other.",
        who="mail administrator",
    ),
    _entry(
        "message_too_large",
        "The message is too large",
        "The message has {size} octets; {host} takes {limit} at most.",
        "Send a link in place of the largest attachment.",
    ),
    _entry(
        "address_needs_smtputf8",
        "This address cannot be reached from here",
        "An address has letters beyond ASCII, and {host} cannot carry them.",
        "Use another address of the recipient.",
    ),
    # Postroom itself
    _entry(
        "settings_missing",
        "Settings are missing",
        "The {server} settings lack a host, a port, an encryption or a password.",
        "Fill in the form.",
    ),
    _entry(
        "unsafe_argument",
        "A value holds control characters",
        "A value holds characters that would change the conversation with the server. It was not sent.",
        "Type the value again instead of pasting it.",
    ),
    _entry(
        "message_id_not_searchable",
        "This message cannot be searched for",
        "Its Message-ID holds characters that Postroom does not search for.",
        who="nobody",
    ),
    _entry(
        "unknown_provider",
        "This kind of mailbox is not there yet",
        "Postroom does not know {provider} mailboxes.",
        "Choose IMAP and SMTP.",
    ),
    _entry(
        "secret_unreadable",
        "The stored password cannot be read",
        "The keys of Postroom changed since the password was stored.",
        "Restore the file of POSTROOM_SECRET_KEYS_FILE, or reconnect the mailbox.",
        who="Postroom administrator",
    ),
    _entry(
        "import_broken",
        "A part of the import does not succeed",
        "Postroom failed several times at some of the older messages; new mail is not touched by it.",
        "Postroom goes on trying. If this stays, the importer's log in the data folder says why.",
        who="Postroom administrator",
    ),
    _entry(
        "storage_full",
        "Postroom's disk is full",
        "New mail stays at your mail server until there is room again; nothing is lost.",
        "Make room on the disk of the data folder, or of PostgreSQL. Postroom goes on by itself within a minute.",
        who="Postroom administrator",
    ),
    # Gmail by its API (providers/gmail/errors.py)
    _entry(
        "gmail_not_enabled",
        "This Google account has no Gmail",
        "Google says that mail is not switched on for {username}.",
        "Sign in at mail.google.com with this account to see whether it has a mailbox.",
        "In Google Workspace: ask the administrator to switch Gmail on for this user.",
        "Or connect another Google account.",
        who="mail administrator",
    ),
    _entry(
        "gmail_api_off",
        "The Gmail API is off in the Google project",
        "The project at Google that Postroom is registered with does not have the Gmail API switched on.",
        "Open the project in the Google Cloud console, then APIs & Services > Library > Gmail API, and switch it on.",
        "Wait a few minutes. Postroom goes on by itself.",
        who="Postroom administrator",
    ),
    _entry(
        "google_daily_limit",
        "The Google project's amount for today is spent",
        "The project at Google that Postroom is registered with has spent what it may use in a day. " + _RETRY,
        who="nobody",
    ),
    _entry(
        "google_domain_policy",
        "The organization does not allow this app",
        "The administrator of {username}'s Google Workspace does not let Postroom's app read mail.",
        "Ask the administrator to trust the app: Admin console > Security > API controls > App access control.",
        "Then reconnect the mailbox.",
        who="mail administrator",
    ),
    _entry(
        "google_permission_missing",
        "A permission was not given",
        "Google says that Postroom lacks a permission that it needs for {username}.",
        "Reconnect the mailbox, and leave every box on Google's page ticked.",
    ),
    _entry(
        "google_other_address",
        "The permission is for another mailbox",
        "The permission that Google gave opens {address}, not {username}.",
        "Reconnect the mailbox, and choose {username} on Google's page.",
    ),
    _entry(
        "google_sending_limit",
        "Google's limit for sending is reached",
        "The mailbox has sent as much as Google allows in a day. Postroom sends the rest later.",
        who="nobody",
    ),
    _entry(
        "google_forbids",
        "Google does not allow it",
        "{host} refused the request for {username} and did not say why in words that Postroom knows.",
        "Look at the server's words.",
        "Reconnect the mailbox, or ask the administrator of the Google Workspace.",
        who="mail administrator",
    ),
    _entry(
        "google_rejects",
        "Google rejected the request",
        "{host} did not understand a request of Postroom. That is a mistake of ours.",
        "Send the server's words to the people who make Postroom.",
    ),
    _entry(
        "unexpected_answer",
        "The server's answer makes no sense",
        "{host} answered with something that Postroom cannot read. " + _RETRY,
        who="nobody",
    ),
    # Outlook by Microsoft Graph (providers/outlook/errors.py)
    _entry(
        "microsoft_permission_missing",
        "A permission was not given",
        "Microsoft says that Postroom lacks a permission that it needs for {username}.",
        "Reconnect the mailbox, and agree to everything on Microsoft's page.",
        "If Microsoft then asks for an administrator's approval, forward the link that Postroom shows.",
    ),
    _entry(
        "microsoft_no_mailbox",
        "This Microsoft account has no mailbox in the cloud",
        "Microsoft says that {address} has no mailbox that Postroom can open: none at all, one without a licence, or "
        "one on a server of the organization's own.",
        "Sign in at outlook.office.com with this account to see whether it has a mailbox.",
        "Ask the administrator of Microsoft 365 for a licence with Exchange Online.",
        "A mailbox on the organization's own Exchange server can be connected by IMAP and SMTP.",
        who="mail administrator",
    ),
    _entry(
        "microsoft_shared_not_allowed",
        "No right to open this mailbox",
        "Microsoft does not let {username} open the mailbox {address}.",
        "Ask the administrator of Microsoft 365 to give {username} Full Access to {address}: Exchange admin center > "
        "Recipients > Mailboxes > {address} > Delegation > Read and manage.",
        "Wait up to an hour: Microsoft is slow to notice it. Then check the connection again.",
        who="mail administrator",
    ),
    _entry(
        "microsoft_shared_unknown",
        "There is no such mailbox",
        "Microsoft knows no mailbox {address} in the organization of {username}.",
        "Check the spelling of the address.",
        "A group or a distribution list has no mailbox of its own: ask the administrator for a shared mailbox.",
    ),
    # sending
    _entry(
        "no_sent_folder",
        "There is no Sent folder",
        "The message was sent, but the mailbox has no Sent folder to keep a copy in.",
        "Make a folder for sent mail at your provider.",
    ),
    _entry(
        "worker_died",
        "Sending was interrupted",
        "Postroom stopped before the message was handed over; it was not sent.",
        "Postroom tries again by itself.",
        who="nobody",
    ),
    _entry(
        "mailbox_disconnected",
        "The mailbox was disconnected",
        "The message was still waiting when its mailbox was disconnected; it was not sent.",
        "Connect the mailbox again and write the message anew.",
    ),
    _entry(
        "sent_again",
        "Sent again",
        "Nobody knew whether this message arrived, so somebody sent it once more.",
        who="nobody",
    ),
    # sending by handing over first (H3)
    _entry(
        "never_taken",
        "The provider never took it",
        "The message was handed over again and again for a day, and was seen waiting there unsent each time.",
        "Send it again later, or from another mailbox.",
    ),
    _entry(
        "upload_gone",
        "What was handed over is gone",
        "The message waited at {host} as a draft and is not there any more: it left, or somebody deleted the draft.",
        "Look into the Sent folder. Mark it as sent, or send it again.",
    ),
    _entry(
        "recipients_differ",
        "The recipients cannot be told to the provider",
        "{host} takes the recipients from the message itself, and they would be others than those that were chosen.",
        "Write the message anew.",
    ),
    _entry(
        "send_as_denied",
        "This address may not be sent from",
        "{host} does not let you send as {address}.",
        "Ask an administrator of your organisation for the right Send As or Send on Behalf for {address}.",
        "Or choose another address in the field From.",
        who="mail administrator",
    ),
    # permission by OAuth (H6): at the sign-in page
    _entry(
        "consent_refused",
        "The permission was not given",
        "{provider} was told not to let Postroom in, or the page was closed. Nothing was connected.",
        "Start again, and choose Allow or Accept on the provider's page.",
        "If you did not refuse: in Google's Testing status only the test users that are listed may sign in.",
    ),
    _entry(
        "admin_approval_needed",
        "An administrator has to approve Postroom first",
        "{provider} lets members of your organisation connect Postroom only after an administrator approved it.",
        "Forward the approval link of this page to an administrator of your organisation.",
        "Leave the page open: it goes on by itself when it was approved.",
        who="mail administrator",
    ),
    _entry(
        "user_not_assigned",
        "Your account is not assigned to the app",
        "{provider} lets only accounts that were assigned to it use this app.",
        "Ask an administrator to assign your account: Enterprise applications, the app, Users and groups.",
        who="mail administrator",
    ),
    _entry(
        "wrong_account_type",
        "This account belongs elsewhere",
        "{provider} does not know this account in the organisation that Postroom is registered for.",
        "Start again and choose the account of your organisation.",
        "If it was the right one, ask the administrator of Postroom to look at the tenant in Settings > Apps.",
    ),
    _entry(
        "app_not_for_account",
        "The app is not meant for this kind of account",
        "{provider} refuses: the registration does not allow accounts of other organisations or personal ones.",
        "Choose the right tenant in Settings > Apps: the directory's own ID for a registration of one organisation.",
        "Or allow the other kinds of accounts at the provider: Authentication, Supported account types.",
        who="Postroom administrator",
    ),
    _entry(
        "app_tenant_unknown",
        "The tenant is not known",
        "{provider} knows no directory of that name.",
        "Copy the directory (tenant) ID from the overview page of the registration into Settings > Apps.",
        who="Postroom administrator",
    ),
    _entry(
        "app_redirect_refused",
        "The redirect address is not registered",
        "{provider} does not know the address that people come back to.",
        "Copy the redirect address from Settings > Apps into the registration, letter by letter.",
        who="Postroom administrator",
    ),
    _entry(
        "app_secret_refused",
        "The client id or secret is refused",
        "{provider} refuses the client id or secret of Postroom itself. No mailbox has to be reconnected.",
        "Copy both once more from the same registration into Settings > Apps: the secret's value, not its id.",
        "If they are refused again, make a new client secret at the provider and save that one.",
        who="Postroom administrator",
    ),
    _entry(
        "app_secret_expired",
        "The client secret has expired",
        "{provider} refuses the client secret of Postroom: its time is over. No mailbox has to be reconnected.",
        "Make a new client secret at the provider and save its value and its last day in Settings > Apps.",
        who="Postroom administrator",
    ),
    _entry(
        "app_deleted",
        "The registration was deleted",
        "{provider} says that the client id of Postroom was deleted.",
        "Register Postroom anew and save the new client id and secret in Settings > Apps.",
        "Then reconnect each mailbox: a permission belongs to the registration it was given to.",
        who="Postroom administrator",
    ),
    _entry(
        "app_missing",
        "No app is registered",
        "Postroom has no client id for {provider} in this workspace.",
        "An administrator saves one in Settings > Apps; the page says what to do at the provider.",
        who="Postroom administrator",
    ),
    _entry(
        "app_changed",
        "The app was replaced by another one",
        "This mailbox was connected by another registration, and {provider} gives no permission from one to the next.",
        "Reconnect the mailbox.",
    ),
    _entry(
        "app_misconfigured",
        "The registration is not right",
        "{provider} refuses the request because of how Postroom is registered there.",
        "Compare the registration with the steps in Settings > Apps.",
        "Look at the server's words.",
        who="Postroom administrator",
    ),
    _entry(
        "app_permissions_wrong",
        "The registration lacks permissions",
        "{provider} refuses the permissions that Postroom asks for, or the organisation has no licence for mail.",
        "Compare the permissions of the registration with the list in Settings > Apps.",
        "Check that the account has a mailbox at the provider.",
        who="Postroom administrator",
    ),
    _entry(
        "app_blocked_by_administrator",
        "Your organisation blocks the app",
        "{provider} says that the administrator of your organisation has not allowed this app.",
        "Ask the administrator to trust it: Admin console, Security, Access and data control, API controls, "
        "by the client ID in Settings > Apps.",
        "Then start again.",
        who="mail administrator",
    ),
    _entry(
        "app_internal_only",
        "The app is for one organisation only",
        "The registration of Postroom at {provider} is Internal: only accounts of its own organisation may sign in.",
        "Sign in with an account of that organisation.",
        "Or make the registration External at the provider.",
        who="Postroom administrator",
    ),
    _entry(
        "browser_refused",
        "The sign-in page refuses this browser",
        "{provider} lets nobody sign in from a browser inside another app.",
        "Open Postroom in an ordinary browser and start again.",
    ),
    _entry(
        "access_rules",
        "Your organisation's rules refuse the sign-in",
        "{provider} refuses because of a rule of your organisation: Conditional Access, the device, or security "
        "defaults.",
        "Send the server's words to your IT department; only it can change the rule.",
        who="mail administrator",
    ),
    _entry(
        "second_factor_needed",
        "A second factor is needed",
        "{provider} wants you to sign in again with your second factor.",
        "Reconnect the mailbox and sign in there.",
    ),
    _entry(
        "sign_in_busy",
        "The sign-in service is busy",
        "{provider} could not answer about the sign-in. " + _RETRY,
        who="nobody",
    ),
    # permission by OAuth (H6): later
    _entry(
        "grant_revoked",
        "The permission was taken back",
        "{provider} no longer accepts the permission for this mailbox: it was taken back, or the password changed.",
        "Reconnect the mailbox.",
    ),
    _entry(
        "grant_expired",
        "The permission has run out",
        "{provider} wants you to sign in again: the permission was not used for long, or your organisation limits it.",
        "Reconnect the mailbox.",
        "If it happens each week at Google: publish the registration, since in Testing permissions last 7 days.",
    ),
    _entry(
        "token_refused",
        "The mail server refuses the permission",
        "{host} does not accept the permission for {username}, though it is fresh.",
        "Reconnect the mailbox with the account that {username} belongs to.",
        "If that does not help: IMAP or SMTP may be switched off for this mailbox; its administrator can tell.",
    ),
    _entry(
        "permission_missing",
        "A permission was not given",
        "These were left unticked: {permissions}. Without them the mailbox can neither be read nor send.",
        "Start again and leave all boxes ticked.",
    ),
    _entry(
        "refresh_token_missing",
        "The permission would end within the hour",
        "{provider} gave a permission that cannot be renewed. Nothing was connected.",
        "Start again and confirm the permission on the provider's page.",
    ),
    _entry(
        "wrong_account",
        "This is another account",
        "You signed in as {address}, and {expected} was expected. Nothing was changed.",
        "Start again and choose {expected}. A private window helps where the browser signs in by itself.",
    ),
    _entry(
        "identity_not_proven",
        "Who signed in is not proven",
        "The answer of {provider} about who signed in does not hold. Nothing was connected.",
        "Start again. If it happens again, compare the registration with the steps in Settings > Apps.",
    ),
    _entry(
        "code_used",
        "This sign-in was used already",
        "{provider} says that the sign-in was used before, or began in another browser. Nothing was changed by it.",
        "Look whether the mailbox is connected; else start again.",
    ),
    # permission by OAuth (H6): the way there and back
    _entry(
        "journey_unknown",
        "This sign-in did not begin here",
        "Postroom does not know where this sign-in began. Nothing was connected.",
        "Start again in Settings > Mailboxes.",
    ),
    _entry(
        "journey_late",
        "The sign-in took too long",
        "More than 15 minutes went by since it began. Nothing was connected.",
        "Start again.",
    ),
    _entry(
        "journey_used",
        "You came back twice",
        "This sign-in has ended already; coming back to it changes nothing.",
        "Look whether the mailbox is connected; else start again.",
    ),
    _entry(
        "journey_other_browser",
        "The sign-in began in another browser",
        "A sign-in ends in the browser, and the Postroom session, it began in. Nothing was connected.",
        "Go on in the browser where you began, or start again here.",
    ),
    _entry(
        "journey_mixed_up",
        "The answer came from another provider",
        "The answer does not belong to the sign-in that was begun. Nothing was connected.",
        "Start again.",
        "If it happens again, tell the administrator of Postroom.",
    ),
    _entry(
        "address_connected",
        "This mailbox is connected already",
        "The workspace has the mailbox {address}. Nothing was changed.",
        "Open it in Settings > Mailboxes, and reconnect it there if it needs that.",
    ),
    _entry(
        "mailbox_gone",
        "The mailbox was disconnected meanwhile",
        "The mailbox that was to be reconnected is not connected any more. Nothing was changed.",
        "Connect it anew.",
    ),
)

CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in _ENTRIES}
