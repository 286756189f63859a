"""What the screenshots picture: every page of the product, and what is done on it before the picture is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from playwright.sync_api import Page, expect

from postroom.correspondence.models import Message
from postroom.mailboxes.models import Folder, Journey, Mailbox
from postroom.outbox.models import ConnectionTest
from postroom.records.models import Contact, Deal
from postroom.workspaces.models import User

ALICE: Final = "alice@tidewater.example"
BOB: Final = "bob@tidewater.example"
CHARLIE: Final = "charlie@elsewhere.example"
OFFICE: Final = "office@example.test"  # nobody has connected it; its domain says which servers it has
_PATIENCE: Final = 20_000.0  # milliseconds


@dataclass(frozen=True, slots=True)
class Shot:
    """One page. `opens` is the id of a dialog or pop that is open in the picture, `acts` what is done before it."""

    name: str
    path: str
    opens: str = ""
    who: str = ALICE  # "" for a guest; Charlie's workspace is empty
    waits_for: str = ""
    whole: bool = False  # all of a long page
    acts: Callable[[Page], None] | None = None
    docs: str = ""  # the name in docs/images of a picture of its `part` alone
    part: str = ".focus-page"


def shots() -> list[Shot]:
    """Every page of the product, in the order of a visit. Needs the sample's rows."""
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
        Shot("contact-emails", f"{contact}emails/", whole=True),
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
        Shot("mailbox-page-bob", f"/settings/mailboxes/{sales.pk}/", who=BOB),
        *(
            Shot(f"question-{code}", f"/settings/mailboxes/{folder.mailbox_id}/folders/{folder.pk}/question/")
            for code, folder in asking.items()
        ),
        Shot("unreadable", "/settings/unreadable/"),
        Shot("unreadable-none", "/settings/unreadable/", who=CHARLIE),
        *(Shot(f"odd-{name.lower()}", f"{contact}emails/?open={pk}", whole=True) for name, pk in odd.items()),
        *_connecting(),
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
        *_proving(sales, katrin.pk),
        Shot("mailbox-end", f"/settings/mailboxes/{sales.pk}/end/"),
        Shot("member-leaving", f"/settings/members/{bob.pk}/leaving/", whole=True),
        Shot("audit", "/settings/audit/", whole=True),
        Shot("approvals", "/settings/approvals/", whole=True),
        Shot("approvals-bob", "/settings/approvals/", who=BOB),
        Shot("help", "/help/"),
        Shot("tokens", "/settings/tokens/"),
        Shot("password", "/accounts/password/change/"),
        Shot("second-factor", "/accounts/2fa/"),
        Shot("not-found", "/contacts/00000000-0000-0000-0000-000000000000/"),
    ]


def _connecting() -> list[Shot]:
    """A mailbox that is connected by its address alone, from the address to what would come."""
    page = "/settings/mailboxes/connect/"
    waiting = Mailbox.objects.get(awaits_start=True)
    return [
        Shot("connect", page, whole=True),
        Shot("connect-found", page, acts=_find, whole=True, docs="settings-found"),
        Shot("connect-failing", page, acts=_check_a_wrong_password, whole=True, docs="check-failing", part="#check"),
        Shot("connect-warned", page, acts=_check_two_accounts, whole=True),
        Shot("connect-unknown", page, acts=_find_nothing, whole=True),
        Shot("connect-has-button", page, acts=_find_a_button, whole=True),
        Shot("connect-asks", page, who=BOB, acts=_find_what_needs_approval, whole=True),
        Shot("preview", f"/settings/mailboxes/{waiting.pk}/preview/", acts=_count, whole=True, docs="preview"),
    ]


def _proving(mailbox: Mailbox, contact_id: UUID) -> list[Shot]:
    """The tests of a connection, one that passed and one that stopped, and what is asked before a contact's."""
    own, stopped = (ConnectionTest.objects.get(mailbox=mailbox, contact_id__isnull=is_own) for is_own in (True, False))
    tests = f"/settings/mailboxes/{mailbox.pk}/tests/"
    return [
        Shot("connection-test", f"{tests}{own.pk}/"),
        Shot("connection-test-stopped", f"{tests}{stopped.pk}/", whole=True),
        Shot("connection-test-asks", f"/contacts/{contact_id}/tests/", whole=True),
    ]


def _look_for(page: Page, address: str, told: str) -> None:
    page.get_by_label("Which address?").fill(address)
    page.get_by_role("button", name="Find the settings").click()
    expect(page.locator("#settings")).to_contain_text(told, timeout=_PATIENCE)


def _find(page: Page) -> None:
    _look_for(page, OFFICE, "Settings we found")


def _find_nothing(page: Page) -> None:
    _look_for(page, "sales@nobody-knows.test", "We found no settings")


def _find_a_button(page: Page) -> None:
    _look_for(page, "somebody@viagoogle.test", "is at Google")


def _find_what_needs_approval(page: Page) -> None:
    _look_for(page, OFFICE, "approval")


def _check_a_wrong_password(page: Page) -> None:
    _find(page)
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Check and connect").click()
    expect(page.locator(".verdict").first).to_contain_text("refused", timeout=_PATIENCE)
    expect(page.locator("#state-smtp")).not_to_contain_text("Working", timeout=_PATIENCE)


def _check_two_accounts(page: Page) -> None:
    _find(page)
    page.get_by_text("Change the settings").click()
    page.locator("[name=imap_username]").fill("billing@example.test")
    page.get_by_label("Same user name and password").uncheck()
    page.locator("[name=smtp_username]").fill(OFFICE)
    for name in ("imap_password", "smtp_password"):
        page.locator(f"[name={name}]").fill("pass")
    page.get_by_role("button", name="Check and connect").click()
    expect(page.locator("#check-verdict")).to_contain_text("two accounts", timeout=_PATIENCE)


def _count(page: Page) -> None:
    expect(page.locator("#preview-counts")).to_contain_text("would come", timeout=_PATIENCE)
    expect(page.locator("#preview-counts")).not_to_contain_text("Working", timeout=_PATIENCE)
