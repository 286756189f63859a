"""Mail that changes on the server between an importer's fetch and its save: catching up tells that only once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from postroom.correspondence.models import Placement
from postroom.engine.store import Fenced, MailboxState, Page, PlannedSlice, SliceState
from postroom.mailboxes.models import ImportSlice, Mailbox
from tests.cast import Cast
from tests.contract.store_contract import make_message
from tests.integration.mailroom import Mailroom, open_mailroom

pytestmark = pytest.mark.django_db(transaction=True)

LISTED = ("1.1", "1.2", "1.3")


@pytest.fixture
def room() -> Iterator[Mailroom]:
    with open_mailroom() as room:
        yield room


@pytest.fixture
def mailbox(room: Mailroom, cast: Cast) -> Mailbox:
    return room.connect(cast.alice, "sales@tidewater.example")


def plan(room: Mailroom, mailbox: Mailbox) -> tuple[MailboxState, SliceState]:
    [inbox, _] = room.store.load_mailbox(mailbox.pk).folders
    piece = PlannedSlice(inbox.id, 0, LISTED, (100, 100, 100))
    [slice_id] = room.store.save_plan(mailbox.pk, 0, {inbox.id: "1"}, (piece,), {})
    found = room.store.find_slice(slice_id)
    assert found is not None
    return room.store.load_mailbox(mailbox.pk), found


def fetched(piece: SliceState) -> Page:
    """The page as an importer holds it, not yet saved."""
    messages = tuple(replace(make_message(f"m{name}", name), remote_id=name) for name in piece.remote_ids)
    return Page(piece.mailbox_id, None, piece.folder_id, messages, slice_id=piece.id, slice_done=len(messages))


def caught_up(state: MailboxState, **changes: object) -> Page:
    inbox = state.folders[0]
    return Page(state.id, 0, inbox.id, (), cursor="2", version=inbox.version, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes, to_read",
    [({"removed": ("1.2",)}, ("1.1", "1.3")), ({"flagged": (("1.2", ("\\Seen",)),)}, LISTED)],
)
def test_what_changed_while_an_importer_held_it_is_read_anew(
    room: Mailroom, mailbox: Mailbox, changes: dict[str, object], to_read: tuple[str, ...]
) -> None:
    state, piece = plan(room, mailbox)
    page = fetched(piece)
    room.store.save_page(caught_up(state, **changes))
    with pytest.raises(Fenced):
        room.store.save_page(page)
    assert not Placement.objects.exists()
    left = room.store.find_slice(ImportSlice.objects.get().pk)
    assert left is not None and left.remote_ids == to_read
    mailbox.refresh_from_db()
    assert (mailbox.listed_count, mailbox.listed_octets) == (len(to_read), 100 * len(to_read))


def test_an_import_ends_when_what_was_left_of_it_left_the_folder(room: Mailroom, mailbox: Mailbox) -> None:
    state, piece = plan(room, mailbox)
    room.store.save_page(replace(fetched(piece), messages=(), slice_done=1))
    room.store.save_page(caught_up(state, removed=("1.2", "1.3")))
    mailbox.refresh_from_db()
    assert mailbox.import_finished_at is not None
    assert (mailbox.done_count, mailbox.listed_count) == (1, 1)


def test_what_leaves_a_large_folder_leaves_its_import_in_no_time(
    room: Mailroom, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workspace's lock is held meanwhile. So little memory stands for so many more ids."""
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=64kB")
    room.store.close()  # the next connection has it
    [inbox, _] = room.store.load_mailbox(mailbox.pk).folders
    remote_ids = tuple(f"1.{number}" for number in range(20_000))
    pieces = [PlannedSlice(inbox.id, n, remote_ids[n::40], (100,) * 500) for n in range(40)]
    room.store.save_plan(mailbox.pk, 0, {inbox.id: "1"}, pieces, {})
    state = room.store.load_mailbox(mailbox.pk)
    started = time.monotonic()
    room.store.save_page(caught_up(state, removed=remote_ids[:-5]))
    assert time.monotonic() - started < 3
    mailbox.refresh_from_db()
    assert (mailbox.listed_count, mailbox.listed_octets) == (5, 500)


def test_what_changed_elsewhere_leaves_the_import_alone(room: Mailroom, mailbox: Mailbox) -> None:
    state, piece = plan(room, mailbox)
    room.store.save_page(caught_up(state, removed=("1.9",)))
    room.store.save_page(fetched(piece))
    assert Placement.objects.count() == len(LISTED)
    assert ImportSlice.objects.get().is_done


def test_a_storm_of_changes_beside_a_large_import_is_soon_over(room: Mailroom, mailbox: Mailbox) -> None:
    """The workspace's lock is held meanwhile; compared one by one, these are 400 million pairs and take 8 s."""
    state, _ = plan(room, mailbox)
    ids = [f"1.{number}" for number in range(1_000, 81_000)]
    slices = [
        PlannedSlice(state.folders[0].id, 0, tuple(ids[at : at + 2_000]), (100,) * 2_000)
        for at in range(0, 80_000, 2_000)
    ]
    room.store.save_plan(mailbox.pk, 0, {}, slices, {})
    before = set(ImportSlice.objects.values_list("pk", flat=True))
    flagged = tuple((f"1.{number}", ("\\Seen",)) for number in range(79_999, 84_999))
    began = time.monotonic()
    room.store.save_page(caught_up(state, flagged=flagged))
    assert time.monotonic() - began < 3
    assert len(before - set(ImportSlice.objects.values_list("pk", flat=True))) == 1, "only what is open is read anew"
