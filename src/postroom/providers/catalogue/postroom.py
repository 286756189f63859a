"""Postroom itself."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "settings_missing",
        "Settings are missing",
        "The {server} settings lack a host, a port, an encryption or a password.",
        "Fill in the form.",
        meaning="settings",
    ),
    entry(
        "unsafe_argument",
        "A value holds control characters",
        "A value holds characters that would change the conversation with the server. It was not sent.",
        "Type the value again instead of pasting it.",
        meaning="settings",
    ),
    entry(
        "message_id_not_searchable",
        "This message cannot be searched for",
        "Its Message-ID holds characters that Postroom does not search for.",
        who="nobody",
        meaning="none",
    ),
    entry(
        "unknown_provider",
        "This kind of mailbox is not there yet",
        "Postroom does not know {provider} mailboxes.",
        "Choose IMAP and SMTP.",
        meaning="settings",
    ),
    entry(
        "secret_unreadable",
        "The stored password cannot be read",
        "The keys of Postroom changed since the password was stored.",
        "Restore the file of POSTROOM_SECRET_KEYS_FILE, or reconnect the mailbox.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "app_secret_unreadable",
        "The stored secret of the app cannot be read",
        "The keys of Postroom are not those that sealed it.",
        "Restore the file of POSTROOM_SECRET_KEYS_FILE, or the one of the data folder.",
        "Where it is lost, save the app's secret anew in Settings > Apps.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "import_broken",
        "A part of the import does not succeed",
        "Postroom failed several times at some of the older messages; new mail is not touched by it.",
        "Postroom goes on trying. If this stays, the importer's log in the data folder says why.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "storage_full",
        "Postroom's disk is full",
        "New mail stays at your mail server until there is room again; nothing is lost.",
        "Make room on the disk of the data folder, or of PostgreSQL. Postroom goes on by itself within a minute.",
        who="Postroom administrator",
        meaning="operator",
    ),
)
