"""Journey 1: somebody knows an address and a password, and nothing else.

The domain says on its website which servers it has (dnsmasq leads there); Dovecot and Postfix are real.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.steps import PASSWORD, set_up, start_to_connect, watch_the_page
from tests.servers import free_ports
from tests.servers.certs import Certificates
from tests.servers.dns import Dnsmasq
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.settings_site import OWN, SettingsSite, settings_file
from tests.up_run import UpRun

ADDRESS = "office@example.test"


@pytest.fixture
def postroom(
    certificates: Certificates,
    dovecot: Dovecot,
    postfix: Postfix,
    dnsmasq: Dnsmasq,
    website: SettingsSite,
    data: Path,
) -> Iterator[UpRun]:
    """`bin/up` for which the internet is the zones of tests/servers/dns.py."""
    file = settings_file(f"imap.example.test:{dovecot.imaps}", f"smtp.example.test:{postfix.submissions}")
    website.put("autoconfig.example.test", OWN, file)
    [port] = free_ports(1)
    run = UpRun(
        data,
        port,
        POSTROOM_ALLOWED_NETWORKS="127.0.0.0/8",
        POSTROOM_CA_FILE=str(certificates.ca_file),
        POSTROOM_NAME_SERVER=f"127.0.0.1:{dnsmasq.port}",
        POSTROOM_AUTOCONFIG_PORT=str(website.port),
    )
    yield run
    if run.process.poll() is None:
        run.end()


def test_a_mailbox_is_connected_by_its_address_alone(page: Page, browser: Browser, postroom: UpRun) -> None:
    base = postroom.wait_for_address()
    set_up(page, postroom)
    wrong = watch_the_page(page)
    start_to_connect(page)
    nothing_is_known_of_a_domain(page)
    an_address_with_a_sign_in_page_gets_its_button(page)
    the_settings_are_found(page)
    without_script_they_are_found_too(page, browser, base)
    a_session_that_ended_meanwhile_is_begun_anew(page, base)
    a_wrong_password_is_explained(page)
    two_accounts_are_warned_about(page)
    the_mailbox_is_connected(page)
    assert wrong == []


def find(page: Page, address: str) -> None:
    page.get_by_label("Which address?").fill(address)
    page.get_by_role("button", name="Find the settings").click()


def nothing_is_known_of_a_domain(page: Page) -> None:
    find(page, "sales@nobody-knows.test")
    expect(page.locator("#settings")).to_contain_text(
        "We found no settings for sales@nobody-knows.test", timeout=20_000
    )
    expect(page.locator("#looks-list")).to_contain_text("service records (DNS, SRV)")
    expect(page.locator("[name=imap_host]")).to_be_visible()


def an_address_with_a_sign_in_page_gets_its_button(page: Page) -> None:
    find(page, "somebody@viagoogle.test")
    expect(page.locator("#settings")).to_contain_text("somebody@viagoogle.test is at Google", timeout=20_000)
    expect(page.locator("#settings")).to_contain_text("from where the domain's mail goes (DNS, MX)")
    expect(page.locator("#settings")).to_contain_text("Gmail is not set up in this workspace yet")
    expect(page.locator("[name=imap_password]")).not_to_be_visible()


def the_settings_are_found(page: Page) -> None:
    find(page, ADDRESS)
    found = page.get_by_role("table", name="Settings we found")
    expect(found).to_contain_text("imap.example.test", timeout=20_000)
    expect(found).to_contain_text("from the domain's own settings file")
    expect(page.locator("[name=imap_host]")).not_to_be_visible()
    expect(page.locator("[name=imap_host]")).to_have_value("imap.example.test")
    expect(page.get_by_role("heading", name="Settings we found")).to_be_focused()  # the keyboard goes on from there


def without_script_they_are_found_too(page: Page, browser: Browser, base: str) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{base}/settings/mailboxes/connect/")
    find(plain, ADDRESS)
    expect(plain.get_by_role("table", name="Settings we found")).to_contain_text("imap.example.test", timeout=20_000)
    expect(plain.get_by_label("Password", exact=True)).to_be_visible()
    context.close()


def a_session_that_ended_meanwhile_is_begun_anew(page: Page, base: str) -> None:
    """What was typed stays, and the first page goes on once somebody has signed in in another tab."""
    page.get_by_label("Password", exact=True).fill("not the password")
    page.context.clear_cookies()
    page.get_by_role("button", name="Check and connect").press("Enter")
    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="sign in in another tab").click()
    sign_in_page = opened.value
    sign_in_page.locator("[name=login]").fill("alice@example.test")
    sign_in_page.locator("[name=password]").fill(PASSWORD)
    sign_in_page.get_by_role("button", name="Sign in").click()
    sign_in_page.wait_for_url(f"{base}/settings/mailboxes/connect/")
    sign_in_page.close()


def a_wrong_password_is_explained(page: Page) -> None:
    page.get_by_role("button", name="Check and connect").press("Enter")
    expect(page.locator(".verdict").first).to_contain_text("refused", timeout=20_000)
    expect(page.locator(".verdict").first).to_contain_text("office@example.test and office")  # both forms were tried
    expect(page.get_by_role("button", name="Check and connect")).to_be_focused()


def two_accounts_are_warned_about(page: Page) -> None:
    page.get_by_text("Change the settings").click()
    page.locator("[name=imap_username]").fill("billing@example.test")
    page.get_by_label("Same user name and password").uncheck()
    page.locator("[name=smtp_username]").fill(ADDRESS)
    page.locator("[name=smtp_password]").fill("pass")
    page.locator("[name=imap_password]").fill("pass")
    page.get_by_role("button", name="Check and connect").click()
    warned = page.locator("#check-verdict")
    expect(warned).to_contain_text("Receiving and sending belong to two accounts", timeout=20_000)
    expect(page.get_by_role("button", name="Connect anyway")).to_be_visible()
    page.locator("[name=imap_username]").fill(ADDRESS)
    page.get_by_label("Same user name and password").check()


def the_mailbox_is_connected(page: Page) -> None:
    page.get_by_label("Show me first what would come").uncheck()
    page.get_by_role("button", name="Check and connect").click()
    page.wait_for_url("**/settings/mailboxes/", timeout=30_000)
    expect(page.locator(".mailbox-card")).to_contain_text(ADDRESS)
