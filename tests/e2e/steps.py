"""What several journeys begin with, and what a customer's mail program writes."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.up_run import UpRun

ADDRESS = "sales@example.test"
KATRIN = "katrin.voss@customer.test"
PASSWORD = "correct horse battery staple"


def letter(text: str, subject: str, *, to: str = ADDRESS, answers: str = "", days_ago: float = 0) -> bytes:
    """A customer's message, as another mail client writes it."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = f"Katrin Voss <{KATRIN}>", to, subject
    message["Date"] = format_datetime(datetime.now(UTC) - timedelta(days=days_ago))
    message["Message-ID"] = make_msgid(domain="customer.test")
    if answers:
        message["In-Reply-To"] = message["References"] = answers
    message.set_content(text)
    message.add_alternative(
        f"<p>{text}</p><img src='https://tracker.customer.test/pixel.gif'><script>document.title='hacked'</script>",
        subtype="html",
    )
    message.add_attachment(b"%PDF-1.4 plan", maintype="application", subtype="pdf", filename="Site plan.pdf")
    return message.as_bytes()


def set_up(page: Page, postroom: UpRun) -> None:
    page.goto(postroom.wait_for_setup_link())
    page.get_by_label("Workspace").fill("Tidewater Bikes")
    page.get_by_label("Your name").fill("Alice Moreau")
    page.get_by_label(re.compile("e-mail", re.I)).fill("alice@example.test")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the workspace").click()
    expect(page.get_by_role("link", name=re.compile("Connect", re.I)).first).to_be_visible()


def add_contact(page: Page) -> str:
    page.get_by_role("link", name="Contacts", exact=True).first.click()
    page.get_by_role("link", name=re.compile("contact", re.I)).last.click()
    page.get_by_label("Name").fill("Katrin Voss")
    page.get_by_label(re.compile("address", re.I)).first.fill(KATRIN)
    page.get_by_role("button", name="Add the contact").click()
    page.wait_for_url(re.compile(r"/contacts/[0-9a-f-]{36}/"))
    expect(page.locator("#timeline")).to_contain_text("Cargo bikes for Hamburg", timeout=20_000)
    return page.url


def wait_for(look: object, seconds: float = 20) -> list:  # type: ignore[type-arg]
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):  # type: ignore[operator]
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def start_to_connect(page: Page) -> None:
    """To the page with the three ways."""
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("link", name="Mailboxes", exact=True).click()
    page.get_by_role("link", name="Connect a mailbox").first.click()


def reply_in_the_open_thread(page: Page, text: str) -> None:
    page.locator("[data-reply]").click()
    page.locator(".ProseMirror").fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#timeline")).to_be_visible()


def watch_the_page(page: Page) -> list[str]:
    """What goes wrong in the browser from now on. A form that was refused (4xx) is told on its page and no error."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if _is_wrong(said) else None)
    return wrong


def _is_wrong(said: ConsoleMessage) -> bool:
    return said.type == "error" and not said.text.startswith(
        "Failed to load resource: the server responded with a status of 4"
    )
