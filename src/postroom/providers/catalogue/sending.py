"""Sending a message."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "try_later",
        "Sending later",
        "{host} asks to send this message later. Postroom does.",
        who="nobody",
        meaning="slow",
    ),
    entry(
        "recipients_greylisted",
        "Sending later",
        "The recipients' server puts unknown senders off for some minutes. Postroom tries again.",
        who="nobody",
        meaning="message",
    ),
    entry(
        "recipients_refused",
        "The recipients were refused",
        "{host} refused every recipient. Nothing was sent.",
        "Check the addresses.",
        meaning="message",
    ),
    entry(
        "no_recipients",
        "There is no recipient",
        "The message names nobody to send to.",
        "Add a recipient.",
        meaning="message",
    ),
    entry(
        "sender_refused",
        "The sender was refused",
        "{host} refused the address that the message comes from.",
        "Check which addresses this sign-in may send from.",
        meaning="message",
    ),
    entry(
        "sender_not_allowed",
        "Not allowed to send as this address",
        "{host} lets {username} send only from its own addresses.",
        "Send from the mailbox's own address, or ask for the right to send as the other.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "message_too_large",
        "The message is too large",
        "The message has {size} octets; {host} takes {limit} at most.",
        "Send a link in place of the largest attachment.",
        meaning="message",
    ),
    entry(
        "address_needs_smtputf8",
        "This address cannot be reached from here",
        "An address has letters beyond ASCII, and {host} cannot carry them.",
        "Use another address of the recipient.",
        meaning="message",
    ),
    entry(
        "no_sent_folder",
        "There is no Sent folder",
        "The message was sent, but the mailbox has no Sent folder to keep a copy in.",
        "Make a folder for sent mail at your provider.",
        meaning="settings",
    ),
    entry(
        "worker_died",
        "Sending was interrupted",
        "Postroom stopped before the message was handed over; it was not sent.",
        "Postroom tries again by itself.",
        who="nobody",
        meaning="message",
    ),
    entry(
        "mailbox_disconnected",
        "The mailbox was disconnected",
        "The message was still waiting when its mailbox was disconnected; it was not sent.",
        "Connect the mailbox again and write the message anew.",
        meaning="message",
    ),
    entry(
        "sent_again",
        "Sent again",
        "Nobody knew whether this message arrived, so somebody sent it once more.",
        who="nobody",
        meaning="message",
    ),
    entry(
        "never_taken",
        "The provider never took it",
        "The message was handed over again and again for a day, and was seen waiting there unsent each time.",
        "Send it again later, or from another mailbox.",
        meaning="message",
    ),
    entry(
        "upload_gone",
        "What was handed over is gone",
        "The message waited at {host} as a draft and is not there any more: it left, or somebody deleted the draft.",
        "Look into the Sent folder. Mark it as sent, or send it again.",
        meaning="message",
    ),
    entry(
        "recipients_differ",
        "The recipients cannot be told to the provider",
        "{host} takes the recipients from the message itself, and they would be others than those that were chosen.",
        "Write the message anew.",
        meaning="message",
    ),
    entry(
        "send_as_denied",
        "This address may not be sent from",
        "{host} does not let you send as {address}.",
        "Ask an administrator of your organisation for the right Send As or Send on Behalf for {address}.",
        "Or choose another address in the field From.",
        who="mail administrator",
        meaning="administrator",
    ),
)
