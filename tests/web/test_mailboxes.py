"""/settings/mailboxes/"""

from __future__ import annotations

from datetime import UTC, datetime

from django.test import Client

from postroom.mailboxes.models import Mailbox, MailboxMember
from tests.cast import Cast, make_mailbox

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_a_card_shows_three_directions_and_the_import_in_numbers(alice: Client, sales: Mailbox) -> None:
    Mailbox.objects.update(
        listed_count=20400, done_count=12640, kept_count=4118, filed_count=3902, import_planned_at=NOW
    )
    html = alice.get("/settings/mailboxes/").content.decode()
    for words in ("Sign-in", "Receiving", "Sending", "12,640", "20,400", "4,118", "3,902"):
        assert words in html


def test_a_problem_says_what_to_do_and_folds_the_servers_words(alice: Client, sales: Mailbox) -> None:
    Mailbox.objects.update(
        error_code="sign_in_refused", needs_reconnect=True, error_words="NO <b>bad</b>", error_at=NOW
    )
    html = alice.get("/settings/mailboxes/").content.decode()
    assert "The server&#x27;s words" in html or "The server's words" in html
    assert "NO &lt;b&gt;bad&lt;/b&gt;" in html and "sales@ needs you" in html


def test_a_card_alone_is_what_the_page_has(alice: Client, sales: Mailbox) -> None:
    card = alice.get(f"/settings/mailboxes/{sales.pk}/card/").content.decode()
    assert card.startswith("<article") and f'data-topic="mailbox:{sales.pk}"' in card
    assert f'id="menu-{sales.pk}" popover hx-swap-oob="true"' in card and ">Pause</button>" in card
    Mailbox.objects.update(paused_at=NOW)
    assert "Pause</button>" not in alice.get(f"/settings/mailboxes/{sales.pk}/card/").content.decode()


def test_a_foreign_mailbox_is_not_found(charlie: Client, sales: Mailbox) -> None:
    assert sales.address not in charlie.get("/settings/mailboxes/").content.decode()
    assert charlie.get(f"/settings/mailboxes/{sales.pk}/card/").status_code == 404
    for act in ("syncs", "imports", "disconnection"):
        assert charlie.post(f"/settings/mailboxes/{sales.pk}/{act}/", {"days": 5, "keep": "nothing"}).status_code == 404
    assert Mailbox.objects.filter(pk=sales.pk).exists()


def test_a_colleague_does_not_see_a_personal_mailbox(alice: Client, cast: Cast) -> None:
    mine = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    assert alice.get(f"/settings/mailboxes/{mine.pk}/card/").status_code == 404


def test_a_member_who_is_named_for_no_mailbox_is_told_whom_to_ask(bob: Client, cast: Cast, sales: Mailbox) -> None:
    MailboxMember.objects.create(mailbox=sales, user=cast.alice.user)
    page = bob.get("/settings/mailboxes/").content.decode()
    assert "No mailbox for you yet" in page and "ask the owner of a shared one" in page
    assert sales.address not in page


def test_a_plain_member_cannot_disconnect_a_shared_mailbox(bob: Client, sales: Mailbox) -> None:
    assert bob.post(f"/settings/mailboxes/{sales.pk}/disconnection/", {"keep": "history"}).status_code == 404
    assert Mailbox.objects.filter(pk=sales.pk).exists()


def test_disconnecting_asks_what_stays(alice: Client, sales: Mailbox) -> None:
    alice.post(f"/settings/mailboxes/{sales.pk}/disconnection/", {})
    assert not Mailbox.objects.get(pk=sales.pk).disconnected_at
    done = alice.post(f"/settings/mailboxes/{sales.pk}/disconnection/", {"keep": "history"}, follow=True)
    assert Mailbox.objects.get(pk=sales.pk).disconnected_at
    assert b"is disconnected" in done.content and b"No mailbox yet" in done.content


def test_more_history_takes_one_to_365_days(alice: Client, sales: Mailbox) -> None:
    for days in ("0", "366", "many", ""):
        response = alice.post(f"/settings/mailboxes/{sales.pk}/imports/", {"days": days}, follow=True)
        assert b"from 1 to 365" in response.content
    alice.post(f"/settings/mailboxes/{sales.pk}/imports/", {"days": "90"})
    assert Mailbox.objects.get().backfill_days == 90


def test_sync_now_tells_that_it_looks(alice: Client, sales: Mailbox) -> None:
    assert b"Looking for new mail" in alice.post(f"/settings/mailboxes/{sales.pk}/syncs/", follow=True).content


def test_the_composer_starts_with_the_mailbox_a_member_usually_writes_from(
    alice: Client, bob: Client, cast: Cast, sales: Mailbox
) -> None:
    support = make_mailbox(cast.alice, "support@tidewater.example")
    assert "Several mailboxes would do" in alice.get("/write/").content.decode()
    told = alice.post("/settings/mailboxes/usual/", {"mailbox": support.pk}, follow=True).content.decode()
    assert "New messages start with support@tidewater.example." in told
    assert f'<option value="{support.pk}" selected>' in told and "I usually write from" in told
    page = alice.get("/write/").content.decode()
    assert "You usually write from support@tidewater.example." in page
    assert f'<option value="{support.pk}" selected>' in page
    assert "Several mailboxes would do" in bob.get("/write/").content.decode()
    alice.post("/settings/mailboxes/usual/", {"mailbox": ""})
    assert "Several mailboxes would do" in alice.get("/write/").content.decode()


def test_nobody_usually_writes_from_a_mailbox_he_may_not_send_from(alice: Client, cast: Cast, sales: Mailbox) -> None:
    foreign = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    assert foreign.address not in alice.get("/settings/mailboxes/").content.decode()
    for wanted in (foreign.pk, "nonsense"):
        told = alice.post("/settings/mailboxes/usual/", {"mailbox": wanted}, follow=True)
        assert b"You may not send from this mailbox" in told.content
    cast.alice.membership.refresh_from_db()
    assert cast.alice.membership.default_mailbox_id is None


def test_a_count_of_filings_says_that_it_is_of_the_import(alice: Client, sales: Mailbox) -> None:
    """A contact that is added later files mail that is here already, and the count does not know it."""
    Mailbox.objects.update(listed_count=3003, done_count=3003, kept_count=3003, filed_count=0, import_planned_at=NOW)
    Mailbox.objects.update(import_finished_at=NOW)
    html = alice.get("/settings/mailboxes/").content.decode()
    assert "At import <b>3,003</b> read, <b>3,003</b> kept, <b>0</b> filed" in html
    assert "0 messages stay" not in html and "Its messages stay on their records." in html
