"""A mailbox that needs somebody is shown to him on every page, and to nobody whom it does not concern."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Grant, Mailbox
from tests.cast import Cast, make_mailbox

WORDS = "has not been read since"


def fail(mailbox: Mailbox, hours: int, code: str = "unreachable", **more: Any) -> Mailbox:
    since = timezone.now() - timedelta(hours=hours)
    Mailbox.objects.filter(pk=mailbox.pk).update(failing_since=since, error_code=code, **more)
    return mailbox


def home(client: Client) -> str:
    return client.get("/contacts/").content.decode()


def test_its_owner_sees_it_everywhere(cast: Cast, alice: Client, bob: Client, charlie: Client) -> None:
    mailbox = fail(make_mailbox(cast.bob, "bob@own.example", kind="personal"), hours=25)
    for page in ("/", "/contacts/", "/settings/mailboxes/"):
        text = bob.get(page).content.decode()
        assert f"bob@own.example {WORDS}" in text and f"/settings/mailboxes/{mailbox.pk}/" in text
        assert WORDS not in alice.get(page).content.decode()
        assert WORDS not in charlie.get(page).content.decode()


def test_what_may_pass_is_not_shown_before_a_day_and_what_a_person_mends_is_at_once(cast: Cast, bob: Client) -> None:
    mailbox = fail(make_mailbox(cast.bob, "bob@own.example", kind="personal"), hours=1)
    assert WORDS not in home(bob)
    fail(mailbox, 0, "sign_in_refused", needs_reconnect=True)
    assert WORDS in home(bob) and "Reconnect needed." in home(bob)
    assert WORDS not in bob.get(f"/settings/mailboxes/{mailbox.pk}/").content.decode(), "its own page says so itself"
    Mailbox.objects.update(paused_at=timezone.now())
    assert WORDS not in home(bob)


def test_administrators_see_shared_mailboxes_and_other_members_do_not(
    cast: Cast, alice: Client, bob: Client, charlie: Client
) -> None:
    mailbox = make_mailbox(cast.bob, "sales@own.example")
    fail(mailbox, 1, "needs_administrator")
    assert WORDS in home(bob) and WORDS in home(alice) and WORDS not in home(charlie)
    Mailbox.objects.update(owner=cast.alice.user)
    assert WORDS in home(alice) and WORDS not in home(bob)


def test_sending_that_fails_alone_has_its_own_sentence(cast: Cast, bob: Client) -> None:
    mailbox = make_mailbox(cast.bob, "bob@own.example", kind="personal")
    Mailbox.objects.filter(pk=mailbox.pk).update(
        sending_state="failing", sending_code="sign_in_refused", sending_failing_since=timezone.now()
    )
    assert "bob@own.example has not been able to send since" in home(bob)


def test_a_permission_that_ends_within_a_week_is_shown(cast: Cast, bob: Client) -> None:
    mailbox = make_mailbox(cast.bob, "bob@own.example", kind="personal")
    now = timezone.now()
    for days, is_shown in ((20, False), (6, True)):
        values = {"dies_at": now + timedelta(days=days), "updated_at": now - timedelta(days=80)}
        Grant.objects.filter(mailbox=mailbox).update(**values)
        assert ("The permission for bob@own.example ends on" in home(bob)) is is_shown


def test_the_mailboxs_own_page_counts_down_and_offers_to_reconnect(cast: Cast, bob: Client) -> None:
    mailbox = make_mailbox(cast.bob, "bob@own.example", kind="personal")
    moment = timezone.now()
    for days, is_shown in ((20, False), (6, True), (-1, False)):
        values = {"dies_at": moment + timedelta(days=days), "updated_at": moment - timedelta(days=80)}
        Grant.objects.filter(mailbox=mailbox).update(app="gmail", **values)
        html = bob.get(f"/settings/mailboxes/{mailbox.pk}/").content.decode()
        assert ("The permission at Google ends on" in html) is is_shown
        assert (f'href="/settings/mailboxes/connect/gmail/?mailbox={mailbox.pk}">Reconnect</a>' in html) is is_shown


def test_a_refused_registration_is_one_alarm_and_no_banner_for_each_mailbox(cast: Cast, bob: Client) -> None:
    fail(make_mailbox(cast.bob, "bob@own.example", kind="personal"), 30, "app_secret_expired")
    assert WORDS not in home(bob)


def test_ten_mailboxes_do_not_fill_the_page(cast: Cast, bob: Client) -> None:
    for number in range(5):
        fail(make_mailbox(cast.bob, f"bob{number}@own.example", kind="personal"), 25)
    page = home(bob)
    assert page.count(WORDS) == 3 and "5 notices about mailboxes:" in page and "See all of them" in page
    assert '<details class="banner many' in page, "one line until somebody opens it"


def test_one_banner_stands_open(cast: Cast, bob: Client) -> None:
    fail(make_mailbox(cast.bob, "bob@own.example", kind="personal"), 25)
    assert "banner many" not in home(bob) and WORDS in home(bob)


def test_the_side_says_needs_you_only_to_who_can_act_and_where_somebody_must(
    cast: Cast, alice: Client, bob: Client
) -> None:
    sales = fail(make_mailbox(cast.alice, "sales@own.example"), 1)
    assert "sales@ is interrupted" in home(alice) and "sales@ needs you" not in home(alice)
    page = alice.get("/settings/mailboxes/").content.decode()
    assert "Nobody has to act" in page and "1 of 1 needs you" not in page

    fail(sales, 1, "sign_in_refused", needs_reconnect=True)
    assert "sales@ needs you" in home(alice) and "sales@ needs its owner" in home(bob)
    assert "1 of 1 needs you" in alice.get("/settings/mailboxes/").content.decode()
    assert "1 of 1 needs you" not in bob.get("/settings/mailboxes/").content.decode()
