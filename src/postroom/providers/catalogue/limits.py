"""Limits of a provider."""

from __future__ import annotations

from postroom.providers.catalogue.entry import RETRY, Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "too_many_sign_ins",
        "Too many sign-ins",
        "{host} saw too many sign-ins. Postroom waits; trying in a loop makes it longer.",
        who="nobody",
        meaning="limit",
    ),
    entry(
        "too_many_connections",
        "Too many connections",
        "{host} allows no more connections for this mailbox. " + RETRY,
        "Close other mail programs that use the mailbox.",
        meaning="limit",
    ),
    entry(
        "bandwidth_spent",
        "The daily amount is spent",
        "{host} allows so many megabytes a day. Postroom waits and goes on where it stopped.",
        who="nobody",
        meaning="limit",
    ),
    entry(
        "limit_reached",
        "A limit of the provider is reached",
        "{host} has a limit and it is reached. " + RETRY,
        who="nobody",
        meaning="limit",
    ),
    entry(
        "mailbox_in_use",
        "Another program holds the mailbox",
        "{host} says that the mailbox is in use. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
    entry(
        "mailbox_full",
        "The mailbox is full",
        "{host} has no room left in the mailbox.",
        "Empty the trash, delete mail, or buy more room from the provider. Postroom deletes nothing.",
        meaning="limit",
    ),
    entry(
        "sending_limit",
        "The limit for sending is reached",
        "{host} lets {username} send no more messages for now. Postroom sends the rest later, by itself.",
        "The provider's help page says how many messages a day the mailbox may send.",
        who="nobody",
        meaning="limit",
    ),
    entry(
        "google_daily_limit",
        "The Google project's amount for today is spent",
        "The project at Google that Postroom is registered with has spent what it may use in a day. " + RETRY,
        who="nobody",
        meaning="limit",
    ),
    entry(
        "google_sending_limit",
        "Google's limit for sending is reached",
        "The mailbox has sent as much as Google allows in a day. Postroom sends the rest later.",
        who="nobody",
        meaning="limit",
    ),
)
