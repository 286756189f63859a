"""/settings/mailboxes/<id>/preview/: live and whole, who would see what, the yes and the no."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client
from django.utils import timezone

from postroom.correspondence.models import Message, Sighting
from postroom.filing.dry_run import Counts, planned_mailbox
from postroom.filing.models import Filing
from postroom.filing.people import add_contact
from postroom.mailboxes.connect import ConnectRequest, disconnect, store_mailbox
from postroom.mailboxes.models import Grant, Mailbox, MailboxMember
from postroom.providers.memory.server import MemoryServer, server_for
from postroom.web.preview_page import counts_html, seen_by
from postroom.workspaces.models import AuditEntry
from tests.cast import Cast, make_mailbox
from tests.integration.test_dry_run import letter
from tests.web.api_caller import caller_for, problem
from tests.web.correspondence import Letter, put

ALICE = "alice@tidewater.example"
KATRIN = "katrin@lagerhaus.example"


def connected(cast: Cast, *, kind: str = "personal", **more: Any) -> Mailbox:
    """Alice's mailbox with one customer's message and one of a stranger; its import waits."""
    request = ConnectRequest(
        provider="memory", address=ALICE, kind=kind, secrets={"server": uuid4().hex}, awaits_start=True, **more
    )
    server: MemoryServer = server_for(request.credentials)
    server.deliver(ALICE, letter(f"Katrin <{KATRIN}>"))
    server.deliver(ALICE, letter("news@shop.example"))
    add_contact(cast.alice, "Katrin <b>Voss</b>", [KATRIN])
    return store_mailbox(cast.alice, request)


def page_of(mailbox: Mailbox) -> str:
    return f"/settings/mailboxes/{mailbox.pk}/preview/"


@pytest.fixture
async def closed_threads() -> AsyncIterator[None]:
    """Django's thread for sync code keeps its database connection, which would hold up the end of the run."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_the_numbers_grow_on_the_open_page(alice: Client, cast: Cast) -> None:
    mailbox = await sync_to_async(connected)(cast)
    client = AsyncClient()
    client.cookies = alice.cookies
    response = await client.post(f"{page_of(mailbox)}counts/", headers={"Postroom-Stream": "1"})
    content = b"".join([chunk async for chunk in response.streaming_content])  # type: ignore[union-attr]
    lines = [json.loads(line) for line in content.splitlines()]
    assert (lines[0]["into"], lines[0]["html"]) == ("count-word", "Count again")
    assert "Signing in" in lines[1]["html"] and not lines[1]["over"]
    assert lines[-1]["over"] and "1</b> of 2 messages would come" in lines[-1]["html"]
    assert 'data-count="known">1<' in lines[-1]["html"] and 'data-count="unknown">1<' in lines[-1]["html"]
    assert "Katrin &lt;b&gt;Voss" in lines[-1]["html"] and "shop.example" not in content.decode()
    assert not await Message.objects.aexists() and not await Sighting.objects.aexists()


def test_without_script_the_whole_count_is_one_page(alice: Client, cast: Cast) -> None:
    mailbox = connected(cast)
    html = alice.post(f"{page_of(mailbox)}counts/").content.decode()
    assert "of 2 messages would come to Postroom" in html and "Begin the import" in html


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"sharing": "nothing"}, "Nothing."),
        ({"sharing": "metadata"}, "who wrote to whom and when"),
        ({"sharing": "everything"}, "Mail on a record, whole"),
        ({"kind": "shared"}, "on a record or not"),
    ],
)
def test_the_page_says_who_would_see_what(alice: Client, cast: Cast, more: dict[str, str], says: str) -> None:
    html = alice.get(page_of(connected(cast, **more))).content.decode()
    rows = html.partition("seen-title")[2]
    assert "Your one colleague" in rows and says in rows.partition("Your one colleague")[2]


def test_who_is_named_is_told_once(cast: Cast) -> None:
    mailbox = connected(cast, kind="shared")
    MailboxMember.objects.create(mailbox=mailbox, user=cast.alice.user)
    told = [seen.who for seen in seen_by(cast.alice, mailbox.kind, mailbox.sharing, mailbox)]
    assert told == ["You", "Administrators"]
    MailboxMember.objects.create(mailbox=mailbox, user=cast.bob.user)
    told = [seen.who for seen in seen_by(cast.alice, mailbox.kind, mailbox.sharing, mailbox)]
    assert told == ["You", "Bob Lindqvist", "Administrators"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("shared", ["You", "Your one colleague"]), ("personal", ["Alice Moreau", "Everybody else, you too"])],
)
def test_who_connects_a_mailbox_of_somebody_else_is_not_counted_twice(cast: Cast, kind: str, told: list[str]) -> None:
    mailbox = connected(cast, kind=kind)
    assert [seen.who for seen in seen_by(cast.bob, mailbox.kind, mailbox.sharing, mailbox)] == told


def test_the_yes_begins_the_import_and_the_page_leads_to_the_mailbox_from_then_on(alice: Client, cast: Cast) -> None:
    mailbox = connected(cast)
    own = f"/settings/mailboxes/{mailbox.pk}/"
    html = alice.get(own).content.decode()
    assert "Show what would come" in html and "waits for a yes" in html and "being imported" not in html
    assert alice.get(f"{page_of(mailbox)}start/").status_code == 405
    assert alice.post(f"{page_of(mailbox)}start/")["Location"] == own
    mailbox.refresh_from_db()
    assert not mailbox.awaits_start
    assert alice.get(page_of(mailbox))["Location"] == own
    assert alice.post(f"{page_of(mailbox)}counts/").status_code == 404


def test_the_no_leaves_nothing(alice: Client, cast: Cast) -> None:
    mailbox = connected(cast)
    html = alice.get(page_of(mailbox)).content.decode()
    assert f'action="/settings/mailboxes/{mailbox.pk}/disconnection/"' in html and 'value="nothing"' in html
    alice.post(f"/settings/mailboxes/{mailbox.pk}/disconnection/", {"keep": "nothing"})
    assert not Mailbox.objects.exists()


def test_the_no_to_a_mailbox_that_was_here_before_leaves_its_history(alice: Client, cast: Cast) -> None:
    before = make_mailbox(cast.alice, ALICE, kind="personal")
    message = put(before, Letter(timezone.now(), ("Katrin", KATRIN), [("Alice", ALICE)], "Cargo bikes"))
    katrin = add_contact(cast.alice, "Katrin", ["k@lagerhaus.example"])
    Filing.objects.create(
        workspace_id=before.workspace_id,
        message_id=message.pk,
        thread_id=message.thread_id,
        record_type=1,
        record_id=katrin.pk,
        reason="manual",
        address="",
        at=message.at,
    )
    disconnect(cast.alice, before, keep_history=True)
    again = connected(cast)
    assert again.pk == before.pk
    html = alice.get(page_of(again)).content.decode()
    keep = html.partition('name="keep" value="')[2].partition('"')[0]
    alice.post(f"/settings/mailboxes/{again.pk}/disconnection/", {"keep": keep})
    assert Message.objects.get() == message
    assert "What was here before stays" in html and "Nothing of its mail is stored" not in html


def test_a_mailbox_that_cannot_be_opened_says_why(alice: Client, cast: Cast) -> None:
    request = ConnectRequest(
        provider="memory", address=ALICE, kind="personal", secrets={"server": uuid4().hex}, awaits_start=True
    )
    server_for(request.credentials).faults.refuse_sign_in = True
    html = alice.post(f"{page_of(store_mailbox(cast.alice, request))}counts/").content.decode()
    assert 'class="verdict' in html and "password was refused" in html


def test_folders_that_were_not_counted_are_named(cast: Cast) -> None:
    missed = ("Bikes <b>", "Old")
    counts = Counts(listed=2, looked_at=2, unknown=2, folders=("Inbox",), not_counted=missed, is_done=True)
    html = counts_html(cast.alice, planned_mailbox(connected(cast)), counts)
    assert "Bikes &lt;b&gt;, Old" in html and "more would come than stands here" in html
    assert "Not counted" not in counts_html(cast.alice, planned_mailbox(Mailbox.objects.get()), Counts(is_done=True))


def test_nobody_else_counts_or_begins(bob: Client, charlie: Client, cast: Cast) -> None:
    mailbox = connected(cast)
    for client in (bob, charlie):
        assert client.get(page_of(mailbox)).status_code == 404
        for act in ("counts", "start"):
            assert client.post(f"{page_of(mailbox)}{act}/").status_code == 404
    mailbox.refresh_from_db()
    assert mailbox.awaits_start


def test_a_program_counts_before_it_connects(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_DEMO", "1")
    add_contact(cast.alice, "Katrin Voss", [KATRIN])
    wanted = {"provider": "memory", "address": "fresh@tidewater.example", "kind": "personal"}
    alice = caller_for(cast.alice)
    counted = alice.post("/mailboxes/preview", wanted)
    assert counted.status_code == 200, counted.content
    assert counted.json()["kept"] == counted.json()["known"] and not Mailbox.objects.exists()
    server = {"host": "127.0.0.1", "port": 1, "security": "none", "username": "u", "password": "hunter2-secret"}
    refused = alice.post("/mailboxes/preview", wanted | {"provider": "imap", "imap": server, "smtp": server})
    assert problem(refused, 422, "check_failed")["reason"] and b"hunter2" not in refused.content


def test_a_program_connects_counts_and_then_says_yes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_DEMO", "1")
    wanted = {"provider": "memory", "address": "fresh@tidewater.example", "kind": "personal"}
    alice = caller_for(cast.alice)
    at_once = alice.post("/mailboxes", wanted | {"address": "other@tidewater.example"}).json()
    assert at_once["awaits_start"] is False, "the contract: without being told otherwise it begins"
    connected = alice.post("/mailboxes", wanted | {"awaits_start": True}).json()
    assert connected["awaits_start"] is True and connected["actions"] == ["begin"]
    of_it = f"/mailboxes/{connected['id']}"
    counted = alice.post(f"{of_it}/preview").json()
    assert counted["kept"] == counted["known"] and counted["not_counted"] == []
    for stranger in (cast.bob, cast.charlie):
        for act in ("preview", "start"):
            problem(caller_for(stranger).post(f"{of_it}/{act}"), 404, "not_found")
    for _ in range(2):  # of two the second changes nothing
        assert alice.post(f"{of_it}/start").json()["awaits_start"] is False
    assert AuditEntry.objects.filter(action="mailbox.import_started").count() == 1


def test_what_waits_for_its_yes_and_cannot_be_opened_says_why(cast: Cast) -> None:
    mailbox = connected(cast)
    Grant.objects.filter(mailbox=mailbox).update(sealed=b"no seal")
    refused = problem(caller_for(cast.alice).post(f"/mailboxes/{mailbox.pk}/preview"), 422, "check_failed")
    assert refused["reason"] == "secret_unreadable"
