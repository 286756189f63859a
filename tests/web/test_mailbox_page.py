"""/settings/mailboxes/<id>/: folders, how far back, pause, and what was done"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postroom.engine.journal import Kind
from postroom.mailboxes.journal import note
from postroom.mailboxes.models import Folder, ImportSlice, JournalEntry, Mailbox
from postroom.workspaces.models import AuditEntry
from tests.cast import Cast, make_mailbox

HTMX = {"HTTP_HX_REQUEST": "true"}


def folder(mailbox: Mailbox, name: str, **more: Any) -> Folder:
    return Folder.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, remote_name=name, name=name, **({"cursor": "1"} | more)
    )


@pytest.fixture
def folders(sales: Mailbox) -> dict[str, Folder]:
    return {
        "Inbox": folder(sales, "Inbox", role="inbox", listed_since="2026-10-24"),
        "Junk": folder(sales, "Junk", role="junk", is_synced=False, cursor=""),
        "Projects": folder(sales, "Projects"),
    }


def page(client: Client, mailbox: Mailbox) -> str:
    response = client.get(f"/settings/mailboxes/{mailbox.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_shows_every_folder_with_its_reason(alice: Client, sales: Mailbox, folders: dict[str, Folder]) -> None:
    html = page(alice, sales)
    for words in ("Inbox", "Projects", "Junk is left out.", "complete since 24 Oct 2026", "0 messages here"):
        assert words in html
    assert html.index("Inbox</b>") < html.index("Projects</b>") < html.index("Junk</b>")
    assert f'value="{folders["Inbox"].pk}" checked' in html
    assert f'value="{folders["Junk"].pk}" checked' not in html


def test_a_folder_that_the_server_has_no_more_is_not_offered(alice: Client, sales: Mailbox) -> None:
    folder(sales, "Deleted long ago", is_synced=False, cursor="")
    assert "Deleted long ago" not in page(alice, sales)


def test_a_label_that_only_sorts_the_inbox_can_be_chosen(alice: Client, sales: Mailbox) -> None:
    label = folder(sales, "Promotions", is_synced=False, cursor="", is_label=True, sorts_inbox=True)
    html = page(alice, sales)
    assert "Promotions" in html and "It shows mail of the inbox once more." in html
    choose(alice, sales, [label], [label])
    label.refresh_from_db()
    assert label.is_chosen is True


def choose(client: Client, mailbox: Mailbox, shown: list[Folder], chosen: list[Folder]) -> Any:
    typed = {"shown": [one.pk for one in shown], "chosen": [one.pk for one in chosen]}
    return client.post(f"/settings/mailboxes/{mailbox.pk}/folders/", typed, follow=True)


def test_choosing_folders_begins_the_session_anew_and_leaves_others_as_they_are(
    alice: Client, sales: Mailbox, folders: dict[str, Folder]
) -> None:
    before = Mailbox.objects.get(pk=sales.pk).epoch
    came_since = folder(sales, "Came since")
    told = choose(alice, sales, list(folders.values()), [folders["Inbox"], folders["Junk"]])
    assert b"Messages that are already on records stay." in told.content
    chosen = dict(Folder.objects.filter(mailbox=sales).values_list("name", "is_chosen"))
    assert chosen == {"Inbox": None, "Junk": True, "Projects": False, came_since.name: None}
    sales.refresh_from_db()
    assert (sales.epoch, sales.worker_id) == (before + 1, None)
    assert "Alice Moreau added 1 folder and left 1 folder out." in page(alice, sales)
    assert AuditEntry.objects.filter(action="mailbox.folders_chosen").count() == 1


def test_folders_are_chosen_of_a_mailbox_with_thousands(alice: Client, sales: Mailbox) -> None:
    many = [Folder(workspace=sales.workspace, mailbox=sales, remote_name=f"f{n}", name=f"f{n}") for n in range(501)]
    Folder.objects.bulk_create(many)
    told = choose(alice, sales, many, many[1:])
    assert told.status_code == 200 and "The choice is kept." in told.content.decode()
    assert Folder.objects.get(pk=many[0].pk).is_chosen is False


def test_choosing_what_is_chosen_changes_nothing(alice: Client, sales: Mailbox, folders: dict[str, Folder]) -> None:
    told = choose(alice, sales, list(folders.values()), [folders["Inbox"], folders["Projects"]])
    assert b"Nothing was changed." in told.content
    assert not JournalEntry.objects.exists() and Mailbox.objects.get(pk=sales.pk).epoch == sales.epoch


def test_only_who_manages_the_mailbox_chooses_its_folders(
    alice: Client, bob: Client, charlie: Client, cast: Cast, sales: Mailbox, folders: dict[str, Folder]
) -> None:
    assert 'name="chosen"' not in page(bob, sales) and "Projects" in page(bob, sales)
    assert choose(bob, sales, list(folders.values()), []).status_code == 404
    assert choose(charlie, sales, list(folders.values()), []).status_code == 404
    assert not Folder.objects.exclude(is_chosen=None).exists()


def test_a_folder_of_another_mailbox_cannot_be_named(
    alice: Client, cast: Cast, sales: Mailbox, folders: dict[str, Folder]
) -> None:
    foreign = folder(make_mailbox(cast.bob, "bob@tidewater.example", kind="personal"), "Love letters")
    told = choose(alice, sales, [foreign], [])
    assert b"A folder of the page is gone by now" in told.content and b"Love letters" not in told.content
    foreign.refresh_from_db()
    assert foreign.is_chosen is None


def test_an_administrator_sees_nothing_of_a_personal_mailbox(alice: Client, cast: Cast) -> None:
    mine = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    folder(mine, "Love letters")
    for address in ("", "journal/"):
        assert alice.get(f"/settings/mailboxes/{mine.pk}/{address}").status_code == 404
    for act in ("folders/", "pause/", "resumption/"):
        assert alice.post(f"/settings/mailboxes/{mine.pk}/{act}").status_code == 404
    assert "Love letters" not in alice.get("/settings/mailboxes/").content.decode()


def test_a_pause_stops_the_session_and_going_on_frees_it(alice: Client, sales: Mailbox) -> None:
    before = Mailbox.objects.get(pk=sales.pk)
    told = alice.post(f"/settings/mailboxes/{sales.pk}/pause/", follow=True).content.decode()
    assert "is paused. What arrives meanwhile stays on the server." in told and "Go on" in told
    paused = Mailbox.objects.get(pk=sales.pk)
    assert paused.state == "paused" and paused.epoch == before.epoch + 1
    assert "Sync now" not in told and "Alice Moreau paused the mailbox." in told
    alice.post(f"/settings/mailboxes/{sales.pk}/pause/")
    assert Mailbox.objects.get(pk=sales.pk).paused_at == paused.paused_at
    told = alice.post(f"/settings/mailboxes/{sales.pk}/resumption/", follow=True).content.decode()
    assert "goes on where it was" in told and "Alice Moreau let the mailbox go on." in told
    assert Mailbox.objects.get(pk=sales.pk).paused_at is None
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["mailbox.paused", "mailbox.resumed"]


def test_a_pause_is_no_time_of_the_import(alice: Client, sales: Mailbox) -> None:
    now = timezone.now()
    Mailbox.objects.update(
        import_started_at=now - timedelta(hours=5), paused_at=now - timedelta(hours=4), import_planned_at=now
    )
    alice.post(f"/settings/mailboxes/{sales.pk}/resumption/")
    sales.refresh_from_db()
    assert sales.import_started_at is not None
    assert timedelta(minutes=59) < now - sales.import_started_at < timedelta(minutes=61)


def test_a_plain_member_cannot_pause_a_shared_mailbox(bob: Client, sales: Mailbox) -> None:
    for act in ("pause", "resumption"):
        assert bob.post(f"/settings/mailboxes/{sales.pk}/{act}/").status_code == 404
    assert "Pause" not in page(bob, sales)


def test_a_paused_import_says_so_and_promises_no_time(alice: Client, sales: Mailbox) -> None:
    now = timezone.now()
    Mailbox.objects.update(
        paused_at=now,
        import_started_at=now - timedelta(minutes=5),
        import_planned_at=now,
        listed_count=3000,
        done_count=1000,
    )
    html = page(alice, sales)
    assert "is paused" in html and "<b>1,000</b> of 3,000 listed" in html and "minutes left" not in html


def test_a_running_import_tells_how_long_it_takes(alice: Client, sales: Mailbox) -> None:
    now = timezone.now()
    Mailbox.objects.update(
        import_started_at=now - timedelta(minutes=2), import_planned_at=now, listed_count=3000, done_count=1000
    )
    assert "about 4 minutes left" in page(alice, sales)
    assert "about 4 minutes left" in alice.get("/settings/mailboxes/").content.decode()


def test_a_mailbox_that_rests_says_until_when_and_why(alice: Client, sales: Mailbox) -> None:
    now = timezone.now()
    Mailbox.objects.update(
        not_before=now + timedelta(minutes=12), failures=3, failing_since=now, error_code="throttled", error_at=now
    )
    html = page(alice, sales)
    assert "Looks again at" in html and "after 3 failures in a row" in html
    Mailbox.objects.update(not_before=now - timedelta(seconds=1))
    assert "Looks again at" not in page(alice, sales)


def test_the_window_is_extended_from_the_page(alice: Client, sales: Mailbox) -> None:
    assert 'min="1" max="365"' in page(alice, sales)
    alice.post(f"/settings/mailboxes/{sales.pk}/imports/", {"days": "200"})
    assert "Alice Moreau had the last 200 days imported." in page(alice, sales)


def test_the_journal_is_newest_first_and_loads_more(alice: Client, sales: Mailbox) -> None:
    for number in range(45):
        note(sales.pk, Kind.CAUGHT_UP, {"folder": "Inbox", "new": number + 2, "filed": 0})
    html = page(alice, sales)
    assert html.index("46 new messages") < html.index("45 new messages") < html.index("27 new messages")
    assert "26 new messages" not in html
    entries = list(JournalEntry.objects.order_by("-pk"))
    address = f"/settings/mailboxes/{sales.pk}/journal/"
    assert f"{address}?before={entries[19].pk}" in html
    more = alice.get(f"{address}?before={entries[19].pk}", **HTMX).content.decode()
    assert more.lstrip().startswith("<li>") and "26 new messages" in more and "27 new messages" not in more
    last = alice.get(f"{address}?before={entries[39].pk}", **HTMX).content.decode()
    assert "2 new messages" in last and "before=" not in last
    whole = alice.get(f"{address}?before={entries[19].pk}").content.decode()
    assert "<html" in whole and "26 new messages" in whole  # without script it is a page of its own


def test_an_open_page_is_given_what_came_since(alice: Client, sales: Mailbox) -> None:
    assert "Nothing so far." in page(alice, sales)
    address = f"/settings/mailboxes/{sales.pk}/journal/"
    note(sales.pk, Kind.CONNECTED, {"host": "imap.company.example"})
    first = JournalEntry.objects.get()
    came = alice.get(f"{address}?after=", **HTMX).content.decode()
    assert "Connected to imap.company.example." in came and f"?after={first.pk}" in came
    nothing = alice.get(f"{address}?after={first.pk}", **HTMX).content.decode()
    assert "Connected" not in nothing and f"?after={first.pk}" in nothing and "Nothing so far" not in nothing
    assert alice.get(f"{address}?after=nonsense").status_code == 404


def test_an_open_page_leaves_when_somebody_disconnects_the_mailbox(alice: Client, bob: Client, sales: Mailbox) -> None:
    alice.post(f"/settings/mailboxes/{sales.pk}/disconnection/", {"keep": "history"})
    left = bob.get(f"/settings/mailboxes/{sales.pk}/", **HTMX)
    assert (left.status_code, left.headers["HX-Redirect"]) == (200, "/settings/mailboxes/")
    assert "is not here any more" in bob.get("/settings/mailboxes/").content.decode()
    card = bob.get(f"/settings/mailboxes/{sales.pk}/card/", **HTMX)
    assert (card.status_code, card.content) == (200, b""), "it goes from the list"
    assert bob.get(f"/settings/mailboxes/{sales.pk}/journal/", **HTMX).status_code == 204
    assert bob.get(f"/settings/mailboxes/{sales.pk}/").status_code == 404


def test_names_from_a_server_are_text(alice: Client, sales: Mailbox) -> None:
    folder(sales, "<b>bold</b>")
    note(sales.pk, Kind.FOLDER_GONE, {"folder": "<i>gone</i>"})
    html = page(alice, sales)
    assert "&lt;b&gt;bold" in html and "&lt;i&gt;gone" in html and "<b>bold" not in html


def test_the_journal_of_a_foreign_mailbox_is_not_found(charlie: Client, sales: Mailbox) -> None:
    for address in ("", "journal/"):
        assert charlie.get(f"/settings/mailboxes/{sales.pk}/{address}").status_code == 404


def test_a_folder_that_is_being_imported_is_not_called_complete(
    alice: Client, sales: Mailbox, folders: dict[str, Folder]
) -> None:
    inbox = folders["Inbox"]
    ImportSlice.objects.create(
        workspace=sales.workspace, mailbox=sales, folder=inbox, position=0, remote_ids=["1", "2"], sizes=[1, 1]
    )
    html = page(alice, sales)
    assert "2 to import" in html and "complete since" not in html
    assert f'id="far-{inbox.pk}"' in html and f",#far-{inbox.pk}" in html, "told anew with the state above it"


def test_looking_now_stays_on_the_page_where_it_was_asked_for(alice: Client, sales: Mailbox) -> None:
    here = f"/settings/mailboxes/{sales.pk}/"
    assert '<input type="hidden" name="from" value="page">' in page(alice, sales)
    assert alice.post(f"{here}syncs/", {"from": "page"})["Location"] == here
    assert alice.post(f"{here}syncs/")["Location"] == "/settings/mailboxes/"
    assert alice.post(f"{here}imports/", {"days": 90})["Location"] == here, "which shows the import"


def test_trouble_is_dated_from_its_first_failure(alice: Client, sales: Mailbox) -> None:
    began, last = timezone.now() - timedelta(days=2), timezone.now()
    Mailbox.objects.update(
        error_code="refused",
        error_facts={},
        error_at=last,
        failures=9,
        failing_since=began,
        not_before=last + timedelta(1),
    )
    html = page(alice, sales)
    trouble = html[html.index('role="alert"') :]
    assert (
        f'datetime="{timezone.localtime(began).isoformat(timespec="seconds")}'
        in trouble[: trouble.index("Looks again")]
    )


@pytest.mark.parametrize("whose", ["page", "menu"])
def test_what_opens_a_dialog_leads_to_a_page_without_script(alice: Client, sales: Mailbox, whose: str) -> None:
    Mailbox.objects.update(import_finished_at=timezone.now())
    html = alice.get(f"/settings/mailboxes/{sales.pk}/" if whose == "page" else "/settings/mailboxes/").content.decode()
    openers = re.findall(r'<(\w+)[^>]*? data-open="(?:history|disconnect|test)-[^>]*>', html)
    hrefs = re.findall(r'<a[^>]*? href="([^"]+)" data-open="(?:history|disconnect|test)-', html)
    assert len(openers) >= 2 and set(openers) == {"a"} and len(hrefs) == len(openers)
    assert {alice.get(href.partition("#")[0]).status_code for href in hrefs} == {200}
