"""A mailbox that has failed for a day is shown to its owner on every page, and to nobody else."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Mailbox
from tests.cast import Cast, make_mailbox

WORDS = "has not been read since"


def fail(mailbox: Mailbox, hours: int) -> Mailbox:
    since = timezone.now() - timedelta(hours=hours)
    Mailbox.objects.filter(pk=mailbox.pk).update(failing_since=since, error_code="unreachable")
    return mailbox


def test_its_owner_sees_it_everywhere(cast: Cast, alice: Client, bob: Client, charlie: Client) -> None:
    mailbox = fail(make_mailbox(cast.bob, "bob@own.example", kind="personal"), hours=25)
    for page in ("/", "/contacts/", "/settings/mailboxes/"):
        text = bob.get(page).content.decode()
        assert f"bob@own.example {WORDS}" in text and f"/settings/mailboxes/{mailbox.pk}/" in text
        assert WORDS not in alice.get(page).content.decode()
        assert WORDS not in charlie.get(page).content.decode()


def test_an_hour_is_not_a_day(cast: Cast, bob: Client) -> None:
    fail(make_mailbox(cast.bob, "bob@own.example", kind="personal"), hours=1)
    assert WORDS not in bob.get("/").content.decode()
