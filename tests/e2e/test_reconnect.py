"""The password of a mailbox changes: it says so, waits with what is to be sent, and goes on after a form with a check.

Issue 5, what a user gets, 5.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.steps import ADDRESS, KATRIN, add_contact, letter, set_up, start_to_connect, wait_for, watch_the_page
from tests.servers.certs import Certificates
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.imap_look import folder_contents
from tests.servers.postfix import Postfix
from tests.up_run import UpRun

OTHER = "billing@example.test"


@pytest.fixture
def dovecot(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    """One whose passwords change."""
    server = Dovecot(servers_folder / "changing", certificates, own_passwords=True).start()
    for address in (ADDRESS, OTHER, KATRIN):
        server.set_password(address, PASSWORD)
    yield server
    server.stop()


@pytest.fixture
def postfix(servers_folder: Path, certificates: Certificates, dovecot: Dovecot) -> Iterator[Postfix]:
    server = Postfix(servers_folder / "changing-postfix", certificates, dovecot).start()
    yield server
    server.stop()


def test_a_mailbox_goes_on_with_its_new_password(
    page: Page, dovecot: Dovecot, postfix: Postfix, postroom: UpRun
) -> None:
    wrong = watch_the_page(page)
    dovecot.deliver(ADDRESS, letter("We need twelve cargo bikes.", "Cargo bikes for Hamburg"))
    dovecot.deliver(OTHER, letter("Nobody's business.", "An invoice", to=OTHER))
    set_up(page, postroom)
    connect(page, dovecot, postfix)
    contact_url = add_contact(page)

    mailbox_url = open_the_mailbox(page)
    look_at_another_tab(page)
    dovecot.set_password(ADDRESS, "a new secret")
    dovecot.sign_out(ADDRESS)
    come_back(page)
    see_what_is_wrong(page)
    write_all_the_same(page, contact_url)
    dovecot.deliver(ADDRESS, letter("By May, if possible.", "Delivery by May"))

    be_refused_with_another_account(page, mailbox_url)
    page.get_by_label("User name").first.fill(ADDRESS)
    page.locator("[name=imap_password]").fill("a new secret")
    page.get_by_role("button", name="Check and connect").click()
    page.wait_for_url("**/settings/mailboxes/", timeout=30_000)
    reconnected = time.monotonic()
    see_it_go_on(page, dovecot, mailbox_url, contact_url)
    assert time.monotonic() - reconnected < 60, "rotating a password does not stop it for more than a minute"
    assert wrong == []


def connect(page: Page, dovecot: Dovecot, postfix: Postfix) -> None:
    start_to_connect(page)
    page.get_by_label("Which address?").fill(ADDRESS)
    page.get_by_role("button", name="Type the servers yourself").click()
    for side, port in (("imap", dovecot.imaps), ("smtp", postfix.submissions)):
        page.locator(f"[name={side}_host]").fill("localhost")
        page.locator(f"[name={side}_port]").fill(str(port))
        page.locator(f"[name={side}_security]").select_option("tls")
    page.locator("[name=imap_username]").fill(ADDRESS)
    page.locator("[name=imap_password]").fill(PASSWORD)
    page.locator("[name=awaits_start]").uncheck()
    page.get_by_role("button", name="Check and connect").click()
    page.wait_for_url("**/settings/mailboxes/", timeout=30_000)
    expect(page.locator(".mailbox-card .import")).to_have_count(0, timeout=30_000)


def open_the_mailbox(page: Page) -> str:
    """Its page, where everything is well; give its address."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Mailboxes", exact=True).click()
    page.get_by_role("link", name=ADDRESS, exact=True).click()
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/$"))
    expect(page.locator(".mailbox-card")).to_contain_text("Accepted")
    return page.url


def look_at_another_tab(page: Page) -> None:
    """The hidden page gives its stream back: a browser keeps six connections to a server, one for each of six tabs."""
    hide = "() => Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })"
    page.evaluate(hide)
    with page.expect_event("requestfailed", lambda request: "/events?" in request.url):
        page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


def come_back(page: Page) -> None:
    page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')) }")


def see_what_is_wrong(page: Page) -> None:
    """The open page says by itself that it needs somebody, to who hears it, too."""
    expect(page.get_by_role("link", name="Reconnect").first).to_be_visible(timeout=30_000)
    expect(page.locator(".mailbox-card")).to_contain_text("Refused")
    expect(page.get_by_role("status").filter(has_text=f"{ADDRESS}: Sign-in Refused")).to_have_count(1)


def write_all_the_same(page: Page, contact_url: str) -> None:
    page.goto(contact_url)
    page.get_by_role("link", name="Write").last.click()
    page.locator("[name=subject]").fill("Our offer")
    page.locator(".ProseMirror").fill("Twelve bikes are 38,400 EUR.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#timeline .submission")).to_contain_text("Our offer")


def be_refused_with_another_account(page: Page, mailbox_url: str) -> None:
    """The settings lead to the form, which knows all but the password; a stranger's mail is not taken for this."""
    page.goto(f"{mailbox_url}settings/")
    page.get_by_role("link", name="Change servers or password").click()
    expect(page.locator("h1")).to_have_text(f"Reconnect {ADDRESS}")
    expect(page.locator("[name=imap_host]")).to_have_value("localhost")
    page.get_by_label("User name").first.fill(OTHER)
    page.locator("[name=imap_password]").fill(PASSWORD)
    page.get_by_role("button", name="Check and connect").click()
    expect(page.locator("#check-verdict")).to_contain_text(
        f"You signed in as {OTHER}, and this mailbox is {ADDRESS}", timeout=30_000
    )


def see_it_go_on(page: Page, dovecot: Dovecot, mailbox_url: str, contact_url: str) -> None:
    """The same mailbox, what arrived meanwhile, and what waited."""
    page.get_by_role("link", name=ADDRESS, exact=True).click()
    assert page.url == mailbox_url
    expect(page.locator(".mailbox-card")).to_contain_text("Up to date", timeout=30_000)
    page.goto(contact_url)
    expect(page.locator("#timeline")).to_contain_text("Delivery by May", timeout=30_000)
    expect(page.locator("#timeline")).to_contain_text("Cargo bikes for Hamburg")
    received = wait_for(lambda: folder_contents(dovecot, KATRIN, "INBOX"), seconds=30)
    assert [one["Subject"] for one in received] == ["Our offer"]
    expect(page.locator("#timeline")).not_to_contain_text("An invoice")
