"""The way to a sign-in page and back."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "journey_unknown",
        "This sign-in did not begin here",
        "Postroom does not know where this sign-in began. Nothing was connected.",
        "Start again in Settings > Mailboxes.",
        meaning="none",
    ),
    entry(
        "journey_late",
        "The sign-in took too long",
        "More than 15 minutes went by since it began. Nothing was connected.",
        "Start again.",
        meaning="none",
    ),
    entry(
        "journey_used",
        "You came back twice",
        "This sign-in has ended already; coming back to it changes nothing.",
        "Look whether the mailbox is connected; else start again.",
        meaning="none",
    ),
    entry(
        "journey_other_browser",
        "The sign-in began in another browser",
        "A sign-in ends in the browser, and the Postroom session, it began in. Nothing was connected.",
        "Go on in the browser where you began, or start again here.",
        meaning="none",
    ),
    entry(
        "journey_mixed_up",
        "The answer came from another provider",
        "The answer does not belong to the sign-in that was begun. Nothing was connected.",
        "Start again.",
        "If it happens again, tell the administrator of Postroom.",
        meaning="none",
    ),
    entry(
        "address_connected",
        "This mailbox is connected already",
        "The workspace has the mailbox {address}. Nothing was changed.",
        "Open it in Settings > Mailboxes, and reconnect it there if it needs that.",
        meaning="none",
    ),
    entry(
        "mailbox_gone",
        "The mailbox is not yours to change any more",
        "The mailbox was disconnected or given to somebody else meanwhile. Nothing was changed.",
        "If it was disconnected, connect it anew; else ask its owner.",
        meaning="none",
    ),
)
