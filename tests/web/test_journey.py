"""To a provider's sign-in page and back: every end has its page and its next step."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Grant, Journey, Mailbox, OAuthApp
from postroom.workspaces import approval
from tests.cast import Cast
from tests.fakes.google import FakeGoogle
from tests.fakes.microsoft import FakeMicrosoft
from tests.integration.sign_in_place import let_sending_need_less
from tests.web.at_provider import allow_at_google, allow_at_microsoft, departure, follow, press, refuse_at_google
from tests.web.conftest import browser

GMAIL = "/settings/mailboxes/connect/gmail/"
OUTLOOK = "/settings/mailboxes/connect/outlook/"
SALES = "sales@tidewater.example"
SUPPORT = "support@tidewater.example"
WHOSE = {"kind": "shared", "usage": "sales", "backfill_days": "30", "display_name": "Tidewater"}


def leave(client: Client, where: str = GMAIL, **typed: str) -> str:
    """The provider's address that a member is sent to."""
    response = client.post(where, {**WHOSE, **typed})
    assert response.status_code == 200
    return departure(response)  # type: ignore[arg-type]


def page(response: Any) -> str:
    return str(response.content.decode())


def again(client: Client, html: str) -> str:
    """Press the button that goes once more."""
    found = re.search(r'action="(/settings/mailboxes/journeys/[^"]+)"', html)
    assert found, "there is a way to go once more"
    return departure(client.post(found[1]))  # type: ignore[arg-type]


@pytest.fixture
def gmail(google_app: FakeGoogle) -> FakeGoogle:
    """Google with an app, and the mailboxes sales@ and support@."""
    google_app.mailbox(SALES)
    google_app.mailbox(SUPPORT)
    return google_app


@pytest.fixture
def outlook(microsoft_app: FakeMicrosoft) -> FakeMicrosoft:
    microsoft_app.mailbox(SALES)
    return microsoft_app


# Before


def test_what_is_asked_and_what_is_not_stands_in_our_words(gmail: FakeGoogle, alice: Client) -> None:
    html = page(alice.get(GMAIL))
    for said in (
        "What Google will ask you for",
        "Read your mail, to put customers&#x27; messages on their records",
        "Your password: you type it at Google",
        "deletes nothing in your mailbox",
        "Go to Google",
        "If Google shows an error",
    ):
        assert said in html, said


def test_the_tiles_lead_to_the_providers_that_are_set_up(gmail: FakeGoogle, alice: Client) -> None:
    html = page(alice.get("/settings/mailboxes/connect/"))
    assert f'href="{GMAIL}"' in html and 'data-domains="gmail.com googlemail.com"' in html


def test_without_an_app_a_member_is_told_whom_to_ask(google: FakeGoogle, alice: Client, bob: Client) -> None:
    for path in ("/settings/mailboxes/connect/", GMAIL):
        assert "Ask Alice Moreau to set it up" in page(bob.get(path))
        assert "/settings/apps/gmail/" not in page(bob.get(path))
        assert "/settings/apps/gmail/" in page(alice.get(path))
    assert bob.post(GMAIL, WHOSE).status_code == 200
    assert not Journey.objects.exists()


def test_the_browser_goes_to_google_with_all_that_must_come_back(gmail: FakeGoogle, alice: Client) -> None:
    response = alice.post(GMAIL, {**WHOSE, "address": SALES})
    url = departure(response)  # type: ignore[arg-type]
    assert url.startswith(gmail.endpoints.authorize)
    for said in ("code_challenge_method=S256", "state=", "nonce=", "login_hint=sales%40tidewater.example"):
        assert said in url
    assert "no-store" in response.headers["Cache-Control"]
    assert "form-action 'self'" in response.headers["Content-Security-Policy"]
    assert gmail.client_secret not in page(response)


@pytest.mark.parametrize("field", ["address", "kind", "backfill_days", "display_name"])
def test_what_cannot_be_right_is_told_before_anybody_leaves(gmail: FakeGoogle, alice: Client, field: str) -> None:
    response = alice.post(GMAIL, {**WHOSE, field: "x\ny"})
    assert response.status_code == 422 and "field-error" in page(response)
    assert not Journey.objects.exists()


def test_a_shared_mailbox_needs_its_address_and_who_signs_in(outlook: FakeMicrosoft, alice: Client) -> None:
    response = alice.post(OUTLOOK, {**WHOSE, "is_shared": "on"})
    assert response.status_code == 422
    assert "Type the address of the shared mailbox." in page(response) and "Type your own." in page(response)


def test_google_opens_no_shared_mailboxes_and_offers_none(gmail: FakeGoogle, alice: Client) -> None:
    assert "is_shared" not in page(alice.get(GMAIL))


# The good end


def test_the_mailbox_is_connected_its_address_confirmed_its_import_running(
    cast: Cast, gmail: FakeGoogle, alice: Client
) -> None:
    back = allow_at_google(leave(alice), SALES)
    response = follow(alice, back)
    mailbox = Mailbox.objects.get()
    assert response.redirect_chain == [(f"/settings/mailboxes/{mailbox.pk}/", 302)]  # type: ignore[attr-defined]
    html = page(response)
    assert f"Google confirmed {SALES}" in html and "Importing the last 30 days" in html
    assert "Permission at Google" in html and "not allowed" not in html
    assert (mailbox.address, mailbox.provider, mailbox.owner_id) == (SALES, "gmail", cast.alice.user.pk)


def test_a_shared_mailbox_of_microsoft_is_opened_by_who_may(outlook: FakeMicrosoft, alice: Client) -> None:
    outlook.share(SUPPORT, with_=SALES)
    back = allow_at_microsoft(leave(alice, OUTLOOK, address=SUPPORT, is_shared="on", sign_in_user=SALES), SALES)
    html = page(follow(alice, back))
    mailbox = Mailbox.objects.get()
    assert mailbox.address == SUPPORT and Grant.objects.get().sign_in_user == SALES
    assert f"signed in as {SALES}" in html


def test_a_mailbox_that_asks_for_it_is_reconnected_with_its_address(gmail: FakeGoogle, alice: Client) -> None:
    follow(alice, allow_at_google(leave(alice), SALES))
    mailbox = Mailbox.objects.get()
    Mailbox.objects.update(needs_reconnect=True, error_code="grant_revoked", error_at=timezone.now())
    html = page(alice.get(f"/settings/mailboxes/{mailbox.pk}/"))
    assert f"{GMAIL}?mailbox={mailbox.pk}" in html and "The permission was taken back" in html
    before = page(alice.get(f"{GMAIL}?mailbox={mailbox.pk}"))
    assert f"Sign in again for {SALES}" in before and 'name="kind"' not in before
    url = leave(alice, mailbox=str(mailbox.pk))
    assert "login_hint=sales%40tidewater.example" in url
    assert f"Google lets Postroom into {SALES} again" in page(follow(alice, allow_at_google(url, SALES)))
    mailbox.refresh_from_db()
    assert not mailbox.needs_reconnect and not mailbox.error_code


# The other ends


def test_who_refused_is_asked_again_with_one_button(gmail: FakeGoogle, alice: Client) -> None:
    html = page(follow(alice, refuse_at_google(leave(alice, address=SALES), SALES)))
    assert "The permission was not given" in html and "Ask again" in html
    assert not Mailbox.objects.exists()
    follow(alice, allow_at_google(again(alice, html), SALES))
    assert Mailbox.objects.get().usage == "sales", "nothing had to be typed twice"


def test_who_may_not_connect_it_any_more_is_told_so_instead_of_going_once_more(
    gmail: FakeGoogle, cast: Cast, bob: Client
) -> None:
    html = page(follow(bob, refuse_at_google(leave(bob, address=SALES), SALES)))
    approval.change_policy(cast.alice, providers={"gmail": "ask"}, personal="everyone", shared="everyone", domains=[])
    found = re.search(r'action="(/settings/mailboxes/journeys/[^"]+)"', html)
    assert found
    assert 'data-refusal="connect_needs_approval"' in page(bob.post(found[1]))


@pytest.mark.parametrize(
    ("personal", "shared", "told"),
    [
        ("nobody", "everyone", ""),
        ("ask", "nobody", "connect_needs_approval"),
        ("nobody", "ask", "connect_needs_approval"),
        ("nobody", "nobody", "connect_not_allowed"),
    ],
)
def test_the_page_refuses_beforehand_what_is_refused_for_either_kind_and_offers_to_ask_where_one_may(
    gmail: FakeGoogle, cast: Cast, bob: Client, personal: str, shared: str, told: str
) -> None:
    approval.change_policy(cast.alice, providers={}, personal=personal, shared=shared, domains=[])
    assert page(bob.get(GMAIL)).partition('data-refusal="')[2].partition('"')[0] == told


def test_who_comes_back_late_goes_once_more(gmail: FakeGoogle, alice: Client) -> None:
    back = allow_at_google(leave(alice), SALES)
    Journey.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    html = page(follow(alice, back))
    assert "The sign-in took too long" in html and "Try again" in html
    follow(alice, allow_at_google(again(alice, html), SALES))
    assert Mailbox.objects.get().address == SALES


def test_who_comes_back_twice_sees_the_mailbox_and_connects_nothing_twice(gmail: FakeGoogle, alice: Client) -> None:
    back = allow_at_google(leave(alice), SALES)
    follow(alice, back)
    html = page(follow(alice, back))
    assert f"{SALES} is connected" in html and "nothing was done twice" in html
    assert Mailbox.objects.count() == 1


def test_another_browser_of_the_same_member_is_told_where_to_go_on(
    cast: Cast, gmail: FakeGoogle, alice: Client
) -> None:
    back = allow_at_google(leave(alice), SALES)
    html = page(follow(browser(cast.alice), back))
    assert "The sign-in began in another browser" in html and "Try again" in html
    assert not Mailbox.objects.exists()
    follow(alice, back)
    assert Mailbox.objects.exists(), "where it began it goes on"


def test_a_browser_in_which_nobody_is_signed_in_is_sent_to_sign_in(
    gmail: FakeGoogle, alice: Client, guest: Client
) -> None:
    back = allow_at_google(leave(alice), SALES)
    response = guest.get(back)
    html = page(response)
    assert response.status_code == 403 and "You are not signed in to Postroom here" in html
    assert f"/accounts/login/?next={GMAIL.replace('/', '%2F')}" in html
    assert "code=" not in html and "state=" not in html
    assert not Mailbox.objects.exists()


def test_somebody_elses_journey_ends_nowhere(gmail: FakeGoogle, alice: Client, bob: Client, charlie: Client) -> None:
    back = allow_at_google(leave(alice), SALES)
    journey = Journey.objects.get()
    for other in (bob, charlie):
        response = other.get(back)
        assert response.status_code == 409 and "This sign-in did not begin here" in page(response)
        assert other.get(f"/settings/mailboxes/journeys/{journey.pk}/").status_code == 404
        assert other.post(f"/settings/mailboxes/journeys/{journey.pk}/").status_code == 404
    assert not Mailbox.objects.exists()


def test_the_wrong_account_is_named_with_the_right_one(gmail: FakeGoogle, alice: Client) -> None:
    html = page(follow(alice, allow_at_google(leave(alice, address=SALES), SUPPORT)))
    assert f"You signed in as {SUPPORT}, and {SALES} was expected" in html
    assert "Sign in with the other account" in html
    follow(alice, allow_at_google(again(alice, html), SALES))
    assert Mailbox.objects.get().address == SALES


def test_an_address_that_is_connected_leads_to_its_mailbox(gmail: FakeGoogle, alice: Client, bob: Client) -> None:
    follow(alice, allow_at_google(leave(alice), SALES))
    mailbox = Mailbox.objects.get()
    html = page(follow(bob, allow_at_google(leave(bob), SALES)))
    assert "This mailbox is connected already" in html and f"/settings/mailboxes/{mailbox.pk}/" in html
    Mailbox.objects.update(kind="personal")
    html = page(bob.get(f"/settings/mailboxes/journeys/{Journey.objects.latest('created_at').pk}/"))
    assert f"/settings/mailboxes/{mailbox.pk}/" not in html, "not one that he may not see"


def test_permissions_that_were_unticked_are_named(gmail: FakeGoogle, alice: Client) -> None:
    html = page(follow(alice, allow_at_google(leave(alice, address=SALES), SALES, untick="gmail.modify")))
    assert "A permission was not given" in html and "What was not allowed" in html
    assert "Read your mail, to put customers" in html and "Ask again" in html
    assert not Mailbox.objects.exists()
    follow(alice, allow_at_google(again(alice, html), SALES))
    assert Mailbox.objects.exists()


def test_only_what_needs_a_missing_permission_is_off(outlook: FakeMicrosoft, alice: Client) -> None:
    outlook.faults.withheld_scopes = {"Mail.Send"}
    html = page(follow(alice, allow_at_microsoft(leave(alice, OUTLOOK), SALES)))
    assert "not allowed: sending is off" in html and "Allow it" in html
    assert "Sending is off, since Microsoft was not allowed" in html and "Reconnect" not in html
    assert Mailbox.objects.get().receiving_state == "ok"


def test_a_mailbox_is_signed_in_for_only_where_it_is(outlook: FakeMicrosoft, gmail: FakeGoogle, alice: Client) -> None:
    follow(alice, allow_at_microsoft(leave(alice, OUTLOOK), SALES))
    mailbox = Mailbox.objects.get()
    for way in ("connect/gmail/", "connect/"):  # else Google's tokens would go to Microsoft, or a password nowhere
        address = f"/settings/mailboxes/{way}?mailbox={mailbox.pk}"
        assert alice.get(address).status_code == 404
    assert alice.post("/settings/mailboxes/connect/gmail/", {"mailbox": mailbox.pk}).status_code == 404
    assert alice.get(f"/settings/mailboxes/connect/outlook/?mailbox={mailbox.pk}").status_code == 200


def test_a_mailbox_that_may_not_be_read_promises_no_import(
    outlook: FakeMicrosoft, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_sending_need_less(monkeypatch)
    outlook.faults.withheld_scopes = {"Mail.ReadWrite"}
    html = page(follow(alice, allow_at_microsoft(leave(alice, OUTLOOK), SALES)))
    assert "Reading it was not allowed, so nothing is imported." in html
    assert "Receiving is off, since Microsoft was not allowed" in html and "Sync now" not in html


def test_an_administrators_approval_is_asked_for_with_a_link_and_a_letter(
    outlook: FakeMicrosoft, alice: Client
) -> None:
    outlook.faults.needs_admin_approval = True
    html = page(follow(alice, press(leave(alice, OUTLOOK), ("account", SALES), ("return", "1"))))
    assert "An administrator has to approve Postroom first" in html and "Look again" in html
    assert "/v2.0/adminconsent?" in html and "mailto:?subject=" in html
    assert 'data-topic="journey:' in html, "the page goes on by itself"
    letter = re.search(r"<textarea[^>]*>([^<]+)</textarea>", html)
    assert letter and approval_link(html) in unescape(letter[1]), "the link in the letter is the whole link"


def approval_link(html: str) -> str:
    found = re.search(r'id="approval-url">([^<]+)<', html)
    assert found
    return unescape(found[1])


def test_an_approval_needs_no_sign_in_and_lets_the_member_go_on(
    outlook: FakeMicrosoft, alice: Client, guest: Client
) -> None:
    outlook.faults.needs_admin_approval = True
    html = page(follow(alice, press(leave(alice, OUTLOOK), ("account", SALES), ("return", "1"))))
    journey = f"/settings/mailboxes/journeys/{Journey.objects.get().pk}/"
    assert "data-goes-on" not in html
    back = press(approval_link(html), ("consent", "1"))
    assert back.startswith(f"{OUTLOOK}approval/?")
    assert "Thank you, it is approved" in page(guest.get(back))
    assert "Nothing was approved" in page(guest.get(back)), "once"
    html = page(alice.get(journey))
    assert "The administrator has approved" in html and "data-goes-on" in html
    follow(alice, press(again(alice, html), ("account", SALES)))
    assert Mailbox.objects.get().address == SALES


def test_an_administrator_who_declines_approves_nothing(outlook: FakeMicrosoft, alice: Client, guest: Client) -> None:
    outlook.faults.needs_admin_approval = True
    html = page(follow(alice, press(leave(alice, OUTLOOK), ("account", SALES), ("return", "1"))))
    assert "Nothing was approved" in page(guest.get(press(approval_link(html), ("refuse", "1"))))
    assert "Nothing was approved" in page(guest.get(f"{OUTLOOK}approval/?admin_consent=True&state=guessed"))
    assert not Journey.objects.exclude(approved_at=None).exists()


def test_who_never_came_back_finds_what_to_send_to_his_administrator(gmail: FakeGoogle, alice: Client) -> None:
    leave(alice)
    journey = f"/settings/mailboxes/journeys/{Journey.objects.get().pk}/"
    assert journey in page(alice.get(GMAIL))
    html = page(alice.get(journey))
    assert "Not back from Google yet" in html and gmail.client_id in html and "API controls" in html


def test_a_refused_secret_is_the_administrators_to_mend(gmail: FakeGoogle, alice: Client, bob: Client) -> None:
    back = allow_at_google(leave(bob), SALES)
    gmail.faults.refuse_client = True
    html = page(follow(bob, back))
    assert "The client id or secret is refused" in html and "Alice Moreau can mend it and has been told" in html
    assert "/settings/apps/" not in html
    assert "Google refuses the Gmail app" in page(alice.get("/"))
    back = allow_at_google(leave(alice), SALES)
    assert "/settings/apps/gmail/" in page(follow(alice, back))


def test_a_provider_that_does_not_answer_costs_nothing_that_was_typed(gmail: FakeGoogle, alice: Client) -> None:
    back = allow_at_google(leave(alice, address=SALES), SALES)
    gmail.faults.token_endpoint_status = 503
    html = page(follow(alice, back))
    assert "The sign-in service is busy" in html and "Try again" in html
    gmail.faults.token_endpoint_status = 0
    follow(alice, allow_at_google(again(alice, html), SALES))
    assert Mailbox.objects.get().display_name == "Tidewater"


def test_an_app_that_was_removed_meanwhile_leads_back_to_the_start(gmail: FakeGoogle, alice: Client) -> None:
    html = page(follow(alice, refuse_at_google(leave(alice), SALES)))
    OAuthApp.objects.all().delete()
    found = re.search(r'action="(/settings/mailboxes/journeys/[^"]+)"', html)
    assert found
    response = alice.post(found[1], follow=True)
    assert "Gmail is not set up yet" in page(response)


def test_what_came_back_is_not_in_the_address_that_stays(gmail: FakeGoogle, alice: Client) -> None:
    for back in (allow_at_google(leave(alice), SALES), refuse_at_google(leave(alice), SALES)):
        response = alice.get(back)
        assert response.status_code == 302
        assert "code=" not in response.headers["Location"] and "state=" not in response.headers["Location"]
        assert "no-store" in response.headers["Cache-Control"]


def test_nonsense_that_comes_back_is_answered_kindly(gmail: FakeGoogle, alice: Client) -> None:
    for query in ("", "?state=x", "?code=y", "?error=access_denied", "?state=%00&code=%ff", "?state=" + "x" * 5000):
        response = alice.get(f"{GMAIL}return/{query}")
        assert response.status_code == 409 and "This sign-in did not begin here" in page(response)
    assert alice.post(f"{GMAIL}return/").status_code == 405
