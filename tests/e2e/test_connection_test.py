"""One button proves a connection: the message ticks its way through Postfix and Dovecot to the contact, and back.

Issue 5, what a user gets, 3. The customer answers with another mail client.
"""

from __future__ import annotations

import imaplib
import re
import subprocess
import sys

from playwright.sync_api import Locator, Page, expect

from tests.e2e.steps import letter, set_up, wait_for, watch_the_page
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.imap_look import folder_contents
from tests.servers.postfix import Postfix
from tests.up_run import UpRun

PROVEN = "proven@example.test"
MIA = "mia.lund@customer.test"
NOWHERE = "mia@nowhere.test"  # Postfix knows no way there (tests/servers/postfix.py)


def test_a_connection_is_proven_step_by_step(page: Page, postroom: UpRun, dovecot: Dovecot, postfix: Postfix) -> None:
    wrong = watch_the_page(page)
    set_up(page, postroom)
    connect(postroom, dovecot, postfix)
    write_to_itself(page, dovecot)
    write_to_a_contact(page, dovecot)
    be_told_why_it_stops(page)
    find_on_the_servers_what_is_missed(page, dovecot)
    assert wrong == []


def connect(postroom: UpRun, dovecot: Dovecot, postfix: Postfix) -> None:
    servers = [f"--imap-port={dovecot.imaps}", f"--smtp-port={postfix.submissions}"]
    servers += ["--imap-host=localhost", "--smtp-host=localhost"]
    command = ["mailbox", "connect", "--address", PROVEN, "--password-stdin", *servers]
    subprocess.run(
        [sys.executable, "-m", "postroom.ops.cli", *command],
        input=f"{PASSWORD}\n",
        text=True,
        check=True,
        env=postroom.environment,
    )


def steps(page: Page) -> Locator:
    return page.locator("#test .check-list li")


def write_to_itself(page: Page, dovecot: Dovecot) -> None:
    """The sign-in was accepted, and that proves nothing yet; one button later it does."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Mailboxes", exact=True).click()
    expect(page.locator(".mailbox-card")).to_contain_text("Not tested yet", timeout=20_000)
    page.get_by_role("link", name="Not tested yet").click()
    page.get_by_role("button", name="Test the connection").click()
    expect(steps(page)).to_have_count(4)
    expect(page.locator("#test .state")).to_have_text("Passed", timeout=25_000)
    expect(steps(page).nth(3)).to_contain_text("Back in the mailbox, in Inbox")
    expect(page.locator("#test .took", has_text=re.compile(r"after \d"))).to_have_count(4)
    [arrived] = folder_contents(dovecot, PROVEN, "INBOX")
    assert arrived["X-Postroom-Test"] and arrived["Subject"] == "Test message from Tidewater Bikes"
    page.get_by_role("link", name="Mailboxes", exact=True).last.click()
    expect(page.locator(".mailbox-card .badge.ok")).to_have_text("Ready")


def write_to_a_contact(page: Page, dovecot: Dovecot) -> None:
    """What will be sent is shown before; then the contact's page ticks, and the answer is the last step."""
    page.get_by_role("link", name="Contacts", exact=True).first.click()
    page.get_by_role("link", name=re.compile("contact", re.I)).last.click()
    page.get_by_label("Name").fill("Mia Lund")
    page.get_by_label(re.compile("address", re.I)).first.fill(f"{MIA}\n{NOWHERE}")
    page.get_by_role("button", name="Add the contact").click()
    page.get_by_role("button", name="More for Mia Lund").click()
    page.get_by_role("link", name="Send a test message…").click()
    expect(page.locator("main")).to_contain_text("this is a test: Alice Moreau is making sure")
    page.get_by_role("button", name="Send the test message").click()
    expect(steps(page).nth(3)).to_contain_text("On Mia Lund")
    expect(page.locator("#test .state")).to_have_text("Passed", timeout=25_000)
    [received] = wait_for(lambda: folder_contents(dovecot, MIA, "INBOX"))
    answer = letter("It reached me.", "Re: Test", to=PROVEN, answers=str(received["Message-ID"]))
    dovecot.deliver(PROVEN, answer.replace(b"katrin.voss@customer.test", MIA.encode()))
    expect(steps(page).nth(4)).to_contain_text("Answered, on the same record", timeout=15_000)
    expect(page.locator("#test .verdict")).to_have_count(0)


def be_told_why_it_stops(page: Page) -> None:
    """The outgoing server knows no way to the contact's other address: where it stopped, why, who can act."""
    page.get_by_role("button", name="More for Mia Lund").click()
    page.get_by_role("link", name="Send a test message…").click()
    page.get_by_label("To").select_option(NOWHERE)
    page.get_by_role("button", name="Send the test message").click()
    expect(page.locator("#test .check-list .failed")).to_contain_text("Accepted by the outgoing server")
    verdict = page.locator("#test .verdict")
    expect(verdict).to_contain_text("The recipients were refused")
    expect(verdict).to_contain_text("Who can fix it: you")
    verdict.locator("summary").click()
    expect(verdict.locator(".server-words")).to_contain_text("5.4.4")
    with page.expect_popup() as help_page:
        verdict.get_by_role("link", name="More about this").click()
    expect(help_page.value.locator("main")).to_contain_text("The recipients were refused")


def find_on_the_servers_what_is_missed(page: Page, dovecot: Dovecot) -> None:
    """What the mail server took for spam is not read; a look on the servers finds it, folder by folder."""
    with imaplib.IMAP4("127.0.0.1", dovecot.imap) as client:
        client.login(PROVEN, PASSWORD)
        client.append("Junk", "", None, letter("Nobody saw this.", "Lost offer", to=PROVEN))
    page.get_by_role("link", name="Mia Lund").first.click()
    page.locator("details.coverage summary").click()
    page.get_by_role("link", name="Why is history incomplete?").click()
    page.get_by_label(re.compile("Miss a certain message")).fill("lost offer")
    page.get_by_role("button", name="Look", exact=True).click()
    page.get_by_role("button", name="Look in all folders on the servers").click()
    expect(page.locator("#look-verdict")).to_contain_text("It is among the spam, in Junk of", timeout=20_000)
    expect(page.locator("#look-mailboxes .state.ok")).to_contain_text("folders searched")
