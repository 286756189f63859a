"""The rule about domains: what counts as one, for connecting and for the addresses that people write from.

That it judges the address which has signed in is in test_given_back.py and test_approval.py.
"""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from postroom.mailboxes.models import Grant, Identity, Mailbox
from postroom.outbox.choice import choice_or_reason, sendable_addresses
from postroom.outbox.sender import NoChoice
from postroom.web.permission import permissions
from postroom.workspaces import approval
from tests.cast import Cast, make_mailbox

pytestmark = pytest.mark.django_db


def allow(cast: Cast, *domains: str) -> None:
    approval.change_policy(cast.alice, providers={}, personal="everyone", shared="everyone", domains=domains)


@pytest.mark.parametrize(
    ("domain", "address", "is_allowed"),
    [
        ("tidewater.example", "Bob@Tidewater.EXAMPLE", True),
        ("TIDEWATER.example", "bob@tidewater.example", True),
        ("@tidewater.example", "bob@tidewater.example", True),
        ("tidewater.example", "bob@mail.tidewater.example", False),  # a subdomain may be somebody else's
        ("mail.tidewater.example", "bob@mail.tidewater.example", True),
        ("mail.tidewater.example", "bob@tidewater.example", False),
        ("tidewater.example", "bob@nottidewater.example", False),
        ("tidewater.example", "bob@tidewater.example.evil.example", False),
        ("tidewater.example", '"bob@tidewater.example"@evil.example', False),
        ("bücher.example", "bob@xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "bob@bücher.example", True),
        ("XN--BCHER-KVA.example", "bob@BÜCHER.example", True),
        ("bücher.example", "bob@bucher.example", False),
        ("tidewater.example", "bob@tіdewater.example", False),  # a Cyrillic letter
    ],
)
def test_a_domain_is_matched_whole_in_any_case_and_spelling(
    cast: Cast, domain: str, address: str, is_allowed: bool
) -> None:
    allow(cast, domain)
    for kind in ("personal", "shared"):
        verdict = approval.may_connect(cast.bob, "imap", address, kind)
        assert verdict.allowed is is_allowed and verdict.code in ("", "connect_domain_not_listed")
    assert approval.may_connect(cast.alice, "imap", address, "shared").allowed, "who could change the rule"


@pytest.fixture
def mailbox(cast: Cast) -> Mailbox:
    """Bob's, at a provider that lets it send as three other addresses."""
    mailbox = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal", provider="gmail")
    for alias in ("offers@tidewater.example", "bob@private.example", "bob@lagerhaus.example"):
        Identity.objects.create(workspace=mailbox.workspace, mailbox=mailbox, address=alias, is_listed=True)
    Grant.objects.filter(mailbox=mailbox).update(app="gmail", sign_in_user=mailbox.address)
    return mailbox


def offered(cast: Cast) -> set[str]:
    return {one.address for one in sendable_addresses(cast.bob)}


def test_nobody_writes_from_an_alias_at_a_domain_that_is_not_allowed(cast: Cast, mailbox: Mailbox) -> None:
    assert len(offered(cast)) == 4, "without a rule all that the provider allows"
    allow(cast, "lagerhaus.example")
    assert offered(cast) == {"bob@tidewater.example", "offers@tidewater.example", "bob@lagerhaus.example"}
    for by_hand in (None, mailbox.pk):
        choice = choice_or_reason(cast.bob, mailbox_id=by_hand, from_address="bob@private.example")
        assert isinstance(choice, NoChoice) and choice.code == "address_not_allowed"
    allow(cast)
    assert len(offered(cast)) == 4, "the rule is gone, and nothing was forgotten"


def test_the_mailboxs_page_says_which_addresses_are_not_offered(cast: Cast, mailbox: Mailbox) -> None:
    def shown() -> str:
        context = {"card": {"permission": permissions([mailbox])[mailbox.pk], "mailbox": mailbox}}
        return render_to_string("postroom/mailboxes/_permission.html", context)

    assert "Not to be written from" not in shown()
    allow(cast, "tidewater.example")
    assert "<dt>Sends as</dt><dd>offers@tidewater.example</dd>" in shown()
    assert "<dt>Not to be written from</dt><dd>bob@lagerhaus.example, bob@private.example<" in shown()
