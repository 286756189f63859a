"""Who was written to in secret (Bcc) is known to those who have the sender's copy, whatever a page is asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postroom.correspondence.models import Message, Participant
from postroom.filing.models import Filing
from postroom.mail.address import address_key
from postroom.mailboxes.models import Mailbox
from postroom.records.models import Contact
from tests.cast import Cast, make_mailbox
from tests.web.correspondence import Letter, put

SECRET = "k.voss@lagerhaus.example"  # near Katrin, by name and by domain


@pytest.fixture
def written_in_secret(cast: Cast, katrin: Contact) -> Message:
    """Alice to Katrin from her own mailbox, which she shares, with a blind copy to somebody."""
    own = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    Mailbox.objects.filter(pk=own.pk).update(sharing="everything")
    at = timezone.now() - timedelta(days=1)
    message = put(own, Letter(at, ("Alice", own.address), [("Katrin Voss", "katrin@lagerhaus.example")], "Prices"))
    Participant.objects.create(
        workspace_id=own.workspace_id,
        message_id=message.pk,
        role="bcc",
        position=9,
        name="K. Voss",
        address=SECRET,
        key=address_key(SECRET),
    )
    Filing.objects.create(
        workspace_id=own.workspace_id,
        message_id=message.pk,
        thread_id=message.thread_id,
        record_type=1,
        record_id=katrin.pk,
        reason="address",
        address="katrin@lagerhaus.example",
        at=at,
    )
    return message


def test_a_blind_copy_is_found_by_whoever_has_the_senders_copy_only(
    alice: Client, bob: Client, katrin: Contact, written_in_secret: Message
) -> None:
    asked = f"/explain/?contact={katrin.pk}&q={SECRET}"
    assert "Found 1 message" in alice.get(asked).content.decode()
    html = bob.get(asked).content.decode()
    assert "Found 1 message" not in html and "Prices" not in html


def test_a_blind_copy_makes_an_address_near_for_nobody_else(
    alice: Client, bob: Client, katrin: Contact, written_in_secret: Message
) -> None:
    page = f"/contacts/{katrin.pk}/history/"
    assert SECRET in alice.get(page).content.decode()
    assert SECRET not in bob.get(page).content.decode()
