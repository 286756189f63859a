"""/explain/look/: live and whole, only in mailboxes that the member may read, and what may be done there."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from postroom.correspondence.models import Message, Sighting
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Folder, Mailbox
from postroom.providers.memory.server import MemoryServer, server_for
from postroom.records.models import Contact
from postroom.workspaces.members import Member
from tests.cast import Cast
from tests.integration.test_dry_run import letter
from tests.web.api_caller import caller_for, problem
from tests.web.streaming import closed_threads, stream

__all__ = ["closed_threads"]  # a fixture

OTHER = "k.voss@lagerhaus.example"
LOOK = "/explain/look/"


def connected(member: Member, address: str, *, kind: str = "shared") -> tuple[Mailbox, MemoryServer]:
    """A mailbox that was imported, of which the inbox is read and "Projects" is not."""
    request = ConnectRequest(provider="memory", address=address, kind=kind, secrets={"server": uuid4().hex})
    server = server_for(request.credentials)
    mailbox = store_mailbox(member, request)
    now = timezone.now()
    Mailbox.objects.filter(pk=mailbox.pk).update(import_planned_at=now, import_finished_at=now)
    for name, role, is_synced in (("INBOX", "inbox", True), ("Junk", "junk", False), ("Projects", "", False)):
        server.make_folder(address, name)
        Folder.objects.create(
            workspace=mailbox.workspace, mailbox=mailbox, remote_name=name, name=name, role=role, cursor="1",
            is_synced=is_synced, is_chosen=False if name == "Projects" else None,
            listed_since=now.date() - timedelta(days=30),
        )  # fmt: skip
    return mailbox, server


@pytest.fixture
def sales(cast: Cast) -> tuple[Mailbox, MemoryServer]:
    return connected(cast.alice, "sales@tidewater.example")


def look(client: Client, contact: Contact, text: str = OTHER, **more: str) -> str:
    response = client.post(LOOK, {"contact": str(contact.pk), "q": text, **more})
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_each_mailbox_is_told_as_it_gets_further(
    alice: Client, cast: Cast, katrin: Contact, sales: tuple[Mailbox, MemoryServer]
) -> None:
    mailbox, server = sales
    await sync_to_async(server.deliver)(mailbox.address, letter(OTHER), folder="Projects")
    lines = await stream(alice, LOOK, {"contact": str(katrin.pk), "q": OTHER})
    assert lines[0]["into"] == "look-verdict" and "Waits" in lines[1]["html"]
    rows = [line["html"] for line in lines if line["into"] == f"look-{mailbox.pk}"]
    assert any("Looking in INBOX" in row for row in rows) and any("2 of 6 folders" in row for row in rows)
    assert "6 of 6 folders searched" in rows[-1] and 'data-found="folder_not_read"' in rows[-1]
    assert "Read Projects from now on" in rows[-1] and 'name="csrfmiddlewaretoken"' in rows[-1]
    assert lines[-1]["over"] and 'data-code="folder_not_read"' in lines[-1]["html"]
    assert not await Message.objects.aexists() and not await Sighting.objects.aexists()


def test_without_script_the_answer_is_one_page(
    alice: Client, katrin: Contact, sales: tuple[Mailbox, MemoryServer]
) -> None:
    mailbox, server = sales
    page = alice.get("/explain/", {"contact": str(katrin.pk), "q": OTHER}).content.decode()
    assert "Look in all folders on the servers" in page and "Looked for as an address" in page
    assert "It never arrived at these mailboxes" in look(alice, katrin)
    server.deliver(mailbox.address, letter(OTHER), folder="Junk")
    assert "among the spam, in Junk of sales@tidewater.example" in look(alice, katrin)
    assert alice.post(LOOK, {"contact": str(katrin.pk), "q": " "})["Location"].endswith(str(katrin.pk))
    assert alice.get(LOOK).status_code == 405


def test_what_is_older_offers_to_import_as_far_back(
    alice: Client, bob: Client, katrin: Contact, sales: tuple[Mailbox, MemoryServer]
) -> None:
    mailbox, server = sales
    server.deliver(mailbox.address, letter(OTHER, name="old"), received_at=timezone.now() - timedelta(days=60))
    html = look(alice, katrin)
    assert 'data-code="before_window"' in html and '<input type="hidden" name="days" value="61">' in html
    assert "Import the last 61 days</button>" not in look(bob, katrin) and "Alice Moreau may change that" in look(
        bob, katrin
    )
    month = f"{timezone.now() - timedelta(days=60):%Y-%m}"
    assert 'data-code="before_window"' in look(alice, katrin, around=month)
    assert 'data-code="nowhere"' in look(alice, katrin, around=f"{timezone.now():%Y-%m}")


def test_the_button_has_the_folder_read(alice: Client, katrin: Contact, sales: tuple[Mailbox, MemoryServer]) -> None:
    mailbox, server = sales
    server.deliver(mailbox.address, letter(OTHER), folder="Projects")
    folder = Folder.objects.get(name="Projects")
    assert f'name="chosen" value="{folder.pk}"' in look(alice, katrin)
    typed = {"shown": str(folder.pk), "chosen": str(folder.pk)}
    alice.post(f"/settings/mailboxes/{mailbox.pk}/folders/", typed)
    folder.refresh_from_db()
    assert folder.is_chosen


def test_a_colleagues_personal_mailbox_is_asked_for_nobody_but_him(
    alice: Client, bob: Client, charlie: Client, katrin: Contact, cast: Cast, sales: tuple[Mailbox, MemoryServer]
) -> None:
    own, server = connected(cast.bob, "bob@tidewater.example", kind="personal")
    Mailbox.objects.filter(pk=own.pk).update(sharing="everything")
    server.deliver(own.address, letter(OTHER), folder="Projects")
    assert "bob@tidewater.example" not in look(alice, katrin) and 'data-code="nowhere"' in look(alice, katrin)
    assert 'data-code="folder_not_read"' in look(bob, katrin)
    assert charlie.post(LOOK, {"contact": str(katrin.pk), "q": OTHER}).status_code == 404


def test_a_guest_is_asked_to_sign_in_and_a_stranger_form_is_refused(guest: Client, cast: Cast, katrin: Contact) -> None:
    assert guest.post(LOOK, {"contact": str(katrin.pk), "q": OTHER}).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice.user)
    assert strict.post(LOOK, {"contact": str(katrin.pk), "q": OTHER}).status_code == 403


def test_a_program_may_look_too(cast: Cast, sales: tuple[Mailbox, MemoryServer]) -> None:
    mailbox, server = sales
    server.deliver(mailbox.address, letter(OTHER, name="plan"), folder="Projects")
    program = caller_for(cast.alice)
    for body in (
        {"query": OTHER},
        {"internet_message_id": "<plan@test>"},
        {"query": "cargo", "month": f"{timezone.now():%F}"},
    ):
        response = program.post("/explain/look", body)
        assert response.status_code == 200, response.content
        answer = json.loads(response.content)
        assert answer["code"] == "folder_not_read"
        [asked] = answer["mailboxes"]
        assert (asked["state"], asked["folder_count"], asked["folders_searched"]) == ("done", 6, 6)
        [found] = asked["found"]
        assert (found["folder"], found["count"]) == ("Projects", 1) and found["folder_id"]
    problem(program.post("/explain/look", {}), 422, "invalid_fields")
    problem(program.post("/explain/look", {"query": "x", "month": "0001-01-01"}), 422, "invalid_fields")
    stranger = json.loads(caller_for(cast.charlie).post("/explain/look", {"query": OTHER}).content)
    assert (stranger["code"], stranger["mailboxes"]) == ("not_asked", [])
