"""What a connection check passes with a warning: it works, and somebody should think about it before saving."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "two_accounts",
        "Receiving and sending belong to two accounts",
        "{other} receives, and {username} sends. Copies of what is sent may then lie in a mailbox that Postroom does "
        "not read, and answers may go to the other one.",
        "Use the same user name for both servers, if both belong to {address}.",
        "Connect it all the same if you send by another service on purpose, such as a relay.",
        meaning="settings",
    ),
    entry(
        "personal_password",
        "This looks like somebody's own password",
        "The mailbox is shared, and {username} is signed in by a person's password. Whoever changes it stops the "
        "mailbox for all, and whoever leaves takes it along.",
        "Create an app password for Postroom at the provider, and use it here: it can be taken back alone.",
        "Or use the shared mailbox's own user name and password, if it has them.",
        meaning="settings",
    ),
    entry(
        "not_encrypted",
        "The connection is not encrypted",
        "The password and all mail go to {host} on port {port} as plain text: everybody on the way can read them.",
        "Choose TLS (port 993 for IMAP, 465 for SMTP) or STARTTLS (143 and 587), if the server offers it.",
        "Leave it only for a server in your own network.",
        meaning="settings",
    ),
    entry(
        "unusual_port",
        "An unusual port for this encryption",
        "Port {port} of {host} works with {security}, although others use it with {usual}. Some day it may not.",
        "The usual pairs are 993 with TLS and 143 with STARTTLS for IMAP, 465 with TLS and 587 with STARTTLS for SMTP.",
        meaning="settings",
    ),
)
