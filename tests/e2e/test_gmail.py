"""Gmail by Google's sign-in page, in Chromium, with real processes: issue 4, what a user does, 1 to 4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.steps import (
    KATRIN,
    add_contact,
    letter,
    reply_in_the_open_thread,
    set_up,
    start_to_connect,
    wait_for,
    watch_the_page,
)
from tests.fakes.environment import endpoint_variables
from tests.fakes.google import FakeGoogle
from tests.fakes.google.mailbox import SendAs
from tests.servers import free_ports
from tests.up_run import UpRun

SALES = "sales@gmail.com"
PRIVATE = "alice.private@gmail.com"
RENTALS = "rentals@tidewater.test"


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        google.mailbox(SALES).send_as.append(SendAs("offers@gmail.com", "Offers", signature="<p>The offers team</p>"))
        google.mailbox(SALES).deliver(letter("We need twelve cargo bikes.", "Cargo bikes for Hamburg", to=SALES))
        google.mailbox(PRIVATE)
        yield google


@pytest.fixture
def postroom(google: FakeGoogle, data: Path) -> Iterator[UpRun]:
    """`bin/up` that takes the fake for Google."""
    [port] = free_ports(1)
    run = UpRun(data, port, POSTROOM_POLL_SECONDS="1", **endpoint_variables("GOOGLE", google.endpoints))
    yield run
    if run.process.poll() is None:
        run.end()


def test_a_gmail_mailbox_from_the_apps_registration_to_its_end(page: Page, postroom: UpRun, google: FakeGoogle) -> None:
    wrong = watch_the_page(page)
    set_up(page, postroom)
    register(page, google)
    connect(page)
    look_again(page, google)
    add_contact(page)
    talk(page, google)
    choose_another_address(page)
    reconnect(page, google)
    disconnect(page, google)
    assert wrong == []


def register(page: Page, google: FakeGoogle) -> None:
    """An administrator follows the page and brings id and secret; a mistyped secret is told at once."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Apps", exact=True).click()
    page.get_by_role("link", name="Set up Gmail").click()
    expect(page.locator("#return-address")).to_have_text(re.compile("/settings/mailboxes/connect/gmail/return/$"))
    page.get_by_label("Client ID").fill(google.client_id)
    page.get_by_label("Client secret").fill("GOCSPX-mistyped")
    page.get_by_role("button", name="Check and save").click()
    expect(page.locator(".verdict")).to_contain_text("The client id or secret is refused")
    expect(page.get_by_label("Client ID")).to_have_value(google.client_id)
    page.get_by_label("Client secret").fill(google.client_secret)
    page.get_by_role("button", name="Check and save").click()
    expect(page.locator("#toasts")).to_contain_text("Google knows the app")


def connect(page: Page) -> None:
    """Refuse, take the wrong account, untick a permission, and then allow it; nothing is typed twice."""
    start_to_connect(page)
    page.get_by_label("Which address?").fill(SALES)
    expect(page.locator("a.choice", has_text="Gmail")).to_contain_text("Fits this address")
    page.locator("a.choice", has_text="Gmail").click()
    expect(page.get_by_label("Which address?")).to_have_value(SALES)
    expect(page.get_by_text("What is not asked and not done")).to_be_visible()
    page.get_by_label("Name people see").fill("Tidewater Bikes")
    page.locator("[name=awaits_start]").uncheck()
    page.get_by_role("button", name="Go to Google").click()

    sign_in(page, SALES)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1")).to_have_text("The permission was not given")
    page.get_by_role("button", name="Ask again").click()

    allow(page, PRIVATE)
    expect(page.locator(".verdict")).to_contain_text(f"You signed in as {PRIVATE}, and {SALES} was expected")
    page.get_by_role("button", name="Sign in with the other account").click()

    sign_in(page, SALES)
    page.get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#outcome")).to_contain_text("What was not allowed")
    page.get_by_role("button", name="Ask again").click()

    allow(page, SALES)
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/$"))
    expect(page.locator("h1")).to_have_text(SALES)
    expect(page.locator("#toasts")).to_contain_text(f"Google confirmed {SALES}")
    expect(page.locator("#permission")).to_contain_text("Read your mail")
    expect(page.locator(".journal")).to_contain_text("Connected to Google.", timeout=30_000)
    expect(page.locator(".journal")).to_contain_text("Imported the 1 message.", timeout=30_000)
    expect(page.locator(".folders:not(.proofs)")).to_contain_text("Inbox")


def look_again(page: Page, google: FakeGoogle) -> None:
    """What was made at Gmail meanwhile: an alias is there after "Sync now", a label soon by itself."""
    mailbox = google.mailbox(SALES)
    wait_for(lambda: [one for one in google.requests if one.name == "settings.sendAs.list"])
    mailbox.add_send_as(RENTALS, "Rentals")
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator("#toasts")).to_contain_text("Looking for new mail")
    label = mailbox.make_label("Customers")
    for number in (2, 3):  # the first look tells the open page of a folder that it has not
        mailbox.deliver(letter("Note.", f"Note {number}", to=SALES), labels=("INBOX", label))
        expect(page.locator(".folders:not(.proofs)")).to_contain_text(f"{number} messages here", timeout=20_000)
    page.reload()
    expect(page.locator(".folders:not(.proofs)")).to_contain_text("Customers")
    expect(page.locator(".page-head")).to_contain_text("2 aliases")


def talk(page: Page, google: FakeGoogle) -> None:
    """History on the contact; new mail on the open page; an answer in Gmail's own thread, in Sent once."""
    mailbox = google.mailbox(SALES)
    first = next(iter(mailbox.messages.values()))
    page.get_by_text("Cargo bikes for Hamburg").first.click()
    expect(page.locator("#thread-messages .message")).to_have_count(1)
    mailbox.deliver(
        letter("By May, if possible.", "Re: Cargo bikes for Hamburg", to=SALES, answers=first.internet_message_id)
    )
    expect(page.locator("#thread-messages .message")).to_have_count(2, timeout=25_000)
    reply_in_the_open_thread(page, "May is fine.")
    sent = wait_for(lambda: [one for one in mailbox.messages.values() if "SENT" in one.labels], seconds=30)
    assert [one.thread_id for one in sent] == [first.thread_id]
    page.locator("#timeline .submission").wait_for(state="detached", timeout=30_000)
    page.locator("#timeline .event").first.click()
    expect(page.locator("#thread-messages .message")).to_have_count(3, timeout=30_000)
    assert google.delivered == {(sent[0].internet_message_id, KATRIN): 1}


def choose_another_address(page: Page) -> None:
    """The signature follows From, until something is written."""
    page.goto(f"{page.url.partition('/contacts')[0]}/write/")
    text = page.locator(".ProseMirror")
    page.get_by_label("From").select_option(label=f"offers@gmail.com ({SALES})")
    expect(text).to_have_text("The offers team")
    page.get_by_label("From").select_option(label=SALES)
    expect(text).to_have_text("")
    page.get_by_label("From").select_option(label=f"offers@gmail.com ({SALES})")
    expect(text).to_have_text("The offers team")
    text.press_sequentially("Dear Katrin, ")
    page.get_by_label("From").select_option(label=SALES)
    expect(text).to_contain_text("Dear Katrin,")
    expect(page.locator("textarea[name=body]")).to_have_value(re.compile("The offers team"))


def reconnect(page: Page, google: FakeGoogle) -> None:
    """The password changed: the mailbox says so, and goes on after one more sign-in."""
    google.faults.revoke(SALES)
    google.faults.expire_tokens(SALES)
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Mailboxes", exact=True).click()
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator(".mailbox-card")).to_contain_text("The permission was taken back", timeout=30_000)
    page.get_by_role("link", name="Reconnect").click()
    expect(page.locator("h1")).to_have_text(f"Sign in again for {SALES}")
    page.get_by_role("button", name="Go to Google").click()
    allow(page, SALES)
    expect(page.locator("#toasts")).to_contain_text(f"Google lets Postroom into {SALES} again")
    expect(page.locator(".mailbox-card")).to_contain_text("Up to date", timeout=20_000)


def disconnect(page: Page, google: FakeGoogle) -> None:
    """The permission is given back at Google."""
    page.get_by_role("link", name="Disconnect…").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("gives the permission back at Google")
    dialog.get_by_role("button", name="Disconnect", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("is disconnected")
    wait_for(lambda: [one for one in google.requests if one.path == "/revoke" and one.status == 200])
    # Of every grant: one of an earlier sign-in may be given back first.
    wait_for(lambda: not [grant for grant in google.oauth.grants if grant.address == SALES and grant.is_alive])


def sign_in(page: Page, address: str) -> None:
    """Choose the account at Google."""
    page.get_by_role("button", name=address).click()


def allow(page: Page, address: str) -> None:
    sign_in(page, address)
    page.get_by_role("button", name="Continue").click()
