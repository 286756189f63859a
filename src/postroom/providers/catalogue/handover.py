"""Reconnecting, giving a mailbox to somebody else, and taking a member off the workspace."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    # A user name other than before, and none of the messages known from the mailbox (mailboxes/same_account.py).
    entry(
        "other_account",
        "The password opens another account",
        "You signed in as {address}, and this mailbox is {expected}. None of its newest messages are there. Nothing was"
        " changed: its history stays with its account.",
        "Type the user name and the password of {expected}.",
        "To use {address} besides, connect it as a mailbox of its own.",
        "If the address moved to another account for good, disconnect the mailbox, keep its history, and connect the"
        " address again.",
        meaning="settings",
    ),
    # The same user name at a server of another domain, and none of the messages known from the mailbox.
    entry(
        "server_moved",
        "None of its messages are on this server",
        "{host} is not where {expected} was read before ({before}), and none of its newest messages are there. Nothing"
        " was changed.",
        "If the mailbox moved, wait until its messages have been copied, then check again. Or say that the server"
        " moved: Postroom goes on there, and asks before it takes a large part of a folder for deleted.",
        "If this is another mailbox, connect it as one of its own.",
        meaning="settings",
    ),
)
