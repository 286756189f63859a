"""The same way past a public emulator's sign-in page (emulate), which nobody of us wrote: register, sign in, read."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.contract.emulated_gmail_place import Door
from tests.e2e.steps import KATRIN, add_contact, set_up, start_to_connect, watch_the_page
from tests.fakes.environment import endpoint_variables
from tests.servers import free_ports
from tests.servers.emulate import CLIENT_ID, CLIENT_SECRET, Emulator
from tests.up_run import UpRun


@dataclass(frozen=True, slots=True)
class World:
    postroom: UpRun
    address: str


@pytest.fixture
def world(servers_folder: Path, data: Path) -> Iterator[World]:
    """`bin/up`, and an emulated Google that sends people back to it."""
    [port] = free_ports(1)
    back = f"http://localhost:{port}/settings/mailboxes/connect/gmail/return/"
    google = Emulator(servers_folder / "emulated-sign-in", "emulate", "google", redirect_uris=(back,)).start()
    try:
        address = google.person()
        put_a_letter(google, address)
        with Door(google) as door:
            endpoints = replace(google.endpoints, api=door.url)
            run = UpRun(data, port, POSTROOM_POLL_SECONDS="1", **endpoint_variables("GOOGLE", endpoints))
            yield World(run, address)
            sys.stdout.write(run.logs())
            run.end()
    finally:
        google.stop()


def put_a_letter(google: Emulator, address: str) -> None:
    """Insert a message as its API does, which keeps what a sender wrote."""
    raw = (
        f"From: Katrin Voss <{KATRIN}>\r\nTo: {address}\r\nSubject: Cargo bikes for Hamburg\r\n"
        f"Date: {formatdate()}\r\nMessage-ID: <first@customer.test>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        "We need twelve cargo bikes.\r\n"
    )
    httpx.post(
        f"{google.url}/gmail/v1/users/me/messages",
        headers={"Authorization": f"Bearer {google.token_for(address)}"},
        json={"raw": _raw(raw), "labelIds": ["INBOX"]},
    ).raise_for_status()


def _raw(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_a_mailbox_is_connected_past_a_sign_in_page_that_is_not_ours(page: Page, world: World) -> None:
    wrong = watch_the_page(page)
    set_up(page, world.postroom)
    page.goto(f"{world.postroom.wait_for_address()}/settings/apps/gmail/")
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Check and save").click()
    expect(page.locator("#toasts")).to_contain_text("Google knows the app")
    start_to_connect(page)
    page.locator("a.choice", has_text="Gmail").click()
    page.locator("[name=awaits_start]").uncheck()
    page.get_by_role("button", name="Go to Google").click()
    page.get_by_role("button", name=re.compile(re.escape(world.address))).click()
    page.wait_for_url(re.compile(r"/settings/mailboxes/[0-9a-f-]{36}/$"))
    expect(page.locator("#toasts")).to_contain_text(f"Google confirmed {world.address}")
    add_contact(page)
    assert wrong == []
