"""Outlook by Microsoft's sign-in page, in Chromium, with real processes: issue 4, what a user does, 1 to 4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.steps import (
    add_contact,
    letter,
    reply_in_the_open_thread,
    set_up,
    start_to_connect,
    wait_for,
    watch_the_page,
)
from tests.fakes.environment import endpoint_variables
from tests.fakes.microsoft import FakeMicrosoft
from tests.fakes.microsoft.registration import TENANT
from tests.servers import free_ports
from tests.up_run import UpRun

ALICE = "alice@tidewater.test"
SUPPORT = "support@tidewater.test"


@pytest.fixture
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        mail = letter("We need twelve cargo bikes.", "Cargo bikes for Hamburg", to=ALICE)
        microsoft.mailbox(ALICE).deliver(mail)
        microsoft.share(SUPPORT, with_=ALICE)
        microsoft.faults.needs_admin_approval = True
        yield microsoft


@pytest.fixture
def postroom(microsoft: FakeMicrosoft, data: Path) -> Iterator[UpRun]:
    """`bin/up` that takes the fake for Microsoft."""
    [port] = free_ports(1)
    run = UpRun(data, port, POSTROOM_POLL_SECONDS="1", **endpoint_variables("MICROSOFT", microsoft.endpoints))
    yield run
    if run.process.poll() is None:
        run.end()


def test_an_outlook_mailbox_with_an_administrators_approval_and_a_shared_one(
    page: Page, browser: Browser, postroom: UpRun, microsoft: FakeMicrosoft
) -> None:
    wrong = watch_the_page(page)
    set_up(page, postroom)
    register(page, microsoft)
    connect(page, browser)
    add_contact(page)
    talk(page, microsoft)
    connect_the_shared_one(page)
    disconnect(page)
    assert wrong == []


def register(page: Page, microsoft: FakeMicrosoft) -> None:
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Apps", exact=True).click()
    page.get_by_role("link", name=re.compile("Set up Outlook")).click()
    expect(page.locator("#approval-address")).to_have_text(re.compile("/connect/outlook/approval/$"))
    page.get_by_label("Client ID").fill(microsoft.client_id)
    page.get_by_label("Client secret").fill(microsoft.client_secret)
    page.get_by_label("Tenant").fill(TENANT)
    page.get_by_role("button", name="Check and save").click()
    expect(page.locator("#toasts")).to_contain_text("Microsoft knows the app")


def connect(page: Page, browser: Browser) -> None:
    """An administrator has to approve: he does in his own browser, and the page that waits goes on by itself."""
    start_to_connect(page)
    page.locator("a.choice", has_text="Outlook").click()
    page.locator("[name=awaits_start]").uncheck()
    page.get_by_role("button", name="Go to Microsoft").click()
    page.get_by_role("button", name=ALICE).click()
    page.get_by_role("button", name=re.compile("Return to the application")).click()
    expect(page.locator("h1")).to_have_text("An administrator has to approve Postroom first")
    link = page.locator("#approval-url").inner_text()
    assert link in page.get_by_label("A letter to send along").input_value()

    administrator = browser.new_page()
    administrator.goto(link)
    administrator.get_by_role("button", name="Accept").click()
    expect(administrator.locator("h1")).to_have_text("Thank you, it is approved")
    administrator.close()

    page.get_by_role("button", name=ALICE).click(timeout=10_000)  # of Microsoft's page: nobody pressed anything here
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/$"))
    expect(page.locator("#toasts")).to_contain_text(f"Microsoft confirmed {ALICE}")
    expect(page.locator(".journal")).to_contain_text("Imported the 1 message.", timeout=30_000)


def talk(page: Page, microsoft: FakeMicrosoft) -> None:
    """New mail on the open page; an answer in the conversation, once in Sent Items."""
    mailbox = microsoft.mailbox(ALICE)
    first = mailbox.messages[0]
    page.get_by_text("Cargo bikes for Hamburg").first.click()
    mailbox.deliver(
        letter("By May, if possible.", "Re: Cargo bikes for Hamburg", to=ALICE, answers=first.internet_message_id)
    )
    expect(page.locator("#thread-messages .message")).to_have_count(2, timeout=25_000)
    reply_in_the_open_thread(page, "May is fine.")
    sent = wait_for(lambda: [one for one in mailbox.messages if mailbox.folders[one.folder].well_known == "sentitems"])
    page.locator("#timeline .submission").wait_for(state="detached", timeout=30_000)
    page.locator("#timeline .event").first.click()
    expect(page.locator("#thread-messages .message")).to_have_count(3, timeout=30_000)
    assert len(sent) == len(mailbox.submitted) == 1
    assert sent[0].conversation == first.conversation


def connect_the_shared_one(page: Page) -> None:
    """A shared mailbox is opened by who may, with his own sign-in."""
    start_to_connect(page)
    page.locator("a.choice", has_text="Outlook").click()
    page.get_by_label("Which address?").fill(SUPPORT)
    expect(page.get_by_label("You sign in as")).to_be_hidden()
    page.get_by_role("checkbox", name=re.compile("it is a shared mailbox")).check()
    page.get_by_label("You sign in as").fill(ALICE)
    page.locator("[name=awaits_start]").uncheck()
    page.get_by_role("button", name="Go to Microsoft").click()
    page.get_by_role("button", name=ALICE).click()
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/$"))
    expect(page.locator("h1")).to_have_text(SUPPORT)
    expect(page.locator(".page-head")).to_contain_text(f"signed in as {ALICE}")


def disconnect(page: Page) -> None:
    """Microsoft has no call that ends a permission; the dialog says so."""
    page.get_by_role("link", name="Disconnect…").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("you may also take the permission back there")
    dialog.get_by_role("button", name="Disconnect", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("is disconnected")
