"""What Google's and Microsoft's own interfaces for programs refuse."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "gmail_not_enabled",
        "This Google account has no Gmail",
        "Google says that mail is not switched on for {username}.",
        "Sign in at mail.google.com with this account to see whether it has a mailbox.",
        "In Google Workspace: ask the administrator to switch Gmail on for this user.",
        "Or connect another Google account.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "gmail_api_off",
        "The Gmail API is off in the Google project",
        "The project at Google that Postroom is registered with does not have the Gmail API switched on.",
        "Open the project in the Google Cloud console, then APIs & Services > Library > Gmail API, and switch it on.",
        "Wait a few minutes. Postroom goes on by itself.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "google_domain_policy",
        "The organisation does not allow this app",
        "The administrator of {username}'s Google Workspace does not let Postroom's app read mail.",
        "Ask the administrator to trust it, by the client ID in Settings > Apps: Google Admin console > Security > "
        "Access and data control > API controls > Manage app access.",
        "Then reconnect the mailbox.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "google_permission_missing",
        "Google says that a permission is missing",
        "Google says that Postroom lacks a permission that it needs for {username}.",
        "Reconnect the mailbox, and leave every box on Google's page ticked.",
        meaning="reconnect",
    ),
    entry(
        "google_other_address",
        "The permission is for another mailbox",
        "The permission that Google gave opens {address}, not {username}.",
        "Reconnect the mailbox, and choose {username} on Google's page.",
        meaning="reconnect",
    ),
    entry(
        "google_forbids",
        "Google does not allow it",
        "{host} refused the request for {username} and did not say why in words that Postroom knows.",
        "Look at the server's words.",
        "Reconnect the mailbox, or ask the administrator of the Google Workspace.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "google_rejects",
        "Google rejected the request",
        "{host} did not understand a request of Postroom. That is a mistake of ours.",
        "Send the server's words to the people who make Postroom.",
        meaning="none",
    ),
    entry(
        "microsoft_permission_missing",
        "Microsoft says that a permission is missing",
        "Microsoft says that Postroom lacks a permission that it needs for {username}.",
        "Reconnect the mailbox, and agree to everything on Microsoft's page.",
        "If Microsoft then asks for an administrator's approval, forward the link that Postroom shows.",
        meaning="reconnect",
    ),
    entry(
        "microsoft_no_mailbox",
        "This Microsoft account has no mailbox in the cloud",
        "Microsoft says that {address} has no mailbox that Postroom can open: none at all, one without a licence, or "
        "one on a server of the organisation's own.",
        "Sign in at outlook.office.com with this account to see whether it has a mailbox.",
        "Ask the administrator of Microsoft 365 for a licence with Exchange Online.",
        "A mailbox on the organisation's own Exchange server can be connected by IMAP and SMTP.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "microsoft_shared_not_allowed",
        "No right to open this mailbox",
        "Microsoft does not let {username} open the mailbox {address}.",
        "Ask the administrator of Microsoft 365 to give {username} Full Access to {address}: Exchange admin center > "
        "Recipients > Mailboxes > {address} > Delegation > Read and manage.",
        "Wait up to an hour: Microsoft is slow to notice it. Then check the connection again.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "microsoft_shared_unknown",
        "There is no such mailbox",
        "Microsoft knows no mailbox {address} in the organisation of {username}.",
        "Check the spelling of the address.",
        "A group or a distribution list has no mailbox of its own: ask the administrator for a shared mailbox.",
        meaning="settings",
    ),
)
