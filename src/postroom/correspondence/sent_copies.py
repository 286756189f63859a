"""Copies of what was sent from here that came back from the provider under another Message-ID.

By its identity such a copy is another message: the id is part of it (mail/mime/identity.py). What was sent from here is
known by more: the id that the provider said it left with, or a header of ours (filing/filer.py). So the copy is placed
as the message that it is, and both ids belong to its thread: whichever a reply names, it finds the record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from postroom.correspondence.filer import SentFrom
from postroom.correspondence.message_writer import MessageWriter
from postroom.correspondence.prepared import Prepared, StoredMessage
from postroom.correspondence.rows import storable
from postroom.mail.mime.identity import reference_key
from postroom.mail.threading import ThreadFacts


def recognise(
    writer: MessageWriter, mailbox_id: UUID, messages: Sequence[Prepared], known: Collection[UUID]
) -> tuple[dict[UUID, UUID], list[Prepared]]:
    """Of messages out of a mailbox's Sent folder that are not `known` by their identities: which are stored under
    another one.

    Returns message ids by identity, and all messages, with the other ids of those that are new among what they refer
    to. What is stored already learns the id that its copy has.
    """
    own_keys = writer.mailbox.own_keys
    asked = [message for message in messages if message.new.identity not in known and message.is_outgoing(own_keys)]
    if not asked:
        return {}, list(messages)
    facts = [StoredMessage(message, message.id, is_outgoing=True).facts() for message in asked]
    sent = writer.filer.sent_from_here(writer.connection, writer.workspace_id, mailbox_id, facts)
    stored: dict[UUID, UUID] = {}
    for message in asked:
        if (one := sent.get(message.id)) and one.message_id is not None:
            stored[message.new.identity] = one.message_id
            _learn(writer, message, one)
    return stored, [_with_names(message, sent[message.id]) if message.id in sent else message for message in messages]


def _with_names(message: Prepared, sent: SentFrom) -> Prepared:
    facts = message.thread_facts
    refs = dict.fromkeys((*facts.refs, *map(reference_key, sent.names)))
    refs.pop(facts.key, None)
    return replace(message, thread_facts=ThreadFacts(facts.key, tuple(refs)))


def _learn(writer: MessageWriter, copy: Prepared, sent: SentFrom) -> None:
    """Let the stored message go by the id that everybody else has, and its thread by all of them."""
    told = copy.new.parsed.internet_message_id
    if not told or sent.message_id is None:
        return
    writer.connection.execute(
        "UPDATE correspondence_message SET internet_message_id = %(name)s, ref = %(ref)s"
        " WHERE id = %(id)s AND internet_message_id <> %(name)s",
        {"name": storable(told), "ref": reference_key(told), "id": sent.message_id},
    )
    writer.join_names([told, *sent.names])
