"""What every store promises. A store's test is a subclass with a `world` fixture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Protocol
from uuid import UUID, uuid4

import pytest

from postroom.engine.store import Conflict, Fenced, NewMessage, Page, PlannedSlice, Store
from postroom.mail.message import Address, ParsedAttachment, ParsedMessage
from postroom.mail.mime.identity import identity
from postroom.providers.base import RemoteFolder

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ON_RECORD = "anna@customer.example"
INBOX, SENT = RemoteFolder("INBOX", "Inbox", "inbox"), RemoteFolder("Sent", "Sent", "sent")


class StoreWorld(Protocol):
    """A store and a look at what it holds."""

    store: Store

    def another_store(self) -> Store: ...

    def add_mailbox(self, address: str, *, keep: str = "everything") -> UUID: ...

    def claim(self, mailbox_id: UUID) -> int: ...

    def messages(self) -> list[str]:
        """The subjects of all messages, sorted."""
        ...

    def placements(self) -> set[tuple[UUID, str, str]]:
        """(folder, remote id, subject)."""
        ...

    def flags(self, folder_id: UUID, remote_id: str) -> tuple[str, ...]: ...

    def threads(self) -> set[frozenset[str]]:
        """The threads, each as the set of its subjects."""
        ...

    def want(self, folder_id: UUID, remote_id: str) -> None:
        """A record wants what was passed over there."""
        ...

    def choose(self, folder_id: UUID, is_chosen: bool) -> None:
        """The owner says whether a folder is read."""
        ...

    def question(self, folder_id: UUID) -> tuple[str, dict[str, int]] | None:
        """Code and facts of what its owner is asked."""
        ...

    def answer_yes(self, folder_id: UUID) -> None: ...

    def pass_a_day(self, mailbox_id: UUID) -> None: ...

    def add_addresses(self, *keys: str) -> None:
        """Contacts get these addresses."""
        ...

    def let_go(self, remote_id: str) -> None:
        """The message that has this id in some folder goes from its last record: no mailbox has it any more."""
        ...


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox with its two folders, as it was loaded."""

    id: UUID
    epoch: int
    inbox: UUID
    sent: UUID


def make_message(
    remote_id: str,
    subject: str = "Offer",
    *,
    name: str | None = "",
    answers: Iterable[str] = (),
    sender: str = ON_RECORD,
    date: datetime | None = NOON,
    hours: int = 0,
    attachments: tuple[ParsedAttachment, ...] = (),
) -> NewMessage:
    """A parsed message. `name` is the left of its Message-ID, by default the subject; None: it has no Message-ID."""
    internet_message_id = "" if name is None else f"<{name or subject.lower()}@customer.example>"
    parsed = ParsedMessage(
        internet_message_id=internet_message_id,
        references=tuple(f"<{answered}@customer.example>" for answered in answers),
        subject=subject,
        from_=(Address(sender, "Anna"),),
        to=(Address("sales@tidewater.example"),),
        date=date,
        text=f"About {subject}",
        attachments=attachments,
        raw_headers=b"Subject: " + subject.encode() + b"\r\n",
    )
    raw = b"Subject: " + subject.encode() + b"\r\n\r\n" + parsed.text.encode()
    return NewMessage(remote_id, len(raw), identity(parsed, raw), NOON + timedelta(hours=hours), (), parsed)


class StoreSuite:
    """What the suites of a store share: a mailbox with two folders, and pages for its inbox."""

    @pytest.fixture
    def box(self, world: StoreWorld) -> Box:
        return self.open_box(world, "sales@tidewater.example")

    def open_box(self, world: StoreWorld, address: str, *, keep: str = "everything") -> Box:
        mailbox_id = world.add_mailbox(address, keep=keep)
        epoch = world.claim(mailbox_id)
        folders = world.store.save_folders(mailbox_id, epoch, [INBOX, SENT])
        ids = {folder.remote_name: folder.id for folder in folders}
        return Box(mailbox_id, epoch, ids["INBOX"], ids["Sent"])

    def page(self, box: Box, *messages: NewMessage, **more: object) -> Page:
        return Page(box.id, box.epoch, box.inbox, messages, **more)  # type: ignore[arg-type]


class StoreContract(StoreSuite):
    def test_a_page_again_changes_nothing(self, world: StoreWorld, box: Box) -> None:
        page = self.page(box, make_message("1", "Offer"), make_message("2", "Order", answers=["offer"]))
        assert world.store.save_page(page).new == 2
        before = world.messages(), world.placements(), world.threads()
        assert world.store.save_page(page).new == 0
        assert (world.messages(), world.placements(), world.threads()) == before
        assert before[0] == ["Offer", "Order"]

    def test_the_same_remote_id_twice_is_one_placement(self, world: StoreWorld, box: Box) -> None:
        saved = world.store.save_page(self.page(box, make_message("1"), make_message("1")))
        assert saved.new == 1
        assert world.placements() == {(box.inbox, "1", "Offer")}

    def test_a_message_in_two_folders_is_one_message(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1")))
        saved = world.store.save_page(replace(self.page(box, make_message("9")), folder_id=box.sent))
        assert saved.new == 0 and saved.kept == 1
        assert world.messages() == ["Offer"]
        assert world.placements() == {(box.inbox, "1", "Offer"), (box.sent, "9", "Offer")}

    def test_a_message_twice_in_one_page_is_one_message(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1"), make_message("2")))
        assert world.messages() == ["Offer"]
        assert len(world.placements()) == 2

    def test_a_message_in_two_mailboxes_is_one_message(self, world: StoreWorld, box: Box) -> None:
        other = self.open_box(world, "support@tidewater.example")
        world.store.save_page(self.page(box, make_message("1")))
        world.store.save_page(self.page(other, make_message("1")))
        assert world.messages() == ["Offer"]
        assert world.placements() == {(box.inbox, "1", "Offer"), (other.inbox, "1", "Offer")}

    def test_one_message_id_on_other_content_is_another_message(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1", "Offer", name="x")))
        world.store.save_page(self.page(box, make_message("2", "Forged", name="x")))
        assert world.messages() == ["Forged", "Offer"]

    def test_a_page_of_a_former_owner_is_fenced(self, world: StoreWorld, box: Box) -> None:
        world.claim(box.id)
        with pytest.raises(Fenced):
            world.store.save_page(self.page(box, make_message("1"), cursor="c1", version=0))
        with pytest.raises(Fenced):
            world.store.save_page(self.page(box, make_message("1")))
        assert world.messages() == [] and world.placements() == set()
        assert self.inbox_state(world, box) == ("", 0)

    def test_folders_and_plan_of_a_former_owner_are_fenced(self, world: StoreWorld, box: Box) -> None:
        world.claim(box.id)
        with pytest.raises(Fenced):
            world.store.save_folders(box.id, box.epoch, [INBOX])
        with pytest.raises(Fenced):
            world.store.save_plan(box.id, box.epoch, {box.inbox: "c"}, [])
        assert not world.store.load_mailbox(box.id).is_planned

    def test_a_mailbox_that_is_gone_is_fenced(self, world: StoreWorld, box: Box) -> None:
        with pytest.raises(Fenced):
            world.store.load_mailbox(uuid4())
        with pytest.raises(Fenced):
            world.store.save_page(replace(self.page(box, make_message("1")), mailbox_id=uuid4()))

    def test_a_cursor_moves_with_its_rows_and_only_from_its_version(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1"), cursor="c1", version=0))
        assert self.inbox_state(world, box) == ("c1", 1)
        with pytest.raises(Conflict):
            world.store.save_page(self.page(box, make_message("2", "Order"), cursor="c2", version=0))
        assert world.messages() == ["Offer"]
        assert self.inbox_state(world, box) == ("c1", 1)

    def inbox_state(self, world: StoreWorld, box: Box) -> tuple[str, int]:
        folders = {folder.id: folder for folder in world.store.load_mailbox(box.id).folders}
        return folders[box.inbox].cursor, folders[box.inbox].version

    def test_a_crash_between_pages_is_made_good_by_the_same_page(self, world: StoreWorld, box: Box) -> None:
        first = self.page(box, make_message("1"), cursor="c1", version=0)
        world.store.save_page(first)
        world.store.close()
        again = world.another_store()
        with pytest.raises(Conflict):  # the page was saved, the answer was lost
            again.save_page(first)
        again.save_page(self.page(box, make_message("1"), make_message("2", "Order"), cursor="c2", version=1))
        assert world.messages() == ["Offer", "Order"]
        again.close()

    def test_a_slice_moves_with_its_rows(self, world: StoreWorld, box: Box) -> None:
        (slice_id,) = self.plan(world, box, ("3", "2", "1"))
        found = world.store.find_slice(slice_id)
        assert found is not None
        assert (found.remote_name, found.remote_ids, found.done_count) == ("INBOX", ("3", "2", "1"), 0)
        world.store.save_page(self.slice_page(box, slice_id, 0, 2, make_message("3", "C"), make_message("2", "B")))
        found = world.store.find_slice(slice_id)
        assert found is not None and found.done_count == 2
        world.store.save_page(self.slice_page(box, slice_id, 2, 3, make_message("1", "A")))
        assert world.store.find_slice(slice_id) is None
        assert world.messages() == ["A", "B", "C"]

    def test_a_part_of_a_slice_is_imported_once(self, world: StoreWorld, box: Box) -> None:
        (slice_id,) = self.plan(world, box, ("2", "1"))
        world.store.save_page(self.slice_page(box, slice_id, 0, 1, make_message("2", "B")))
        with pytest.raises(Conflict):
            world.store.save_page(self.slice_page(box, slice_id, 0, 1, make_message("2", "B2", name="b2")))
        assert world.messages() == ["B"]

    def test_a_plan_comes_beside_what_is_open(self, world: StoreWorld, box: Box) -> None:
        (old,) = self.plan(world, box, ("4", "3"))
        (new,) = self.plan(world, box, ("2", "1"))
        assert world.store.find_slice(old) is not None and world.store.find_slice(new) is not None
        assert world.store.known_messages(box.inbox).planned == {"4", "3", "2", "1"}

    def test_what_leaves_a_folder_leaves_its_open_slices(self, world: StoreWorld, box: Box) -> None:
        (slice_id,) = self.plan(world, box, ("4", "3", "2", "1"))
        world.store.save_page(self.slice_page(box, slice_id, 0, 1, make_message("4", "D")))
        world.store.save_page(self.page(box, removed=("4", "2")))
        assert world.store.known_messages(box.inbox).planned == {"3", "1"}
        with pytest.raises(Fenced):  # an importer had it in its hands
            world.store.save_page(self.slice_page(box, slice_id, 1, 3, make_message("3"), make_message("2")))
        world.store.save_page(self.page(box, removed=("1", "3")))
        assert not world.store.known_messages(box.inbox).planned
        assert world.placements() == set()

    def test_a_slice_that_was_dropped_is_fenced(self, world: StoreWorld, box: Box) -> None:
        (slice_id,) = self.plan(world, box, ("2", "1"))
        world.store.save_folders(box.id, box.epoch, [INBOX, SENT], ["INBOX"])
        with pytest.raises(Fenced):
            world.store.save_page(self.slice_page(box, slice_id, 0, 1, make_message("2")))
        assert world.messages() == []

    def test_folders_that_come_later_are_planned_beside_what_is_open(self, world: StoreWorld, box: Box) -> None:
        (open_slice,) = self.plan(world, box, ("2", "1"))
        later = PlannedSlice(box.sent, 0, ("9",), (100,))
        (new,) = world.store.save_plan(box.id, box.epoch, {box.sent: "c"}, [later])
        assert world.store.find_slice(new) is not None
        world.store.save_page(self.slice_page(box, open_slice, 0, 2, make_message("2", "B"), make_message("1", "A")))
        assert world.messages() == ["A", "B"]

    def test_a_folder_that_goes_takes_its_open_slices_and_is_planned_anew_when_it_returns(
        self, world: StoreWorld, box: Box
    ) -> None:
        (slice_id,) = self.plan(world, box, ("2", "1"))
        world.store.save_folders(box.id, box.epoch, [SENT])
        assert world.store.find_slice(slice_id) is None
        returned = world.store.save_folders(box.id, box.epoch, [INBOX, SENT])
        assert {folder.cursor for folder in returned} == {""}

    def plan(self, world: StoreWorld, box: Box, remote_ids: tuple[str, ...]) -> tuple[UUID, ...]:
        planned = PlannedSlice(box.inbox, 0, remote_ids, (100,) * len(remote_ids))
        return world.store.save_plan(box.id, box.epoch, {box.inbox: "planned"}, [planned])

    def slice_page(self, box: Box, slice_id: UUID, start: int, end: int, *messages: NewMessage) -> Page:
        return Page(box.id, None, box.inbox, messages, slice_id=slice_id, slice_from=start, slice_done=end)

    def test_a_plan_sets_the_cursors(self, world: StoreWorld, box: Box) -> None:
        self.plan(world, box, ("1",))
        assert world.store.load_mailbox(box.id).is_planned
        assert self.inbox_state(world, box) == ("planned", 1)

    @pytest.mark.parametrize("order", list(permutations(range(4))))
    def test_threads_do_not_depend_on_the_order(self, world: StoreWorld, box: Box, order: tuple[int, ...]) -> None:
        # C joins A and B, which know nothing of each other; D stands alone.
        messages = [
            make_message("1", "A"),
            make_message("2", "B"),
            make_message("3", "C", answers=["a", "b"]),
            make_message("4", "D"),
        ]
        for index in order:
            world.store.save_page(self.page(box, messages[index]))
        assert world.threads() == {frozenset("ABC"), frozenset("D")}

    def test_answers_to_a_message_that_never_came_are_one_thread(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1", "A", answers=["lost"])))
        world.store.save_page(self.page(box, make_message("2", "B", answers=["lost"])))
        assert world.threads() == {frozenset("AB")}

    def test_a_message_without_a_date_is_kept(self, world: StoreWorld, box: Box) -> None:
        assert world.store.save_page(self.page(box, make_message("1", date=None))).kept == 1
        assert world.messages() == ["Offer"]

    def test_messages_without_a_message_id_stay_apart(self, world: StoreWorld, box: Box) -> None:
        page = self.page(box, make_message("1", "A", name=None), make_message("2", "B", name=None))
        world.store.save_page(page)
        world.store.save_page(page)
        assert world.messages() == ["A", "B"]
        assert world.threads() == {frozenset("A"), frozenset("B")}

    def test_a_renumbered_folder_keeps_its_messages(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1.1", "A"), make_message("1.2", "B")))
        threads = world.threads()
        saved = world.store.save_page(
            self.page(box, make_message("2.1", "B"), make_message("2.2", "A"), removed=("1.1", "1.2"))
        )
        assert saved.new == 0
        assert world.messages() == ["A", "B"] and world.threads() == threads
        assert world.placements() == {(box.inbox, "2.1", "B"), (box.inbox, "2.2", "A")}
        assert known_ids(world, box.inbox) == {"2.1", "2.2"}

    def test_a_remote_id_that_is_given_again_is_the_new_message(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1", "A")))
        world.store.save_page(self.page(box, make_message("1", "B"), removed=("1",)))
        assert world.placements() == {(box.inbox, "1", "B")}

    def test_a_removed_placement_does_not_remove_the_message(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1")))
        world.store.save_page(self.page(box, removed=("1", "unknown")))
        assert world.messages() == ["Offer"] and world.placements() == set()
        assert known_ids(world, box.inbox) == set()
        world.store.save_page(self.page(box, make_message("5")))
        assert world.placements() == {(box.inbox, "5", "Offer")}

    def test_flags_follow_the_provider(self, world: StoreWorld, box: Box) -> None:
        world.store.save_page(self.page(box, make_message("1")))
        world.store.save_page(self.page(box, flagged=(("1", ("\\Seen",)), ("gone", ()))))
        assert world.flags(box.inbox, "1") == ("\\Seen",)

    def test_folders_come_are_renamed_and_go(self, world: StoreWorld, box: Box) -> None:
        archive = RemoteFolder("Archive", "Archive", "archive")
        folders = world.store.save_folders(box.id, box.epoch, [INBOX, archive, RemoteFolder("x", "x", "", False)])
        assert {folder.remote_name: folder.role for folder in folders} == {"INBOX": "inbox", "Archive": "archive"}
        loaded = {folder.remote_name: folder.is_synced for folder in world.store.load_mailbox(box.id).folders}
        assert loaded == {"INBOX": True, "Sent": False, "Archive": True}
        assert {folder.id for folder in world.store.save_folders(box.id, box.epoch, [SENT])} == {box.sent}

    def test_mail_on_no_record_is_passed_over_where_only_records_count(self, world: StoreWorld) -> None:
        box = self.open_box(world, "alice@tidewater.example", keep="records")
        private = make_message("2", "Private", sender="friend@home.example", attachments=(letter(),))
        saved = world.store.save_page(self.page(box, make_message("1"), private))
        assert (saved.new, saved.kept, saved.filed) == (1, 1, 1)
        assert world.messages() == ["Offer"]
        assert known_ids(world, box.inbox) == {"1", "2"}
        assert world.store.wanted(box.id, 10) == []
        world.store.save_page(self.page(box, removed=("2",)))
        assert known_ids(world, box.inbox) == {"1"}


def known_ids(world: StoreWorld, folder_id: UUID) -> set[str]:
    known = world.store.known_messages(folder_id)
    return {message.remote_id for message in known.messages} | known.sighted.keys()


def letter() -> ParsedAttachment:
    return ParsedAttachment("letter.txt", "text/plain", b"Dear Anna,")
