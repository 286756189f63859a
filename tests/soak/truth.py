"""The judge: what is stored of a mailbox against what its server holds, message by message."""

from __future__ import annotations

import hashlib
import imaplib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from postroom.correspondence.blobs import unpack
from tests.soak.letters import mark_of, read_letter

POISON = "<poison"  # how the Message-ID of a message begins that no two parsers read alike
LEFT_OUT = ("junk", "trash", "drafts", "spam", "deleted")
_LISTED = re.compile(rb'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?P<name>.+)$')
_FETCHED = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_TABLES = ("body.message_id", "placement.message_id", "participant.message_id", "attachment.message_id")

imaplib._MAXLINE = 50_000_000  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Seen:
    """A message in a folder."""

    internet_message_id: str
    mark: str
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits for a mailbox's owner; `gone` counts the messages that it is about, if it is about any."""

    folder_id: UUID
    folder: str  # its wire name
    code: str
    gone: int


Folders = dict[str, dict[str, Seen]]  # name → remote id → message


@dataclass(frozen=True, slots=True)
class Difference:
    """Between a server and the database; nothing when they are equal. Every entry of `notes` is one sentence."""

    lost: int
    doubled: int
    notes: tuple[str, ...]

    @property
    def is_none(self) -> bool:
        return not (self.lost or self.doubled or self.notes)


@contextmanager
def signed_in(port: int, address: str, password: str = "pass") -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=30)
    client.login(address, password)
    try:
        yield client
    finally:
        client.shutdown()  # no LOGOUT: the server may be past talking


def folder_names(client: imaplib.IMAP4) -> list[str]:
    """Folders that can be opened, as their wire names, and that Postroom is to read."""
    _, lines = client.list()
    names = []
    for line in lines:
        match = _LISTED.match(line) if isinstance(line, bytes) else None
        if match is None or b"\\noselect" in match["flags"].lower() or b"\\nonexistent" in match["flags"].lower():
            continue
        name = match["name"].decode().strip('"')
        if not name.lower().startswith(LEFT_OUT):
            names.append(name)
    return names


def on_server(port: int, address: str, validity_shift: int = 0) -> Folders:
    """Everything that a server holds in the folders that are to be read."""
    with signed_in(port, address) as client:
        return {name: _folder(client, name, validity_shift) for name in folder_names(client)}


def _folder(client: imaplib.IMAP4, name: str, validity_shift: int) -> dict[str, Seen]:
    client.select(f'"{name}"', readonly=True)
    validity = client.response("UIDVALIDITY")[1][0]
    assert isinstance(validity, bytes)
    count = client.untagged_responses.get("EXISTS", [b"0"])[-1]
    if count == b"0":
        return {}
    _, parts = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
    found: dict[str, Seen] = {}
    for number, part in enumerate(parts):
        if not isinstance(part, tuple):
            continue
        after = parts[number + 1] if number + 1 < len(parts) else b""
        told = part[0] + (after if isinstance(after, bytes) else b"")
        uid, flags = _FETCHED.search(told), _FLAGS.search(told)
        assert uid and flags, told
        letter = read_letter(part[1])
        found[f"{int(validity) + validity_shift}.{int(uid[1])}"] = Seen(
            letter.internet_message_id, letter.mark, _flags(flags[1].decode().split())
        )
    return found


def _flags(words: list[str]) -> frozenset[str]:
    return frozenset(word.lower() for word in words) - {"\\recent"}


def only(folders: Folders, internet_message_ids: set[str]) -> Folders:
    """Of the messages in folders, those with these ids."""
    return {
        name: {key: seen for key, seen in folder.items() if seen.internet_message_id in internet_message_ids}
        for name, folder in folders.items()
    }


def in_database(connection: psycopg.Connection[Any], mailbox_id: UUID) -> Folders:
    """What is stored as lying in each folder that is synced."""
    rows = connection.execute(
        "SELECT folder.remote_name, placement.remote_id, message.internet_message_id, body.content, placement.flags"
        " FROM mailboxes_folder folder"
        " LEFT JOIN correspondence_placement placement ON placement.folder_id = folder.id AND removed_at IS NULL"
        " LEFT JOIN correspondence_message message ON message.id = placement.message_id"
        " LEFT JOIN correspondence_body body ON body.message_id = message.id"
        " WHERE folder.mailbox_id = %s AND folder.is_synced",
        [mailbox_id],
    ).fetchall()
    found: Folders = {}
    for name, remote_id, internet_message_id, content, flags in rows:
        folder = found.setdefault(name, {})
        if remote_id is not None:
            mark = mark_of(unpack(content).text) if content is not None else "no body"
            folder[remote_id] = Seen(internet_message_id or "", mark, _flags(flags))
    return found


def asked(connection: psycopg.Connection[Any], mailbox_id: UUID) -> list[Asked]:
    """What the folders of a mailbox ask and nobody has answered."""
    rows = connection.execute(
        "SELECT id, remote_name, held_code, coalesce((held_facts->>'gone')::int, 0) FROM mailboxes_folder"
        " WHERE mailbox_id = %s AND is_synced AND held_code <> '' AND NOT may_remove",
        [mailbox_id],
    ).fetchall()
    return [Asked(*row) for row in rows]


def compare(server: Folders, stored: Folders) -> tuple[int, list[str]]:
    """(messages that are missing in the database, everything that is unequal besides)"""
    lost, notes = 0, []
    for name in server.keys() | stored.keys():
        there, here = server.get(name, {}), stored.get(name, {})
        if name not in stored:
            notes.append(f"{name}: the folder is not synced")
        elif name not in server and here:
            notes.append(f"{name}: {len(here)} messages of a folder that is gone")
        missing = there.keys() - here.keys()
        lost += len(missing)
        if missing:
            notes.append(f"{name}: {len(missing)} missing: {sorted(missing)[:5]}")
        if stale := here.keys() - there.keys():
            notes.append(f"{name}: {len(stale)} no longer on the server: {sorted(stale)[:5]}")
        for remote_id in there.keys() & here.keys():
            if not _same(there[remote_id], here[remote_id]):
                notes.append(
                    f"{name} {remote_id}: {_told(here[remote_id])} is stored, {_told(there[remote_id])} is right"
                )
    return lost, notes[:4]


def _same(there: Seen, here: Seen) -> bool:
    """Of poison the text does not count: every parser reads it in its own way."""
    is_poison = there.internet_message_id.startswith(POISON)
    return there == (replace(here, mark=there.mark) if is_poison else here)


def _told(seen: Seen) -> str:
    return f"{seen.internet_message_id} {seen.mark[:8]} {' '.join(sorted(seen.flags)) or 'no flags'}"


def doubled(connection: psycopg.Connection[Any], workspace_id: UUID) -> int:
    """Messages of a workspace stored more than once, and places that hold one message twice."""
    rows = connection.execute(
        "SELECT internet_message_id, content FROM correspondence_message message"
        " LEFT JOIN correspondence_body body ON body.message_id = message.id WHERE message.workspace_id = %s",
        [workspace_id],
    ).fetchall()
    read = (unpack(content).text if content is not None else "" for _, content in rows)
    marks = Counter((row[0], mark_of(text)) for row, text in zip(rows, read, strict=True))
    return sum(count - 1 for count in marks.values())


def unknown_texts(connection: psycopg.Connection[Any], workspace_id: UUID, marks: set[str]) -> int:
    """Stored messages whose text nobody ever wrote: truncated, mixed up."""
    rows = connection.execute(
        "SELECT content FROM correspondence_body body JOIN correspondence_message message ON message.id = message_id"
        " WHERE body.workspace_id = %s AND internet_message_id NOT LIKE %s",
        [workspace_id, POISON + "%"],
    ).fetchall()
    return sum(mark_of(unpack(content).text) not in marks for (content,) in rows)


def dangling(connection: psycopg.Connection[Any], workspace_id: UUID) -> list[str]:
    """Rows that name a row which is not there."""
    broken = []
    for table, column in (name.split(".") for name in _TABLES):
        [count] = _row(
            connection,
            f"SELECT count(*) FROM correspondence_{table} child WHERE workspace_id = %s AND NOT EXISTS"
            f" (SELECT 1 FROM correspondence_message parent WHERE parent.id = child.{column})",
            workspace_id,
        )
        broken += [f"{count} rows of {table} without a message"] * bool(count)
    [count] = _row(
        connection,
        "SELECT count(*) FROM correspondence_message child WHERE workspace_id = %s AND NOT EXISTS"
        " (SELECT 1 FROM correspondence_thread parent WHERE parent.id = child.thread_id)",
        workspace_id,
    )
    return broken + [f"{count} messages without a thread"] * bool(count)


def damaged_files(connection: psycopg.Connection[Any], workspace_id: UUID, attachments: Path) -> list[str]:
    """Attachments of stored messages whose file is missing or has other octets."""
    rows = connection.execute(
        "SELECT DISTINCT sha256 FROM correspondence_attachment WHERE workspace_id = %s", [workspace_id]
    ).fetchall()
    broken = []
    for digest in (bytes(sha256).hex() for (sha256,) in rows):
        path = attachments / digest[:2] / digest[2:4] / digest
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            broken.append(f"the file of attachment {digest[:12]} is missing or damaged")
    return broken


def _row(connection: psycopg.Connection[Any], statement: str, *parameters: object) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = connection.execute(statement, parameters).fetchone()
    assert found is not None
    return found
