"""What was done with a mailbox, in words: the sentence of each kind of entry, how entries are kept, and for how long.

The mailbox's page, the API and `postroom sync --once -v` say the same sentences. An entry holds numbers, names of
folders and of members, and facts of errors: never a subject, a body, an address of a correspondent or a password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection
from django.utils import timezone

from postroom.engine.journal import Facts, Kind
from postroom.mailboxes.models import JournalEntry, Mailbox, mailbox_topic
from postroom.providers import catalogue
from postroom.workspaces import events
from postroom.workspaces.database import borrowed_connection
from postroom.workspaces.members import Member

KEPT_DAYS: Final = 30
MOST_ENTRIES: Final = 500  # of one mailbox
LONGEST_FACT: Final = 200  # characters


class MailboxJournal:
    """engine.journal.Journal on the ORM. Called from threads: each call leaves no stale connection behind."""

    @borrowed_connection()
    def note(self, mailbox_id: UUID, kind: Kind, facts: Facts) -> None:
        note(mailbox_id, kind, facts)


def note(mailbox_id: UUID, kind: Kind, facts: Facts) -> None:
    """Write an entry down and tell the open pages; of a mailbox that is gone nothing is noted."""
    workspace_id = Mailbox.objects.filter(pk=mailbox_id).values_list("workspace_id", flat=True).first()
    if workspace_id is None:
        return
    JournalEntry.objects.create(
        workspace_id=workspace_id, mailbox_id=mailbox_id, kind=kind.value, facts=_trimmed(facts)
    )
    events.notify(mailbox_topic(mailbox_id))


def note_of(member: Member, mailbox: Mailbox, kind: Kind, facts: Facts) -> None:
    """Note what a member did with a mailbox."""
    note(mailbox.pk, kind, {**facts, "by": str(member.user)})


def prune() -> int:
    """Delete entries that are older than a month, and of each mailbox all but the newest; how many went."""
    old, _ = JournalEntry.objects.filter(at__lt=timezone.now() - timedelta(days=KEPT_DAYS)).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM mailboxes_journalentry WHERE id IN (SELECT id FROM ("
            " SELECT id, row_number() OVER (PARTITION BY mailbox_id ORDER BY at DESC, id DESC) AS place"
            " FROM mailboxes_journalentry) ranked WHERE place > %s)",
            [MOST_ENTRIES],
        )
        surplus: int = cursor.rowcount
    return old + surplus


def sentence(kind: str, facts: Facts) -> str:
    """What happened, in one sentence. A fact that is missing becomes a plain word; a kind nobody knows has none."""
    words = _SENTENCES.get(kind)
    return words(_Told(facts)) if words else ""


def _trimmed(facts: Facts) -> dict[str, str | int]:
    """Facts as the column holds them: names in one short line, numbers as they are."""
    return {key: value if isinstance(value, int) else _line(str(value)) for key, value in facts.items()}


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:LONGEST_FACT]


class _Told:
    """The facts of one entry as its sentence takes them: whatever was stored, a number is a number."""

    def __init__(self, facts: Facts) -> None:
        self.facts: Mapping[str, str | int] = facts

    def text(self, name: str, otherwise: str) -> str:
        return str(self.facts.get(name) or otherwise)

    def number(self, name: str) -> int:
        value = self.facts.get(name, 0)
        return value if isinstance(value, int) else int(value) if value.isdigit() else 0

    def count(self, name: str, one: str, many: str = "") -> str:
        """A number with its noun: "1 message", "1,204 messages"."""
        return counted(self.number(name), one, many)

    @property
    def folder(self) -> str:
        name = self.text("folder", "a folder")
        return "Inbox" if name.upper() == "INBOX" else name  # RFC 3501 section 5.1 writes it in capitals

    @property
    def by(self) -> str:
        return self.text("by", "Somebody")


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 message", "1,204 messages"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def in_words(seconds: int) -> str:
    """A length of time: "40 seconds", "15 minutes", "2 hours"."""
    if seconds < 90:
        return counted(max(seconds, 1), "second")
    if seconds < 90 * 60:
        return counted(round(seconds / 60), "minute")
    return counted(round(seconds / 3600), "hour")


def _connected(told: _Told) -> str:
    return f"Connected to {told.text('host', 'the mail server')}."


def _planned(told: _Told) -> str:
    if told.number("messages") == 0:
        return "There was nothing to import."
    return f"Began to import {told.count('messages', 'message')}, newest first."


def _imported(told: _Told) -> str:
    messages, kept = told.number("messages"), told.number("kept")
    if kept == messages:
        return f"Imported all {told.count('messages', 'message')}." if messages != 1 else "Imported the 1 message."
    return f"The import is through: {told.count('messages', 'message')} read, {kept:,} kept."


def _caught_up(told: _Told) -> str:
    new, removed = told.number("new"), told.number("removed")
    gone = f"{counted(removed, 'message')} went from {told.folder} on the server."
    if not new:
        return gone if removed else f"Looked at {told.folder}: nothing new."
    arrived = f"{counted(new, 'new message')} in {told.folder}, {_on_records(told.number('filed'), new)}."
    return f"{arrived} {gone}" if removed else arrived


def _on_records(filed: int, of: int) -> str:
    if filed == 0:
        return "none on a record" if of > 1 else "not on a record"
    if of == 1:
        return "on a record"
    return "all on records" if filed == of else f"{filed:,} on records" if filed > 1 else "1 on a record"


def _wanted_fetched(told: _Told) -> str:
    return f"Fetched {told.count('count', 'earlier message')} because a record wants {_them(told.number('count'))} now."


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _renumbered(told: _Told) -> str:
    matched, fetched = told.number("matched"), told.number("fetched")
    again = f"{counted(matched, 'message')} {'was' if matched == 1 else 'were'} found again"
    return f"The server renumbered {told.folder}: {again}, {fetched:,} {'was' if fetched == 1 else 'were'} fetched."


def _held(told: _Told) -> str:
    if told.text("code", "") == "renumbered_often":
        return f"The server keeps renumbering {told.folder}. Postroom stopped reading it and waits for an answer."
    gone, known = told.number("gone"), told.number("known")
    return f"{gone:,} of {counted(known, 'message')} are gone from {told.folder}. Postroom waits for an answer."


def _released(told: _Told) -> str:
    return f"The question about {told.folder} is settled."


def _swept(told: _Told) -> str:
    return f"Compared {told.folder} with the server and mended {told.count('repaired', 'difference')}."


def _gap_filled(told: _Told) -> str:
    count = told.number("count")
    were = f"{counted(count, 'message')} {'was' if count == 1 else 'were'} missing"
    here = f"{were}, and {'is' if count == 1 else 'are'} here now"
    return f"Counted {told.folder}, {_month(told.text('month', ''))}: {here}."


def _month(text: str) -> str:
    """2026-11 → November 2026."""
    try:
        return datetime.strptime(text, "%Y-%m").strftime("%B %Y")  # noqa: DTZ007  a month has no zone
    except ValueError:
        return "one month"


def _folder_renamed(told: _Told) -> str:
    return f"The folder {told.text('was', 'that was known')} is called {told.folder} now."


def _folder_gone(told: _Told) -> str:
    return f"The folder {told.folder} is no longer on the server. What is on records stays."


def _failed(told: _Told) -> str:
    facts = {name: value for name, value in told.facts.items() if name != "code"}
    entry = catalogue.explain(told.text("code", "provider_error"), **facts)
    return f"{entry.title.rstrip('.')}. {entry.what}"


def _waiting(told: _Told) -> str:
    why = catalogue.explain(told.text("code", "provider_error")).title.rstrip(".")
    return f"{why}. Postroom leaves the server alone for {in_words(told.number('seconds'))}."


def _extended(told: _Told) -> str:
    return f"{told.by} had the last {told.count('days', 'day')} imported."


def _folders_chosen(told: _Told) -> str:
    added, left_out = told.number("added"), told.number("left_out")
    did = [f"added {counted(added, 'folder')}"] if added else []
    did += [f"left {counted(left_out, 'folder')} out"] if left_out else []
    return f"{told.by} {' and '.join(did) or 'looked through the folders'}."


_ANSWERS: Final = {
    "remove": "said that the messages in {folder} were deleted on purpose",
    "wait": "said that the messages in {folder} should come back",
    "read_again": "had {folder} read again",
}


def _answered(told: _Told) -> str:
    said = _ANSWERS.get(told.text("answer", ""), "answered the question about {folder}")
    return f"{told.by} {said.replace('{folder}', told.folder)}."


_SENTENCES: Final[Mapping[str, Callable[[_Told], str]]] = {
    Kind.CONNECTED: _connected,
    Kind.PLANNED: _planned,
    Kind.IMPORTED: _imported,
    Kind.CAUGHT_UP: _caught_up,
    Kind.WANTED_FETCHED: _wanted_fetched,
    Kind.RENUMBERED: _renumbered,
    Kind.HELD: _held,
    Kind.RELEASED: _released,
    Kind.SWEPT: _swept,
    Kind.GAP_FILLED: _gap_filled,
    Kind.FOLDER_RENAMED: _folder_renamed,
    Kind.FOLDER_GONE: _folder_gone,
    Kind.FAILED: _failed,
    Kind.WAITING: _waiting,
    Kind.PAUSED: lambda told: f"{told.by} paused the mailbox.",
    Kind.RESUMED: lambda told: f"{told.by} let the mailbox go on.",
    Kind.EXTENDED: _extended,
    Kind.FOLDERS_CHOSEN: _folders_chosen,
    Kind.RECONNECTED: lambda told: f"{told.by} reconnected the mailbox.",
    Kind.HANDED_OVER: lambda told: f"{told.by} gave the mailbox to {told.text('to', 'another member')}.",
    Kind.ANSWERED: _answered,
}
