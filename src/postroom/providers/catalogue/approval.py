"""What a workspace allows its members to connect, and the import that waits for a yes."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "connect_needs_approval",
        "An administrator of your workspace decides about this mailbox",
        "Members connect such a mailbox after an administrator of the Postroom workspace has agreed.",
        "Ask for approval here. You are told when it was decided.",
        who="Postroom administrator",
        meaning="settings",
    ),
    entry(
        "connect_domain_not_listed",
        "Addresses of this domain need an approval",
        "The administrators of the Postroom workspace have named the domains whose mailboxes members connect;"
        " {domain} is not among them.",
        "Look at the address again; if it is the one you meant, ask for approval here.",
        who="Postroom administrator",
        meaning="settings",
    ),
    entry(
        "connect_not_allowed",
        "Members may not connect such a mailbox",
        "The administrators of the Postroom workspace have decided that only they connect mailboxes of this kind.",
        "Ask an administrator to connect it.",
        "Administrators can change that in Settings > Approvals.",
        who="Postroom administrator",
        meaning="settings",
    ),
    entry(
        "approval_limit",
        "You have asked for many mailboxes today",
        "Each request is a letter to every administrator, so one person asks for twenty mailboxes a day at most.",
        "Ask for {address} tomorrow, or talk to an administrator.",
        who="you",
        meaning="settings",
    ),
    entry(
        "approval_waits",
        "Your request waits for an administrator",
        "You have asked to connect {address}. An administrator of the Postroom workspace has not decided yet.",
        "Wait for the decision; this page and Settings > Approvals show it.",
        who="Postroom administrator",
        meaning="settings",
    ),
    entry(
        "approval_refused",
        "An administrator has refused this mailbox",
        "Your request to connect {address} was refused: {answer}.",
        "Talk to the administrator. You may ask once more.",
        who="Postroom administrator",
        meaning="settings",
    ),
)
