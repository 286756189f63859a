"""Pictures of every page, light and dark, 1280 and 360 px wide, and what is wrong with the pages. See bin/screenshots.

`python -m tests.e2e.screenshots OUT --base URL` takes them from a server that runs on a database filled by `sample`.
Exit status 1 when a page logs an error (a CSP violation is one), answers a server error or scrolls sideways.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from playwright.sync_api import BrowserContext, Page, sync_playwright

THEMES: Final = ("light", "dark")
WIDTHS: Final = {"1280": (1280, 1000), "360": (360, 740)}
CHROMIUM: Final = "/usr/bin/chromium"
CHARLIE: Final = "charlie@elsewhere.example"
FLAGS: Final = ("--no-sandbox", "--disable-background-networking", "--hide-scrollbars")


@dataclass(frozen=True, slots=True)
class Shot:
    """One page. `opens` is the id of a dialog or pop that is open in the picture."""

    name: str
    path: str
    opens: str = ""
    who: str = "alice@tidewater.example"  # "" for a guest; Charlie's workspace is empty
    waits_for: str = ""
    whole: bool = False  # all of a long page


def shots() -> list[Shot]:
    """Every page of the product. Needs Django and the sample's rows."""
    from postroom.correspondence.models import Message
    from postroom.mailboxes.models import Folder, Journey, Mailbox
    from postroom.records.models import Contact, Deal
    from postroom.workspaces.models import User

    katrin = Contact.objects.get(name="Katrin Voss")
    deal = Deal.objects.get(name__startswith="12 cargo bikes")
    opened = Message.objects.filter(from_name="Katrin Voss", subject__startswith="Re: Offer").latest("at")
    designed = Message.objects.get(subject="Spring at the depot")
    sales = Mailbox.objects.get(address="sales@tidewater.example")
    support = Mailbox.objects.get(address="support@tidewater.example")
    billing = Mailbox.objects.get(address="billing@tidewater.example")
    bob = User.objects.get(email="bob@tidewater.example")
    asking = {folder.held_code: folder for folder in Folder.objects.exclude(held_code="")}
    odd = {message.subject.split()[0]: message.pk for message in Message.objects.exclude(problem="", has_twin=False)}
    contact = f"/contacts/{katrin.pk}/"
    return [
        Shot("login", "/accounts/login/", who=""),
        Shot("home-empty", "/", who=CHARLIE),
        Shot("contacts-empty", "/contacts/", who=CHARLIE),
        Shot("mailboxes-empty", "/settings/mailboxes/", who=CHARLIE),
        Shot("write-without-mailbox", "/write/", who=CHARLIE, waits_for=".ProseMirror"),
        Shot("home", "/"),
        Shot("contacts", "/contacts/"),
        Shot("contacts-none", "/contacts/?q=nobody"),
        Shot("contact-new", "/contacts/new/"),
        Shot("contact-overview", contact),
        Shot("contact-emails", f"{contact}emails/"),
        Shot("contact-thread", f"{contact}emails/?open={opened.pk}", waits_for=".mail-frame"),
        Shot("contact-designed", f"{contact}emails/?open={designed.pk}", waits_for=".mail-frame"),
        Shot("contact-why", f"{contact}emails/?open={opened.pk}", opens="why", waits_for=".mail-frame"),
        Shot("contact-notes", f"{contact}notes/"),
        Shot("contact-details", f"{contact}details/"),
        Shot("contact-delete", contact, opens="delete-record"),
        Shot("contact-history", f"{contact}history/", whole=True),
        Shot("explain", f"/explain/?contact={katrin.pk}&q={katrin.addresses.all()[0].address}", whole=True),
        Shot("mailbox-history", f"/settings/mailboxes/{sales.pk}/history/", whole=True),
        Shot("palette", "/contacts/", opens="palette"),
        Shot("deals", "/deals/"),
        Shot("deal-new", "/deals/new/"),
        Shot("deal-emails", f"/deals/{deal.pk}/emails/"),
        Shot("write", f"/write/?contact={katrin.pk}", waits_for=".ProseMirror"),
        Shot("reply", f"/write/?reply={opened.pk}&all=1&contact={katrin.pk}", waits_for=".ProseMirror"),
        Shot("help-cause", "/help/microsoft_smtp_auth_off/"),
        Shot("settings", "/settings/"),
        Shot("mailboxes", "/settings/mailboxes/"),
        Shot("mailboxes-disconnect", "/settings/mailboxes/", opens=f"disconnect-{sales.pk}"),
        Shot("mailboxes-history", "/settings/mailboxes/", opens=f"history-{sales.pk}"),
        Shot("mailbox-page", f"/settings/mailboxes/{sales.pk}/", whole=True),
        Shot("mailbox-page-importing", f"/settings/mailboxes/{support.pk}/"),
        Shot("mailbox-page-bob", f"/settings/mailboxes/{sales.pk}/", who="bob@tidewater.example"),
        *(
            Shot(f"question-{code}", f"/settings/mailboxes/{folder.mailbox_id}/folders/{folder.pk}/question/")
            for code, folder in asking.items()
        ),
        Shot("unreadable", "/settings/unreadable/"),
        Shot("unreadable-none", "/settings/unreadable/", who=CHARLIE),
        *(Shot(f"odd-{name.lower()}", f"{contact}emails/?open={pk}", whole=True) for name, pk in odd.items()),
        Shot("connect", "/settings/mailboxes/connect/", whole=True),
        Shot("connect-at-google", "/settings/mailboxes/connect/gmail/?address=sales@gmail.com", whole=True),
        Shot("connect-at-microsoft", "/settings/mailboxes/connect/outlook/", whole=True),
        Shot("connect-again", f"/settings/mailboxes/connect/outlook/?mailbox={billing.pk}"),
        Shot("connect-no-app", "/settings/mailboxes/connect/gmail/", who=CHARLIE),
        Shot("stranger", "/settings/mailboxes/connect/gmail/return/?code=x", who=""),
        Shot("approval-thanks", "/settings/mailboxes/connect/outlook/approval/", who=""),
        *(
            Shot(f"journey-{journey.outcome}", f"/settings/mailboxes/journeys/{journey.pk}/", whole=True)
            for journey in Journey.objects.all()
        ),
        Shot("mailbox-page-refused", f"/settings/mailboxes/{billing.pk}/", whole=True),
        Shot("apps", "/settings/apps/"),
        Shot("apps-empty", "/settings/apps/", who=CHARLIE),
        Shot("app-google", "/settings/apps/gmail/", whole=True),
        Shot("app-microsoft", "/settings/apps/outlook/", whole=True),
        Shot("app-removal", "/settings/apps/outlook/", opens="remove-app"),
        Shot("members", "/settings/members/"),
        Shot("members-add", "/settings/members/", opens="add-member"),
        Shot(
            "mailbox-settings",
            f"/settings/mailboxes/{sales.pk}/settings/",
            waits_for=".ProseMirror",
            whole=True,
        ),
        Shot("mailbox-end", f"/settings/mailboxes/{sales.pk}/end/"),
        Shot("member-leaving", f"/settings/members/{bob.pk}/leaving/", whole=True),
        Shot("audit", "/settings/audit/"),
        Shot("tokens", "/settings/tokens/"),
        Shot("password", "/accounts/password/change/"),
        Shot("second-factor", "/accounts/2fa/"),
        Shot("not-found", "/contacts/00000000-0000-0000-0000-000000000000/"),
    ]


def take(base: str, out: Path, password: str, wanted: str = "") -> list[str]:
    """Take all pictures; give what is wrong with the pages, one line each."""
    out.mkdir(parents=True, exist_ok=True)
    pages = [shot for shot in shots() if wanted in shot.name]
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for width, theme in product(WIDTHS, THEMES):
            for who in sorted({shot.who for shot in pages}):
                size = {"width": WIDTHS[width][0], "height": WIDTHS[width][1]}
                context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
                if who:
                    _sign_in(context, base, who, password)
                for shot in (shot for shot in pages if shot.who == who):
                    file = out / f"{shot.name}-{theme}-{width}.png"
                    wrong += [f"{file.stem}: {line}" for line in _take_one(context, base, shot, file)]
                context.close()
        browser.close()
    return wrong


def _take_one(context: BrowserContext, base: str, shot: Shot, file: Path) -> Iterator[str]:
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    answer = page.goto(base + shot.path, wait_until="load")
    if shot.waits_for:
        page.wait_for_selector(shot.waits_for)
    if shot.opens:
        page.evaluate("id => document.dispatchEvent(new CustomEvent('postroom:open', { detail: id }))", shot.opens)
    page.wait_for_timeout(350)
    page.screenshot(path=file, full_page=shot.whole)
    status = answer.status if answer else 0
    if status >= 500:
        yield f"answers {status}"
    yield from (line for line in said if not (status == 404 and "404" in line))
    if _scrolls_sideways(page):
        yield "scrolls sideways"
    page.close()


def _scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def _sign_in(context: BrowserContext, base: str, email: str, password: str) -> None:
    page = context.new_page()
    page.goto(f"{base}/accounts/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.click("button.primary")
    page.wait_for_selector(".sidebar", state="attached")
    page.close()


def main() -> int:
    from tests.cast import PASSWORD

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", required=True)
    parser.add_argument("--only", default="", help="pages whose name holds this")
    options = parser.parse_args()
    wrong = take(options.base, options.out, PASSWORD, options.only)
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    import django

    django.setup()
    sys.exit(main())
