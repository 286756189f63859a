"""Why history is not whole, and why a message is not on a record."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "too_much_to_search",
        "The folder is too large to be searched for these letters",
        "The mail server searches for plain letters only, and the folder holds more than {limit} messages.",
        "Name the month, or ask for the address or the Message-ID instead of the subject.",
        meaning="none",
    ),
    entry(
        "look_refused",
        "The mail server refused to search a folder",
        "{host} knows the folder and would not search it.",
        "Look again later, or ask for the address or the Message-ID instead of words of the subject.",
        "If it refuses again, send the server's words to who runs it.",
        meaning="none",
    ),
    entry(
        "look_under_way",
        "Somebody is looking in this mailbox just now",
        "One search at a time is made in a mailbox, so that its mail server is not asked for too much.",
        "Look again in a minute.",
        meaning="none",
    ),
    entry(
        "look_out_of_time",
        "The time was over before all folders were searched",
        "A look on the servers ends after {seconds} seconds. The mail server is slow, or the mailbox has many folders.",
        "Look again, and name the month or the Message-ID if you know it: that is found faster.",
        meaning="none",
    ),
    entry(
        "look_paused",
        "The mailbox is paused",
        "Somebody has paused it, so its mail server is left alone.",
        "Choose “Go on” on the mailbox's page, and look again.",
        meaning="none",
    ),
    entry(
        "look_only_sends",
        "The mailbox only sends",
        "Postroom was not allowed to read its mail.",
        "Have its owner allow reading in the mailbox's settings.",
        meaning="none",
    ),
    entry(
        "look_resting",
        "The mail server is left alone for a while",
        "It failed, or asked for patience, a moment ago.",
        "Look again when the mailbox's page says that it works.",
        meaning="none",
    ),
)
