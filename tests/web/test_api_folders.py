"""/api/v1/mailboxes/{id}: folders, answers, pause, journal"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from postroom.engine.journal import Kind
from postroom.mailboxes.journal import note
from postroom.mailboxes.models import Folder, Mailbox
from tests.cast import Cast
from tests.web.api_caller import Caller, caller_for, problem
from tests.web.test_folder_questions import ASKED, hold


@pytest.fixture
def program(cast: Cast) -> Caller:
    return caller_for(cast.alice)


def of(mailbox: Mailbox, what: str = "") -> str:
    return f"/mailboxes/{mailbox.pk}{what}"


def named(answer: Any) -> dict[str, dict[str, Any]]:
    return {folder["name"]: folder for folder in answer.json()["items"]}


def test_folders_are_listed_with_their_reason_and_their_question(program: Caller, sales: Mailbox) -> None:
    hold(sales)
    Folder.objects.create(
        workspace=sales.workspace, mailbox=sales, remote_name="Junk", name="Junk", role="junk", is_synced=False
    )
    folders = named(program.get(of(sales, "/folders")))
    assert folders["Junk"]["reason"] == "Junk is left out." and folders["Junk"]["is_synced"] is False
    assert folders["Junk"]["is_chosen"] is None and folders["Junk"]["question"] is None
    asked = folders["Archive"]["question"]
    assert (asked["code"], asked["title"], asked["answers"]) == ("mass_deletion", ASKED, ["remove", "wait"])
    assert program.get(of(sales)).json()["folders_asking"] == 1


def test_folders_are_chosen_one_by_one(program: Caller, sales: Mailbox) -> None:
    folder = hold(sales, "", held_facts={})
    choice = {"folders": [{"id": str(folder.pk), "is_synced": False}]}
    answer = program.call("PATCH", of(sales, "/folders"), choice)
    assert answer.status_code == 200 and named(answer)["Archive"]["is_chosen"] is False
    assert program.call("PATCH", of(sales, "/folders"), {}).json() == {"items": [], "next": None}
    foreign = {"folders": [{"id": str(sales.pk), "is_synced": True}]}
    assert "folders" in problem(program.call("PATCH", of(sales, "/folders"), foreign), 422, "invalid_fields")["fields"]


def test_an_answer_is_given_once(program: Caller, sales: Mailbox) -> None:
    place = of(sales, f"/folders/{hold(sales).pk}/answer")
    problem(program.post(place, {"answer": "read_again"}), 409, "not_asked")
    assert program.post(place, {"answer": "wait"}).status_code == 200
    told = program.post(place, {"answer": "remove"})
    assert told.json() == {"told": "Postroom removes the 142 messages from Archive."}
    problem(program.post(place, {"answer": "remove"}), 409, "not_asked")
    assert program.get(of(sales)).json()["folders_asking"] == 0


def test_a_pause_shows_and_ends(program: Caller, sales: Mailbox) -> None:
    paused = program.post(of(sales, "/pause")).json()
    assert paused["state"] == "paused" and paused["paused_at"]
    assert program.post(of(sales, "/pause")).json()["paused_at"] == paused["paused_at"]
    resumed = program.post(of(sales, "/resume")).json()
    assert resumed["state"] != "paused" and resumed["paused_at"] is None


def test_the_journal_comes_in_pages_newest_first(program: Caller, sales: Mailbox) -> None:
    for number in (2, 3, 4):
        note(sales.pk, Kind.CAUGHT_UP, {"folder": "Inbox", "new": number, "filed": 0})
    first = program.get(of(sales, "/journal?limit=2")).json()
    assert [entry["facts"]["new"] for entry in first["items"]] == [4, 3]
    assert first["items"][0]["sentence"] == "4 new messages in Inbox, none on a record."
    rest = program.get(of(sales, f"/journal?limit=2&next={first['next']}")).json()
    assert [entry["kind"] for entry in rest["items"]] == ["caught_up"] and rest["next"] is None


def test_a_mailbox_tells_how_long_its_import_takes_and_when_it_looks_again(program: Caller, sales: Mailbox) -> None:
    now = timezone.now()
    Mailbox.objects.update(
        import_started_at=now - timedelta(minutes=2),
        import_planned_at=now,
        listed_count=3000,
        done_count=1000,
        not_before=now + timedelta(minutes=5),
    )
    shown = program.get(of(sales)).json()
    assert shown["progress"]["done"] == 1000 and 235 < shown["progress"]["seconds_left"] < 260
    assert shown["next_look_at"] is not None
    Mailbox.objects.update(not_before=now - timedelta(minutes=5), import_started_at=now)
    shown = program.get(of(sales)).json()
    assert shown["next_look_at"] is None and shown["progress"]["seconds_left"] is None


def test_a_plain_member_reads_and_changes_nothing(cast: Cast, sales: Mailbox) -> None:
    bob, folder = caller_for(cast.bob), hold(sales)
    assert bob.get(of(sales, "/folders")).status_code == bob.get(of(sales, "/journal")).status_code == 200
    problem(bob.call("PATCH", of(sales, "/folders"), {}), 404, "not_found")
    problem(bob.post(of(sales, f"/folders/{folder.pk}/answer"), {"answer": "remove"}), 404, "not_found")
    for act in ("/pause", "/resume"):
        problem(bob.post(of(sales, act)), 404, "not_found")
    assert not Folder.objects.get().may_remove
