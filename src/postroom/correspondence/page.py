"""One page, in one open transaction: what is new becomes rows, what is known gets a placement (DESIGN.md 4).

Order of the steps and why: first what the provider took away (a renumbered folder frees its remote ids), then look-ups,
what is kept, threads, filing, COPY, and last the cursor, which proves that nobody else owns the mailbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from postroom.correspondence import sightings
from postroom.correspondence.filer import Filer
from postroom.correspondence.message_writer import MailboxFacts, MessageWriter
from postroom.correspondence.models import Placement
from postroom.correspondence.placed import check_placed
from postroom.correspondence.placements import forget_removed, place_matches
from postroom.correspondence.prepared import Prepared
from postroom.correspondence.prepared_header import PreparedHeader
from postroom.correspondence.progress import advance
from postroom.correspondence.rows import find_rows, table_of
from postroom.correspondence.second_reading import read_again
from postroom.correspondence.sent_copies import recognise
from postroom.correspondence.sightings import Place, Sighted
from postroom.engine.store import Page, Saved
from postroom.workspaces.database import lock_workspace
from postroom.workspaces.ids import new_row_id

MOST_TOPICS = 50  # records that are told of one page
CLOCKS_DIFFER: Final = timedelta(minutes=2)  # the provider's and ours


class PageWriter:
    """Writes one page. Everything happens on `connection`, in the transaction the caller opened."""

    def __init__(self, connection: Connection[Any], filer: Filer, page: Page, mailbox: MailboxFacts) -> None:
        self.connection = connection
        self.filer = filer
        self.messages = MessageWriter(connection, filer, mailbox)
        self.page = page
        self.mailbox = mailbox
        self.workspace_id = mailbox.workspace_id

    def write(self, prepared: Sequence[Prepared], passed_over: Sequence[PreparedHeader] = ()) -> Saved:
        """Save all of the page; raises Fenced, Conflict or UniqueViolation, upon which the caller rolls back."""
        lock_workspace(self.connection, self.workspace_id, yields=self.page.slice_id is not None)
        self._remove(self.page.removed)
        self._flag()
        placed = self._placed([one.new.remote_id for one in prepared] + [one.new.remote_id for one in passed_over])
        unplaced = list({m.new.remote_id: m for m in prepared if m.new.remote_id not in placed}.values())
        headers = list({m.new.remote_id: m for m in passed_over if m.new.remote_id not in placed}.values())
        in_place = [message for message in prepared if message.new.remote_id in placed]
        read_again(self.messages, self.page.folder_id, in_place, is_ours=self._is_ours)
        known = self.messages.known({message.new.identity for message in prepared})
        if self._is_ours:
            copies, unplaced = recognise(self.messages, self.page.mailbox_id, unplaced, known)
            known |= copies
        new = {message.new.identity: message for message in unplaced if message.new.identity not in known}
        wanted = self._choose(list(new.values()), headers)
        stored, filed = self.messages.store(
            [message for message in new.values() if message.id in wanted], is_ours=self._is_ours
        )
        found_ids = {match.message_id for match in self.page.placed}
        standing = self.filer.filed_among(self.connection, found_ids.union(known.values()))
        ids = known | {message.prepared.new.identity: message.id for message in stored}
        on_record = filed.message_ids | standing.message_ids
        sent_ids = filed.kept_ids | standing.kept_ids if self._is_ours else frozenset()
        kept = self._place(unplaced, ids, on_record | sent_ids)
        self._pass_over(headers, wanted)
        found = self._place_found()
        forget_removed(self.connection, self.page.mailbox_id, [*known.values(), *found])
        in_page = [ids.get(message.new.identity) for message in prepared if message.new.remote_id in placed | kept]
        in_page += found
        saved = Saved(
            new=len(stored),
            filed=sum(message_id in on_record for message_id in in_page),
            kept=len(in_page),
        )
        advance(self.connection, self.page, saved)
        if not self._is_ours:
            received = [one.new.received_at for one in unplaced] + [one.new.received_at for one in headers]
            self._note_arrival(received)
        # An import tells only the mailbox's page, else it would flood the others.
        tell_pages(self.connection, self.page.mailbox_id, filed.record_ids if self.page.is_live else frozenset())
        return saved

    @property
    def _is_ours(self) -> bool:
        return self.page.folder_id in self.mailbox.sent_folder_ids

    def _choose(self, new: Sequence[Prepared], headers: Sequence[PreparedHeader]) -> frozenset[UUID]:
        """The ids of new messages that are kept, and of headers that are wanted after all.

        A contact may have been added since the headers were chosen from, or a message of this very page may put their
        thread on a record.
        """
        if self.mailbox.keeps_everything:
            return frozenset([one.id for one in new] + [one.id for one in headers])
        return self.messages.choose(new, headers, is_ours=self._is_ours) if new or headers else frozenset()

    def _placed(self, remote_ids: list[str]) -> set[str]:
        placed = "(SELECT * FROM correspondence_placement WHERE removed_at IS NULL) placed"
        scope = ("folder_id", self.page.folder_id)
        return {row[0] for row in find_rows(self.connection, "remote_id", placed, scope, "remote_id", remote_ids)}

    def _place(self, unplaced: Sequence[Prepared], ids: dict[UUID, UUID], staying_ids: frozenset[UUID]) -> set[str]:
        """Give each kept message its placement, every other a sighting; return the remote ids that were placed."""
        table, everything = table_of(Placement), self.mailbox.keeps_everything
        rows, unkept, placed = [], [], {}
        for message in unplaced:
            message_id = ids.get(message.new.identity)
            if message_id is None or not (everything or message_id in staying_ids):
                unkept.append(message)
                continue
            placed[message.new.remote_id] = message_id
            rows.append(
                table.row(
                    id=new_row_id(),
                    workspace_id=self.workspace_id,
                    mailbox_id=self.page.mailbox_id,
                    folder_id=self.page.folder_id,
                    message_id=message_id,
                    remote_id=message.new.remote_id,
                    flags=list(message.new.flags),
                    size=message.new.raw_size,
                    received_at=message.new.received_at,
                    removed_at=None,
                )
            )
        table.copy(self.connection, rows)
        if self.mailbox.has_sightings:
            sightings.forget(self.connection, self.page.folder_id, [message.new.remote_id for message in unplaced])
        sightings.save(self.connection, self._folder, [self._sighted(message) for message in unkept])
        return set(placed)

    def _place_found(self) -> list[UUID]:
        """Give what is stored under the same ids in other folders its placement here; the messages. Raises Conflict."""
        matches = list({match.listed.remote_id: match for match in self.page.placed}.values())
        if not matches:
            return []
        check_placed(self.connection, self.page.mailbox_id, matches)
        there = self._placed([match.listed.remote_id for match in matches])
        new = [match for match in matches if match.listed.remote_id not in there]
        place_matches(self.connection, self._folder, new)
        sightings.forget(self.connection, self.page.folder_id, [match.listed.remote_id for match in new])
        return [match.message_id for match in matches]

    def _pass_over(self, headers: Sequence[PreparedHeader], wanted: frozenset[UUID]) -> None:
        sighted = [header.sighted(self.workspace_id, is_wanted=header.id in wanted) for header in headers]
        sightings.forget(self.connection, self.page.folder_id, [one.remote_id for one in sighted])
        sightings.save(self.connection, self._folder, sighted)

    def _sighted(self, message: Prepared) -> Sighted:
        hashes = sightings.hashes_of(self.workspace_id, (person.key for person in message.participants), message.refs)
        return Sighted(message.new.remote_id, message.new.received_at, message.new.raw_size, hashes)

    @property
    def _folder(self) -> Place:
        return Place(self.workspace_id, self.page.mailbox_id, self.page.folder_id)

    def _remove(self, remote_ids: Sequence[str]) -> None:
        """Take placements away, never messages. The last one a mailbox has of a message stays, marked."""
        if not remote_ids:
            return
        rows = self.connection.execute(
            "UPDATE correspondence_placement SET removed_at = now()"
            " WHERE folder_id = %s AND remote_id = ANY(%s::text[]) AND removed_at IS NULL RETURNING message_id",
            [self.page.folder_id, list(remote_ids)],
        ).fetchall()
        forget_removed(self.connection, self.page.mailbox_id, (message_id for (message_id,) in rows))
        sightings.forget(self.connection, self.page.folder_id, remote_ids)

    def _flag(self) -> None:
        """One statement for each combination of flags, of which a storm of 50,000 changes has a handful."""
        remote_ids = defaultdict(list)
        for remote_id, flags in dict(self.page.flagged).items():
            remote_ids[flags].append(remote_id)
        for flags, flagged in remote_ids.items():
            self.connection.execute(
                "UPDATE correspondence_placement SET flags = %s::text[]"
                " WHERE folder_id = %s AND remote_id = ANY(%s::text[]) AND removed_at IS NULL",
                [list(flags), self.page.folder_id, flagged],
            )

    def _note_arrival(self, times: Sequence[datetime]) -> None:
        """Note when the mailbox last got a message. What is older than the connection proves nothing about it.

        An import brings what came after it too, while it waited for a yes. Of that the time has to be clear: much of
        an import is only just older than the connection.
        """
        received = [*times, *(match.received_at for match in self.page.placed)]
        if not received:
            return
        at = min(max(received), datetime.now(UTC))  # who puts a message into a folder chooses its time
        self.connection.execute(
            "UPDATE mailboxes_mailbox mailbox SET last_received_at = %(at)s FROM mailboxes_folder folder"
            " WHERE mailbox.id = %(mailbox)s AND folder.id = %(folder)s AND folder.role NOT IN ('drafts', 'trash')"
            " AND mailbox.created_at < %(at)s + %(clocks)s"
            " AND coalesce(mailbox.last_received_at < %(at)s, true)",
            {
                "at": at,
                "mailbox": self.page.mailbox_id,
                "folder": self.page.folder_id,
                "clocks": CLOCKS_DIFFER if self.page.is_live else timedelta(0),
            },
        )


def tell_pages(connection: Connection[Any], mailbox_id: UUID, record_ids: frozenset[UUID]) -> None:
    """Have the open pages of the mailbox and of these records look again, on commit."""
    topics = [f"mailbox:{mailbox_id}", *(f"record:{record_id}" for record_id in sorted(record_ids)[:MOST_TOPICS])]
    connection.execute("SELECT pg_notify('postroom_events', topic) FROM unnest(%s::text[]) topic", [topics])
