"""What the classes of errors.py say where nothing more is known."""

from __future__ import annotations

from postroom.providers.catalogue.entry import RETRY, Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "provider_error",
        "Something went wrong",
        "{host} answered in a way that Postroom has no words for.",
        "Look at the server's words.",
        "Check the connection again.",
        meaning="none",
    ),
    entry(
        "needs_reconnect",
        "Sign-in needed",
        "{host} no longer lets Postroom in.",
        "Reconnect the mailbox.",
        meaning="reconnect",
    ),
    entry(
        "sign_in_refused",
        "The user name or password was refused",
        "{host} refused the user name or the password for {username}.",
        "Type the password again. Many providers want an app password here.",
        "Sign in to the mailbox on the web to see whether the password still works.",
        "Compare the user name with the provider's help page: some want the whole address, some the part before the "
        "@, some a name of their own.",
        meaning="reconnect",
    ),
    entry(
        "needs_administrator",
        "Somebody with more rights must allow it",
        "{host} says that the mailbox's administrator has to act.",
        "Send the server's words to the administrator.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "wrong_settings",
        "The settings do not fit",
        "Host, port or encryption do not fit {host}.",
        "Compare the settings with the provider's help page.",
        meaning="settings",
    ),
    entry(
        "unreachable",
        "The server cannot be reached",
        "{host} could not be reached on port {port}. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
    entry(
        "throttled",
        "The server asks for patience",
        "{host} asks Postroom to slow down. " + RETRY,
        who="nobody",
        meaning="limit",
    ),
    entry(
        "allowance_used",
        "Reading goes on in a moment",
        "The provider lets Postroom read only so much of a mailbox a minute. Postroom keeps to that and goes on.",
        who="nobody",
        meaning="limit",
    ),
    entry(
        "listing_expired",
        "The folder is read again",
        "{host} forgot where the last listing ended. Postroom reads the folder in full; nothing is lost.",
        who="nobody",
        meaning="none",
    ),
    entry(
        "folder_gone",
        "A folder is gone",
        "A folder was deleted, renamed or closed to this user at {host}. Messages that were filed stay.",
        "Choose again which folders are synced, if the folder was one of yours.",
        meaning="none",
    ),
    entry(
        "message_gone",
        "The message is gone",
        "The message was deleted at {host} before it was fetched.",
        who="nobody",
        meaning="none",
    ),
    entry(
        "refused",
        "The server refused",
        "{host} understood and said no. Nothing was sent.",
        "Look at the server's words, change the message, and send it again.",
        meaning="message",
    ),
    entry(
        "in_doubt",
        "Nobody knows whether it was sent",
        "{host} took the message and never confirmed it. Postroom "
        "looks into the Sent folder before anything is sent again.",
        "Check again, mark it as sent, or send it again; sent again it may arrive twice.",
        meaning="message",
    ),
    entry(
        "protocol_violation",
        "The server's answer makes no sense",
        "{host} sent octets that are no mail protocol. Postroom closed the connection. " + RETRY,
        "Check host and port: another service may answer there.",
        meaning="slow",
    ),
    entry(
        "unsupported",
        "Not possible with this mailbox",
        "{host} cannot do that.",
        meaning="none",
    ),
)
