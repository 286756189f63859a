"""What a folder asks its mailbox's owner, and who may answer"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from postroom.engine.rhythm import sweep_is_due
from postroom.mailboxes.models import Folder, Mailbox
from postroom.records.models import Contact
from postroom.workspaces.models import AuditEntry
from tests.cast import Cast, make_mailbox

ASKED = "142 of 300 messages are gone from Archive on the server."


def hold(mailbox: Mailbox, code: str = "mass_deletion", **more: Any) -> Folder:
    known: dict[str, Any] = {
        "remote_name": "Archive",
        "name": "Archive",
        "held_code": code,
        "held_facts": {"gone": 142, "known": 300},
        "held_at": timezone.now(),
    }
    return Folder.objects.create(workspace=mailbox.workspace, mailbox=mailbox, **(known | more))


def address_of(folder: Folder) -> str:
    return f"/settings/mailboxes/{folder.mailbox_id}/folders/{folder.pk}/question/"


@pytest.fixture
def archive(sales: Mailbox) -> Folder:
    return hold(sales)


def test_the_question_is_on_home_on_the_list_on_the_page_and_beside_every_page(
    alice: Client, sales: Mailbox, katrin: Contact, archive: Folder
) -> None:
    for address in ("/", "/settings/mailboxes/", f"/settings/mailboxes/{sales.pk}/"):
        html = alice.get(address).content.decode()
        assert ASKED in html and address_of(archive) in html, address
    assert "sales@ needs you" in alice.get("/contacts/").content.decode()


def test_removing_is_allowed_by_the_answer_and_the_session_is_woken(alice: Client, archive: Folder) -> None:
    html = alice.get(address_of(archive)).content.decode()
    assert ASKED in html and "They were deleted on purpose" in html and "They should come back" in html
    with CaptureQueriesContext(
        connection,
    ) as queries:
        told = alice.post(address_of(archive), {"answer": "remove"}, follow=True).content.decode()
    assert "Postroom removes the 142 messages from Archive." in told
    assert any("postroom_wake" in query["sql"] for query in queries)
    archive.refresh_from_db()
    assert archive.may_remove and archive.held_code == "mass_deletion"  # the session takes it back with the mail
    assert ASKED not in told and "Removing" in told
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject) == ("mailbox.mass_deletion.remove", "sales@tidewater.example: Archive")
    assert "Alice Moreau said that the messages in Archive were deleted on purpose." in told


def test_waiting_keeps_the_question_and_looks_again(alice: Client, archive: Folder) -> None:
    told = alice.post(address_of(archive), {"answer": "wait"}, follow=True).content.decode()
    assert "Postroom looks again whether Archive is back, and takes in new mail meanwhile." in told
    assert ASKED in told
    archive.refresh_from_db()
    assert not archive.may_remove and archive.held_code == "mass_deletion"
    now = timezone.now()
    assert sweep_is_due(archive.mailbox_id, archive.swept_at, now, now)
    assert AuditEntry.objects.latest("pk").action == "mailbox.mass_deletion.wait"


def test_a_folder_that_was_renumbered_too_often_is_read_again(alice: Client, sales: Mailbox) -> None:
    folder = hold(sales, "renumbered_often", held_facts={"rebuilds": 6}, rebuilds=6, rebuilds_since=timezone.now())
    html = alice.get(address_of(folder)).content.decode()
    assert "The server renumbered Archive 6 times within a day." in html and "UIDVALIDITY" in html
    assert 'type="radio"' not in html
    told = alice.post(address_of(folder), {"answer": "read_again"}, follow=True).content.decode()
    assert "Postroom reads Archive again." in told
    folder.refresh_from_db()
    assert (folder.held_code, folder.rebuilds, folder.rebuilds_since, folder.held_at) == ("", 0, None, None)


@pytest.mark.parametrize("said", ["", "read_again", "nonsense"])
def test_an_answer_that_is_not_offered_changes_nothing(alice: Client, archive: Folder, said: str) -> None:
    response = alice.post(address_of(archive), {"answer": said})
    assert response.status_code == 422 and b"field-error" in response.content
    archive.refresh_from_db()
    assert not archive.may_remove and archive.held_code


def test_a_question_that_is_settled_meanwhile_says_so(alice: Client, archive: Folder) -> None:
    Folder.objects.update(held_code="", held_facts={})
    for response in (
        alice.get(address_of(archive), follow=True),
        alice.post(address_of(archive), {"answer": "remove"}, follow=True),
    ):
        assert "The question about Archive is settled." in response.content.decode()
    assert not Folder.objects.get().may_remove


def test_who_may_not_manage_the_mailbox_may_not_answer(
    bob: Client, charlie: Client, sales: Mailbox, katrin: Contact, archive: Folder
) -> None:
    for stranger in (bob, charlie):
        assert stranger.get(address_of(archive)).status_code == 404
        assert stranger.post(address_of(archive), {"answer": "remove"}).status_code == 404
    assert not Folder.objects.get().may_remove
    shown = bob.get("/settings/mailboxes/").content.decode()
    assert ASKED in shown and "Alice Moreau or an administrator has to say what happens." in shown
    assert address_of(archive) not in shown and "needs you" not in shown
    assert ASKED not in bob.get("/").content.decode()
    assert ASKED not in charlie.get("/settings/mailboxes/").content.decode()


def test_a_personal_mailbox_asks_its_owner_alone(
    alice: Client, bob: Client, cast: Cast, katrin: Contact, sales: Mailbox
) -> None:
    folder = hold(make_mailbox(cast.bob, "bob@tidewater.example", kind="personal"), name="Love letters")
    for address in ("/", "/settings/mailboxes/", "/contacts/"):
        html = alice.get(address).content.decode()
        assert "Love letters" not in html and "needs you" not in html
    assert alice.get(address_of(folder)).status_code == 404
    assert alice.post(address_of(folder), {"answer": "remove"}).status_code == 404
    assert "Love letters" in bob.get("/").content.decode()
    assert bob.post(address_of(folder), {"answer": "remove"}).status_code == 302
    assert Folder.objects.get(pk=folder.pk).may_remove


def test_a_folder_of_another_mailbox_is_not_found_under_this_one(alice: Client, cast: Cast, archive: Folder) -> None:
    other = make_mailbox(cast.alice, "support@tidewater.example")
    assert alice.get(f"/settings/mailboxes/{other.pk}/folders/{archive.pk}/question/").status_code == 404


def test_a_question_of_a_later_version_is_told_and_cannot_be_answered(alice: Client, sales: Mailbox) -> None:
    folder = hold(sales, "haunted", held_facts={})
    assert "Postroom stopped reading Archive." in alice.get(address_of(folder)).content.decode()
    assert alice.post(address_of(folder), {"answer": "remove"}).status_code == 422
