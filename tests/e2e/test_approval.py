"""A member may not connect a mailbox by himself: he asks, an administrator decides, and he sees first what would come.

Dovecot and Postfix are real; administrator and member have a browser each.
"""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.e2e.steps import ADDRESS, KATRIN, PASSWORD, letter, set_up, start_to_connect, watch_the_page
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.up_run import UpRun

BOB = "bob@example.test"


def test_a_member_asks_is_allowed_and_says_yes_to_what_would_come(
    page: Page, browser: Browser, postroom: UpRun, dovecot: Dovecot, postfix: Postfix
) -> None:
    dovecot.deliver(ADDRESS, letter("We need twelve cargo bikes.", "Cargo bikes for Hamburg", days_ago=2))
    dovecot.deliver(ADDRESS, letter("By May, if possible.", "Delivery by May", days_ago=1))
    address = postroom.wait_for_address()
    wrong = watch_the_page(page)
    set_up(page, postroom)
    add_katrin(page)
    add_bob(page)
    keep_the_rule(page)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    his = context.new_page()
    wrong_his = watch_the_page(his)
    sign_in(his, address)
    ask(his)
    grant(page)
    expect(his.get_by_role("link", name="Connect it now")).to_be_visible()  # by itself, on the open page
    his.get_by_role("link", name="Connect it now").click()
    expect(his.get_by_label("Which address?")).to_have_value(ADDRESS)
    expect(his.locator("#looks")).to_contain_text("Where we looked")  # without being asked once more
    type_the_servers(his, dovecot, postfix)
    say_yes(his)
    see_who_sees_it(page, his)
    context.close()
    assert wrong == wrong_his == []


def add_katrin(page: Page) -> None:
    page.get_by_role("link", name="Contacts", exact=True).first.click()
    page.get_by_role("link", name=re.compile("contact", re.I)).last.click()
    page.get_by_label("Name").fill("Katrin Voss")
    page.get_by_label(re.compile("address", re.I)).first.fill(KATRIN)
    page.get_by_role("button", name="Add the contact").click()
    page.wait_for_url(re.compile(r"/contacts/[0-9a-f-]{36}/"))


def add_bob(page: Page) -> None:
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Members", exact=True).first.click()
    page.get_by_role("button", name="Add a member").click()
    sheet = page.locator("#add-member")
    sheet.get_by_label("Name").fill("Bob Lindqvist")
    sheet.get_by_label(re.compile("e-mail", re.I)).fill(BOB)
    sheet.get_by_label("Password").fill(PASSWORD)
    sheet.get_by_role("button", name="Add the member").click()
    expect(page.locator("#toasts")).to_contain_text("Bob Lindqvist is a member")


def keep_the_rule(page: Page) -> None:
    page.get_by_role("link", name="Approvals", exact=True).click()
    page.get_by_label("IMAP and SMTP").select_option(label="Members ask first")
    page.get_by_role("button", name="Keep the rules").click()
    expect(page.locator("#toasts")).to_contain_text("The rules are kept")
    expect(page.locator("#approval-requests")).to_contain_text("Nobody waits for a decision")


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/")
    page.locator("[name=login]").fill(BOB)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign in", re.I)).first.click()


def ask(page: Page) -> None:
    """He is told before he has typed any password, and the way to ask stands there."""
    start_to_connect(page)
    page.get_by_label("Which address?").fill(ADDRESS)
    page.get_by_role("button", name="Type the servers yourself").click()
    expect(page.locator("[data-refusal=connect_needs_approval]")).to_be_visible(timeout=20_000)
    expect(page.locator("[name=imap_password]")).to_have_count(0)
    page.get_by_role("link", name="Ask for approval").click()
    expect(page.get_by_label("Which address?")).to_have_value(ADDRESS)
    page.get_by_label("Why you need it").fill("My customers write there.")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.locator("#approval-requests")).to_contain_text("Withdraw")


def type_the_servers(page: Page, dovecot: Dovecot, postfix: Postfix) -> None:
    """Nothing was found for the address, so the page asks for them."""
    for side, port in (("imap", dovecot.imaps), ("smtp", postfix.submissions)):
        page.locator(f"[name={side}_host]").fill("localhost")
        page.locator(f"[name={side}_port]").fill(str(port))
        page.locator(f"[name={side}_security]").select_option("tls")
    expect(page.locator("[name=kind][value=personal]")).to_be_checked()  # as it was allowed
    page.locator("[name=imap_username]").fill(ADDRESS)
    page.locator("[name=imap_password]").fill("pass")
    page.get_by_role("button", name="Check and connect").click()


def grant(page: Page) -> None:
    """The request comes to the open page, with its number in the navigation."""
    request = page.locator("#approval-requests article")
    expect(request).to_contain_text(ADDRESS)
    expect(request).to_contain_text("Bob Lindqvist asked")
    expect(request).to_contain_text("My customers write there.")
    expect(page.locator("#approvals-waiting")).to_contain_text("1")
    request.get_by_role("button", name="Grant").click()
    expect(page.locator("#toasts")).to_contain_text(f"Bob Lindqvist may connect {ADDRESS} now")


def say_yes(page: Page) -> None:
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/preview/$"), timeout=30_000)
    expect(page.locator("#preview-counts")).to_contain_text("2 of 2 messages would come", timeout=30_000)
    expect(page.locator("[data-count=known]")).to_have_text("2")
    page.locator("#preview-counts summary").click()
    expect(page.locator("#preview-counts")).to_contain_text("Katrin Voss")
    expect(page.get_by_role("row", name="Your one colleague")).to_contain_text("Nothing.")
    page.get_by_role("button", name="Begin the import").click()
    expect(page.locator("h1")).to_have_text(ADDRESS)
    expect(page.locator(".journal")).to_contain_text("Imported all 2 messages", timeout=30_000)


def see_who_sees_it(page: Page, his: Page) -> None:
    """As the page before the import said: he sees his mail on the contact, a colleague nothing of it."""
    for one in (page, his):
        one.get_by_role("link", name="Contacts", exact=True).first.click()
        one.get_by_role("link", name="Katrin Voss").first.click()
    expect(his.locator("#timeline")).to_contain_text("Delivery by May")
    expect(page.locator("#timeline")).to_contain_text("No mail with Katrin Voss yet")
    page.goto(page.url.partition("/contacts/")[0] + "/settings/approvals/")
    expect(page.locator("#approval-requests table")).to_contain_text("Connected")
