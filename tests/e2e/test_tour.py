"""The tour of the first release: from an empty machine to a customer's reply on the open page.

Dovecot and Postfix are real, and the customer writes with another mail client.
"""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.e2e.steps import ADDRESS, KATRIN, add_contact, letter, set_up, wait_for
from tests.servers.dovecot import Dovecot
from tests.servers.imap_look import folder_contents
from tests.servers.postfix import Postfix
from tests.up_run import UpRun


def test_a_mailbox_is_connected_and_a_conversation_stays_on_its_contact(
    page: Page, postroom: UpRun, dovecot: Dovecot, postfix: Postfix
) -> None:
    dovecot.empty(ADDRESS)
    dovecot.deliver(ADDRESS, letter("We need twelve cargo bikes.", "Cargo bikes for Hamburg", days_ago=2))
    postroom.wait_for_address()
    set_up(page, postroom)
    connect(page, dovecot, postfix, wrong_password=True)
    contact_url = add_contact(page)
    read_the_first_message(page)
    message_id = write_from_the_contact(page, dovecot, contact_url)
    see_the_reply_arrive(page, dovecot, message_id)
    keep_the_conversation_on_a_deal(page, dovecot)
    follow_the_mailbox(page, dovecot)


def connect(page: Page, dovecot: Dovecot, postfix: Postfix, *, wrong_password: bool) -> None:
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Mailboxes", exact=True).click()
    page.get_by_role("link", name="Connect a mailbox").first.click()
    page.get_by_label("Which address?").fill(ADDRESS)
    page.get_by_role("button", name="Type the servers yourself").click()
    for side, port in (("imap", dovecot.imaps), ("smtp", postfix.submissions)):
        page.locator(f"[name={side}_host]").fill("localhost")
        page.locator(f"[name={side}_port]").fill(str(port))
        page.locator(f"[name={side}_security]").select_option("tls")
    page.locator("[name=imap_username]").fill(ADDRESS)
    page.locator("[name=display_name]").fill("Tidewater Bikes")
    if wrong_password:
        page.locator("[name=imap_password]").fill("not the password")
        page.get_by_role("button", name="Check and connect").click()
        expect(page.locator(".verdict").first).to_be_visible(timeout=20_000)
        expect(page.locator(".check-list .failed").first).to_be_visible()
        expect(page.locator("[name=imap_host]")).to_have_value("localhost")
    page.locator("[name=imap_password]").fill("pass")
    page.get_by_role("button", name="Check and connect").click()
    see_what_would_come(page)
    page.get_by_role("button", name="Begin the import").click()
    expect(page.locator("h1")).to_have_text(ADDRESS)
    page.get_by_role("link", name="Mailboxes", exact=True).first.click()
    expect(page.locator(".mailbox-card")).to_contain_text(ADDRESS)
    expect(page.locator(".mailbox-card .import")).to_have_count(0, timeout=30_000)


def see_what_would_come(page: Page) -> None:
    """Before anything is imported: the one message is there, and its sender is nobody that is known yet."""
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/preview/$"), timeout=30_000)
    expect(page.locator("#preview-counts")).to_contain_text("1 of 1 message would come", timeout=30_000)
    expect(page.locator("[data-count=known]")).to_have_text("0")
    expect(page.locator("[data-count=unknown]")).to_have_text("1")


def read_the_first_message(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_text("Cargo bikes for Hamburg").first.click()
    frame = page.frame_locator("iframe.mail-frame")
    expect(frame.get_by_text("We need twelve cargo bikes.")).to_be_visible()
    expect(page).to_have_title(re.compile("Katrin Voss"))
    expect(page.get_by_text("remote image")).to_be_visible()
    assert not [url for url in requests if "tracker" in url]
    page.get_by_role("button", name="Why is this here?").click()
    expect(page.locator("#why")).to_contain_text(KATRIN)
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Site plan.pdf")).click()
    assert download.value.suggested_filename == "Site plan.pdf"


def write_from_the_contact(page: Page, dovecot: Dovecot, contact_url: str) -> str:
    """Write to the contact; return the Message-ID as Sent has it."""
    page.goto(contact_url)
    page.get_by_role("link", name="Write").last.click()
    expect(page.locator("[data-from-reason]")).not_to_be_empty()
    expect(page.locator("[name=to]")).to_have_value(re.compile(KATRIN))
    page.locator("[name=subject]").fill("Our offer")
    # The rich editor, by the name it takes from its textarea: the textarea itself has that name until it is there.
    text = page.locator(".ProseMirror").and_(page.get_by_role("textbox", name="Message", exact=True))
    text.fill("Dear Katrin, twelve bikes are 38,400 EUR.")
    page.locator("[name=attachments]").set_input_files(
        {"name": "Offer.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 offer"}
    )
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#timeline")).to_contain_text("Our offer")
    sent = wait_for(lambda: [one for one in folder_contents(dovecot, ADDRESS, "Sent") if one["Subject"] == "Our offer"])
    received = wait_for(lambda: folder_contents(dovecot, KATRIN, "INBOX"))
    assert [one["Message-ID"] for one in received] == [sent[0]["Message-ID"]]
    assert received[0]["From"].addresses[0].addr_spec == ADDRESS
    expect(page.locator("#timeline .submission")).to_have_count(0, timeout=20_000)
    time.sleep(5)  # a second copy would be here by now
    copies = [one for one in folder_contents(dovecot, ADDRESS, "Sent") if one["Subject"] == "Our offer"]
    assert len(copies) == 1, "the Sent folder has it once"
    return str(sent[0]["Message-ID"])


def see_the_reply_arrive(page: Page, dovecot: Dovecot, message_id: str) -> None:
    page.get_by_text("Our offer").first.click()
    expect(page.locator("#thread-messages .message")).to_have_count(1)
    dovecot.deliver(ADDRESS, letter("We take them.", "Re: Our offer", answers=message_id))
    # Long before any poll, by itself. How soon, bench/arrival measures.
    expect(page.locator("#thread-messages .message")).to_have_count(2)
    expect(page.frame_locator("iframe.mail-frame").last.get_by_text("We take them.")).to_be_visible()


def keep_the_conversation_on_a_deal(page: Page, dovecot: Dovecot) -> None:
    page.get_by_role("link", name="Deals", exact=True).first.click()
    page.get_by_role("link", name="Deal", exact=True).click()
    page.get_by_label("What is the deal about?").fill("12 cargo bikes")
    page.get_by_role("checkbox", name="Katrin Voss").check()
    page.get_by_role("button", name="Add the deal").click()
    page.wait_for_url(re.compile(r"/deals/[0-9a-f-]{36}/"))
    page.get_by_role("link", name="Write").last.click()
    page.locator("[name=subject]").fill("Contract")
    page.locator(".ProseMirror").fill("Here is the contract.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#timeline")).to_contain_text("Contract")
    sent = wait_for(lambda: [one for one in folder_contents(dovecot, ADDRESS, "Sent") if one["Subject"] == "Contract"])
    dovecot.deliver(ADDRESS, letter("Signed.", "Re: Contract", answers=str(sent[0]["Message-ID"])))
    expect(page.locator("#timeline")).to_contain_text("Re: Contract", timeout=5_000)
    page.get_by_role("link", name="Contacts", exact=True).first.click()
    page.get_by_role("link", name="Katrin Voss").first.click()
    expect(page.locator("#timeline")).to_contain_text("Re: Contract")


def follow_the_mailbox(page: Page, dovecot: Dovecot) -> None:
    """Its page says what was done, while it is done; a folder that is turned off is read no more; a pause holds."""
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Mailboxes", exact=True).click()
    page.get_by_role("link", name=ADDRESS, exact=True).click()
    done = page.locator(".journal")
    expect(done).to_contain_text("Connected to localhost.")
    expect(done).to_contain_text("Imported the 1 message.")
    before = done.get_by_text("1 new message in Inbox, on a record.").count()
    dovecot.deliver(ADDRESS, letter("One more thing.", "Re: Contract"))
    expect(done.get_by_text("1 new message in Inbox, on a record.")).to_have_count(before + 1, timeout=5_000)
    page.get_by_role("checkbox", name="Sent").uncheck()
    page.get_by_role("button", name="Save the choice").click()
    expect(page.locator("#toasts")).to_contain_text("Messages that are already on records stay.")
    expect(done).to_contain_text("Alice Moreau left 1 folder out.")
    expect(page.get_by_role("checkbox", name="Sent")).not_to_be_checked()
    page.get_by_role("button", name="Pause").first.click()
    expect(page.locator(".mailbox-card")).to_contain_text("Paused")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".mailbox-card")).to_contain_text("Up to date", timeout=10_000)
