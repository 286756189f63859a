"""Answers out of bounds: what a server sent makes no sense, or is more than Postroom takes."""

from __future__ import annotations

from postroom.providers.catalogue.entry import RETRY, Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "unreadable_response",
        "The receiving server's answer is unreadable",
        "{host} sent something that is no IMAP. Postroom closed the connection. " + RETRY,
        "Check host and port.",
        meaning="slow",
    ),
    entry(
        "unreadable_reply",
        "The sending server's answer is unreadable",
        "{host} sent something that is no SMTP. Postroom closed the connection.",
        "Check host and port.",
        meaning="slow",
    ),
    entry(
        "response_too_deep",
        "The server's answer is nested too deep",
        "{host} sent an answer beyond any use. " + RETRY,
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "line_too_long",
        "The server's answer does not end",
        "{host} sent a line longer than {limit} octets. " + RETRY,
        "Check host and port.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "literal_too_large",
        "A message is too large",
        "{host} announced {size} octets; Postroom takes {limit} at most.",
        "Delete the message or move it out of the synced folders.",
        meaning="message",
    ),
    entry(
        "too_many_literals",
        "The server's answer has too many parts",
        "{host} sent more than {limit} parts in one answer. " + RETRY,
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "flood",
        "The server talks without end",
        "{host} sent more than {limit} answers that nobody asked for. " + RETRY,
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "unexpected_answer",
        "The answer cannot be understood",
        "{host} answered with something that Postroom cannot read. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
)
