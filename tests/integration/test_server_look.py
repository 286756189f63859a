"""A look on the servers: where a message is and why it is not here, on a real Dovecot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.utils import timezone

from postroom.correspondence.models import Message, Placement, Sighting
from postroom.filing import server_look
from postroom.filing.absence import Asked
from postroom.filing.server_finds import CODES
from postroom.filing.server_look import MailboxLook, ServerLook, prepare_look
from postroom.filing.server_verdict import _TITLES, Verdict, sentence, verdict
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.credentials import store_credentials
from postroom.mailboxes.models import Folder, FolderMonth, Keep, Mailbox, MailboxAllowance
from postroom.providers import registry
from postroom.providers.base import RemoteFolder, Session
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.database import connect
from postroom.workspaces.members import Member
from tests.cast import Cast
from tests.contract.imap_place import settings
from tests.integration.folder_place import FolderPlace, letter
from tests.integration.google_place import GooglePlace, google_registered
from tests.servers.dovecot import Dovecot
from tests.unit.imap.stubs import serving
from tests.unit.imap.test_bad_servers import script

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = "anna@customer.example"
Open = Callable[..., FolderPlace]


@pytest.fixture
def opened(dovecot: Dovecot, policy: NetworkPolicy, alice: Member) -> Iterator[Open]:
    """Mailboxes that were imported for 30 days, and whose servers may be asked."""
    places: list[FolderPlace] = []

    def open_(keep: str = Keep.EVERYTHING) -> FolderPlace:
        place = FolderPlace(dovecot, policy, alice, keep=keep)
        places.append(place)
        secrets = {"imap": settings(dovecot.imap, place.address), "smtp": settings(1, place.address)}
        store_credentials(place.mailbox, secrets, sign_in_user=place.address)
        now = timezone.now()
        Mailbox.objects.filter(pk=place.mailbox.pk).update(import_planned_at=now, import_finished_at=now)
        return place

    registry.configure(NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}))
    yield open_
    registry.configure(NetworkPolicy.from_environment({}))
    for place in places:
        place.close()


@pytest.fixture
def place(opened: Open) -> FolderPlace:
    place = opened()
    place.command("create", "Projects")
    place.put(letter("kept"))
    place.sync()
    return place


def look(member: Member, text: str) -> tuple[Verdict, tuple[MailboxLook, ...]]:
    looks = async_to_sync(prepare_look(member, Asked(text)).run_whole)()
    return verdict(looks), looks


def leave_out(place: FolderPlace, name: str) -> Folder:
    Folder.objects.filter(mailbox=place.mailbox, remote_name=name).update(is_synced=False, is_chosen=False)
    return place.row(name)


def test_what_lies_in_a_folder_that_is_not_read_is_found_there(alice: Member, place: FolderPlace) -> None:
    folder = leave_out(place, "Projects")
    place.put(letter("plan"), folder="Projects")
    for text in ("<plan@customer.example>", "plan@customer.example", "PLAN"):
        answer, (asked,) = look(alice, text)
        assert answer.code == "folder_not_read" and "Turned off by hand" in answer.detail
        assert asked.is_whole and asked.looked_in == asked.folder_count >= 5
        [found] = asked.found
        assert (found.folder, found.count, found.days) == (folder, 1, None)
    assert not Message.objects.filter(internet_message_id="<plan@customer.example>").exists(), "nothing is stored"


def test_spam_and_trash_are_searched_and_told_apart(alice: Member, place: FolderPlace) -> None:
    place.put(letter("spam"), folder="Junk")
    place.put(letter("deleted"), folder="Trash")
    assert look(alice, "<spam@customer.example>")[0].code == "in_junk"
    assert look(alice, "<deleted@customer.example>")[0].code == "in_trash"
    answer, _ = look(alice, ANNA)
    assert answer.code == "in_junk" and "1 more place with mail that is not here" in answer.detail


def test_what_is_older_than_the_import_says_how_far_to_go_back(alice: Member, place: FolderPlace) -> None:
    place.put(letter("old"), days_ago=100)
    answer, (asked,) = look(alice, "<old@customer.example>")
    assert answer.code == "before_window" and "Import the last 101 days" in answer.detail
    assert asked.found[0].days == 101
    place.put(letter("ancient"), days_ago=500)
    answer, _ = look(alice, "<ancient@customer.example>")
    assert answer.code == "before_window" and "too old to be imported" in answer.detail


def test_the_month_narrows_it_down(alice: Member, place: FolderPlace) -> None:
    place.put(letter("old"), days_ago=100)
    there = (timezone.now() - timedelta(days=100)).date().replace(day=1)
    for month, code in ((there, "before_window"), (there.replace(year=there.year - 1), "nowhere")):
        looks = async_to_sync(prepare_look(alice, Asked("<old@customer.example>", month)).run_whole)()
        assert verdict(looks).code == code


def test_a_gap_in_a_folder_that_is_read_is_asked_for_and_closes(alice: Member, place: FolderPlace) -> None:
    Placement.objects.all().delete()
    Message.objects.all().delete()
    FolderMonth.objects.all().delete()
    answer, (asked,) = look(alice, "<kept@customer.example>")
    assert answer.code == "missing" and "told just now to fetch it" in answer.detail
    assert FolderMonth.objects.get(is_asked=True).folder == asked.found[0].folder
    place.prove()
    assert Message.objects.filter(internet_message_id="<kept@customer.example>").exists()


def test_what_was_seen_and_not_kept_names_the_address_to_add(alice: Member, opened: Open) -> None:
    place = opened(Keep.RECORDS)
    place.put(letter("stranger"))
    place.sync()
    assert Sighting.objects.exists()
    for text in ("<stranger@customer.example>", ANNA, "stranger"):
        answer, (asked,) = look(alice, text)
        assert answer.code == "not_kept" and asked.found[0].address == ANNA
    place.put(letter("strange", sender="jens@customer.example"))
    place.sync()
    assert {one.address for one in look(alice, "strange")[1][0].found} == {ANNA, "jens@customer.example"}
    Sighting.objects.update(is_wanted=True)
    assert look(alice, ANNA)[0].code == "being_fetched"


def test_what_is_stored_is_said_to_be_here_whatever_copies_lie_elsewhere(alice: Member, place: FolderPlace) -> None:
    place.put(letter("kept"), folder="Trash")
    answer, (asked,) = look(alice, "<kept@customer.example>")
    assert answer.code == "here" and [one.code for one in asked.found] == ["here"]


def test_what_is_nowhere_never_arrived(alice: Member, place: FolderPlace) -> None:
    answer, _ = look(alice, "<never@customer.example>")
    assert answer.code == "nowhere" and "sender's mail provider" in answer.detail and place.address in answer.detail


def test_mailboxes_that_cannot_be_asked_are_named_with_the_reason(alice: Member, place: FolderPlace) -> None:
    secrets = {"imap": settings(place.dovecot.imap, place.address, password="wrong")}
    store_credentials(place.mailbox, secrets, sign_in_user=place.address)
    answer, (asked,) = look(alice, ANNA)
    assert (answer.code, asked.state) == ("not_asked", "not_asked")
    assert asked.problem is not None and asked.problem.code == "sign_in_refused"
    for change, code in (
        ({"paused_at": timezone.now()}, "look_paused"),
        ({"paused_at": None, "needs_reconnect": True}, "needs_reconnect"),
        ({"needs_reconnect": False, "not_before": timezone.now() + timedelta(hours=1)}, "look_resting"),
        ({"reads": False}, "look_only_sends"),
    ):
        Mailbox.objects.update(**change)
        [asked] = look(alice, ANNA)[1]
        assert asked.problem is not None and asked.problem.code == code


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("refused", ["EXAMINE Odd", "UID SEARCH"])
def test_a_folder_that_refuses_is_named_and_the_others_are_searched(cast: Cast, refused: str) -> None:
    answers = {
        "LIST": b'* LIST () "/" INBOX\r\n* LIST () "/" Odd\r\nTAG OK done\r\n',
        "EXAMINE Odd": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] so\r\nTAG OK done\r\n",
    } | {refused: b"TAG NO not here\r\n"}

    async def ask() -> tuple[MailboxLook, ...]:
        async with serving(script(answers)) as port:
            servers = {name: settings(port, "odd@tidewater.example") for name in ("imap", "smtp")}
            request = ConnectRequest("imap", "odd@tidewater.example", "shared", secrets=servers)
            await sync_to_async(store_mailbox)(cast.alice, request)
            prepared = await sync_to_async(prepare_look)(cast.alice, Asked(ANNA))
            return await prepared.run_whole()

    [asked] = async_to_sync(ask)()
    assert (asked.state, asked.folder_count, asked.looked_in, asked.not_reached) == ("done", 2, 1, ("Odd",))
    assert asked.problem is not None and asked.server_words == "NO not here"
    assert asked.problem.code == ("folder_gone" if refused == "EXAMINE Odd" else "look_refused")
    answer = verdict([asked])
    assert answer.code == "not_in_searched" and "none of the 1 folder of odd@tidewater.example" in answer.detail


def test_a_second_look_in_the_same_mailbox_does_not_ask_it(alice: Member, place: FolderPlace) -> None:
    number = int.from_bytes(place.mailbox.pk.bytes[8:], "big", signed=True)
    with connect() as first:
        first.execute("SELECT pg_advisory_lock(%s)", [number])
        answer, (asked,) = look(alice, ANNA)
        assert answer.code == "not_asked" and asked.problem is not None and asked.problem.code == "look_under_way"
    assert look(alice, ANNA)[0].code == "here"


def test_who_leaves_the_page_ends_the_look(alice: Member, place: FolderPlace) -> None:
    async_to_sync(_begin_and_leave)(prepare_look(alice, Asked(ANNA)))
    assert look(alice, ANNA)[0].code == "here", "the mailbox is free again"


async def _begin_and_leave(prepared: ServerLook) -> None:
    running = prepared.run()
    assert (await anext(running)).state == "looking"
    await running.aclose()


def test_when_the_time_is_over_the_folders_that_were_not_reached_are_named(
    alice: Member, place: FolderPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(server_look._Search):
        async def _look_in(self, session: Session, folder: RemoteFolder) -> None:
            await super()._look_in(session, folder)
            if folder.role == "inbox":
                await asyncio.sleep(60)

    monkeypatch.setattr(server_look, "_Search", Slow)
    monkeypatch.setattr(server_look, "MOST_SECONDS", 1.5)
    answer, (asked,) = look(alice, "<never@customer.example>")
    assert answer.code == "not_in_searched" and asked.problem is not None and asked.problem.code == "look_out_of_time"
    assert "Trash" in asked.not_reached and "Projects" in asked.not_reached


def test_labels_are_searched_and_a_used_up_allowance_is_waited_for(cast: Cast) -> None:
    with google_registered() as google:
        place = GooglePlace(google, cast.alice)
        now = timezone.now()
        Mailbox.objects.update(import_planned_at=now, import_finished_at=now)
        place.deliver("spam", ANNA, labels=("SPAM",))
        place.deliver("archived", ANNA, labels=("UNREAD",))
        MailboxAllowance.objects.create(mailbox=place.mailbox, due_at=now, rests_until=now + timedelta(seconds=3))
        answer, (asked,) = look(cast.alice, ANNA)
        assert timezone.now() - now > timedelta(seconds=3)
    assert asked.is_whole and answer.code in ("in_junk", "folder_not_read")
    assert {one.folder_name for one in asked.found} == {"Spam", "Archive"}


def test_every_code_has_a_title_and_a_sentence(alice: Member, place: FolderPlace) -> None:
    assert set(_TITLES) == set(CODES)
    [found] = look(alice, "<kept@customer.example>")[1][0].found
    for code in CODES:
        for count in (1, 3):
            words = sentence(replace(found, code=code, count=count))
            assert "{" not in words and words.endswith(".") and words.startswith(str(count))
