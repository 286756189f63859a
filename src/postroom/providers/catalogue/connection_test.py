"""The test of a connection: where the marked message stopped (filing/connection_test.py)."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    # it has not left
    entry(
        "worker_missing",
        "No worker is running",
        "The message waits here: no process of Postroom is there that sends and reads mail.",
        "Start Postroom again: `bin/up` starts its workers too.",
        "Look with `postroom doctor` whether anything else is wrong.",
        meaning="operator",
        who="Postroom administrator",
    ),
    entry(
        "test_slow_to_leave",
        "The message still waits to leave",
        "The workers are busy, or the outgoing server is slow. The message leaves as soon as its turn comes.",
        meaning="slow",
        who="nobody",
    ),
    entry(
        "test_taken_back",
        "The message was taken back",
        "Somebody cancelled the test message before it left.",
        "Start the test again.",
        meaning="message",
    ),
    entry(
        "test_doubtful",
        "Nobody knows whether the message left",
        "The connection ended at the moment of sending, and no copy shows that the message left.",
        "Look at the message under Home, and choose whether it is sent again.",
        meaning="message",
    ),
    # it has left, and no copy is in Sent
    entry(
        "test_no_copy",
        "No copy is in the Sent folder",
        "The outgoing server took the message, and the Sent folder does not have it.",
        "Look at the mailbox on the web: it may be full, or its Sent folder may be closed to other programs.",
        "Start the test again after that.",
        meaning="administrator",
    ),
    # sync does not see it
    entry(
        "test_not_begun",
        "The import waits for your yes",
        "The mailbox is connected, and nothing is read before somebody has begun its import.",
        "Open the mailbox and begin the import.",
        meaning="settings",
    ),
    entry(
        "test_not_read",
        "This mailbox is not read",
        "Postroom may send by {address} and does not read it, so the message cannot be followed any further.",
        "Let Postroom read the mailbox: see its settings, and what its provider was asked for.",
        meaning="settings",
    ),
    entry(
        "test_paused",
        "The mailbox is paused, so the test waits",
        "{address} is paused, so nothing of it is read.",
        "Choose “Go on” at the mailbox. The test goes on by itself then.",
        meaning="settings",
    ),
    entry(
        "test_folder_left_out",
        "The folder is left out",
        "The folder {folder} is not read, so what lies there stays unseen.",
        "Tick {folder} under the mailbox's folders.",
        meaning="settings",
    ),
    entry(
        "test_first_look",
        "Sync is not that far yet",
        "Postroom lists the folders of {address} for the first time. The test goes on by itself after that.",
        meaning="slow",
        who="nobody",
    ),
    entry(
        "test_not_seen",
        "Sync has not seen the message",
        "The message left some minutes ago, and no folder that is read shows it.",
        "Choose “Sync now” at the mailbox.",
        "Look at the mailbox on the web for the message: a rule there may have moved it to a folder that is left out.",
        meaning="message",
    ),
    entry(
        "test_not_back",
        "The message has not come back",
        "The outgoing server took the message to {address}, and it did not arrive in a folder that is read.",
        "Look at the mailbox on the web, in Junk too: a rule or a filter may have taken the message.",
        "Ask the mail administrator whether mail to {address} is forwarded to somewhere else.",
        meaning="administrator",
    ),
    entry(
        "test_in_junk",
        "The message came back as junk",
        "The message arrived in {folder}. So will what this mailbox writes to others, for some of them.",
        "Ask the mail administrator to look at SPF, DKIM and DMARC of the domain of {address}.",
        meaning="administrator",
        who="mail administrator",
    ),
    # it is on no record
    entry(
        "test_contact_gone",
        "The contact is gone",
        "The contact was deleted since the test began, so the message is on no record.",
        "Start a test with another contact.",
        meaning="message",
    ),
    entry(
        "test_own_address",
        "The address is one of your own",
        "{address} belongs to a mailbox of this workspace. Mail with colleagues is put on no record.",
        "Start the test with an address outside the workspace.",
        "Take {address} off the contact if it does not belong there.",
        meaning="message",
    ),
    entry(
        "test_address_changed",
        "The address is not the contact's any more",
        "The message went to {address}, which {contact} does not have now.",
        "Add {address} to {contact}, or start the test again.",
        meaning="message",
    ),
    entry(
        "test_filing_removed",
        "Somebody took the message off the contact",
        "The message was on {contact} and was removed by hand, so no rule puts it there again.",
        "Start the test again.",
        meaning="message",
    ),
    entry(
        "test_not_filed",
        "The message is not on the contact",
        "The message is here, and nothing has put it on {contact}.",
        "Open “Why is it not here?” on the contact: it names the rule.",
        meaning="message",
    ),
    # what came back
    entry(
        "test_bounced",
        "The message could not be delivered",
        "A server sent the message back: it did not reach {address}.",
        "Compare {address} with what the contact uses.",
        "Read the server's words: they say what is wrong at the other end.",
        meaning="message",
    ),
    entry(
        "test_answered_by_program",
        "A program answered, no person yet",
        "An automatic answer came from {other}. So the way back works; a person's answer may still follow.",
        meaning="none",
        who="nobody",
    ),
    entry(
        "test_other_address",
        "The answer came from another address",
        "{other} answered, which {contact} does not have. The answer is on the record because of its thread.",
        "Add {other} to {contact}: then what it writes in a new thread comes here too.",
        meaning="message",
    ),
    entry(
        "test_answer_not_filed",
        "The answer is not on the contact",
        "{other} answered, and the answer is not on {contact}.",
        "Open “Why is it not here?” on the contact: it names the rule.",
        meaning="message",
    ),
)
