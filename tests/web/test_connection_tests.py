"""Test the connection: the button on a mailbox, the page before a contact is written to, and the steps as they tick."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from postroom.filing.people import add_contact
from postroom.mail.mime.parsing import parse
from postroom.mailboxes.models import Mailbox
from postroom.outbox.models import ConnectionTest, State, Submission
from postroom.records.models import Contact
from postroom.workspaces.models import AuditEntry
from tests.cast import Cast, make_mailbox

HTMX = {"HTTP_HX_REQUEST": "true"}


def begin(client: Client, mailbox: Mailbox, **typed: str) -> str:
    return client.post(f"/settings/mailboxes/{mailbox.pk}/tests/", typed, follow=True).content.decode()


def test_one_button_sends_a_marked_message_to_the_mailbox_itself(alice: Client, sales: Mailbox) -> None:
    html = begin(alice, sales)
    submission = Submission.objects.get()
    test = ConnectionTest.objects.get()
    assert (submission.recipients, submission.state, test.submission_id) == (
        [sales.address],
        State.QUEUED,
        submission.pk,
    )
    assert f"X-Postroom-Test: {test.pk}".encode() in bytes(submission.mime)
    assert "Accepted by the outgoing server" in html and "Back in the mailbox" in html and "Working" in html
    assert AuditEntry.objects.filter(action="mailbox.tested").count() == 1


def test_the_steps_come_anew_while_something_may_happen(alice: Client, sales: Mailbox) -> None:
    begin(alice, sales)
    test = ConnectionTest.objects.get()
    address = f"/settings/mailboxes/{sales.pk}/tests/{test.pk}/"
    part = alice.get(address, **HTMX).content.decode()
    assert "every 2s" in part and f'id="test-{test.pk}"' in part and "<html" not in part
    Submission.objects.update(state=State.FAILED, error_code="refused", error_words="550 <b>no</b>")
    stopped = alice.get(address, **HTMX).content.decode()
    assert "every 2s" not in stopped and "Stopped" in stopped and "550 &lt;b&gt;no&lt;/b&gt;" in stopped
    assert "Who can fix it" in stopped and "/help/refused/" in stopped
    assert alice.get(address).status_code == 200


def test_the_button_pressed_twice_sends_once(alice: Client, sales: Mailbox) -> None:
    begin(alice, sales)
    assert "Follow that one." in begin(alice, sales)
    assert Submission.objects.count() == 1


def test_a_contact_is_written_to_after_a_page_that_says_what_is_sent(
    alice: Client, sales: Mailbox, katrin: Contact
) -> None:
    asked = begin(alice, sales, address="KV@nordfleet.example")
    assert not Submission.objects.exists()
    assert "Send Katrin Voss a test message?" in asked and "this is a test: Alice Moreau" in asked
    assert 'value="kv@nordfleet.example" selected' in asked
    typed = {"mailbox": sales.pk, "address": "kv@nordfleet.example"}
    told = alice.post(f"/contacts/{katrin.pk}/tests/", typed, follow=True).content.decode()
    submission = Submission.objects.get()
    assert submission.recipients == ["kv@nordfleet.example"] and submission.record_id is None
    assert parse(bytes(submission.mime)).text.startswith("Hello,\n\nthis is a test")
    assert "On Katrin Voss" in told and "An answer on the same record, if one comes" in told


def test_an_address_that_no_contact_has_is_told_and_nothing_is_sent(
    alice: Client, cast: Cast, sales: Mailbox, katrin: Contact
) -> None:
    add_contact(cast.charlie, "Charlie's", ["theirs@elsewhere.example"])
    for typed in ("nobody@nowhere.example", "theirs@elsewhere.example", "nonsense\r\n", ""):
        assert "No contact has this address." in begin(alice, sales, address=typed)
    refused = alice.post(f"/contacts/{katrin.pk}/tests/", {"mailbox": sales.pk, "address": "other@nowhere.example"})
    assert refused.status_code == 422 and not Submission.objects.exists()


def test_a_mailbox_that_is_not_the_members_sends_nothing_and_tells_nothing(
    alice: Client, bob: Client, charlie: Client, cast: Cast, sales: Mailbox, katrin: Contact
) -> None:
    own = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    begin(alice, own)
    test = ConnectionTest.objects.get()
    for stranger in (bob, charlie):
        assert stranger.post(f"/settings/mailboxes/{own.pk}/tests/").status_code == 404
        assert stranger.get(f"/settings/mailboxes/{own.pk}/tests/{test.pk}/").status_code == 404
    assert alice.get(f"/settings/mailboxes/{sales.pk}/tests/{test.pk}/").status_code == 404
    typed = {"mailbox": own.pk, "address": "katrin@lagerhaus.example"}
    assert bob.post(f"/contacts/{katrin.pk}/tests/", typed).status_code == 422
    assert charlie.get(f"/contacts/{katrin.pk}/tests/").status_code == 404
    assert Submission.objects.count() == 1


def test_a_mailbox_that_does_not_send_offers_no_test(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    begin(alice, sales)
    Mailbox.objects.update(sends=False)
    page = alice.get(f"/settings/mailboxes/{sales.pk}/").content.decode()
    assert "With a contact…" not in page and "It only reads. Let it send in its settings" in page
    assert "You may not send from" in begin(alice, sales)
    assert "There is no mailbox you may send from." in alice.get(f"/contacts/{katrin.pk}/tests/").content.decode()


def test_the_contact_shows_the_latest_test_for_a_day(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post(f"/contacts/{katrin.pk}/tests/", {"mailbox": sales.pk, "address": "katrin@lagerhaus.example"})
    overview = f"/contacts/{katrin.pk}/"
    assert b"Seen by sync" in alice.get(overview).content
    ConnectionTest.objects.update(started_at=timezone.now() - timedelta(days=2))
    assert b"Seen by sync" not in alice.get(overview).content


@pytest.mark.parametrize(
    ("proven", "badge"),
    [
        ({}, "Not tested yet"),
        ({"last_sent_at": timezone.now()}, "Not tested yet"),
        ({"last_received_at": timezone.now()}, "Not tested yet"),
        ({"last_sent_at": timezone.now(), "last_received_at": timezone.now()}, "Ready"),
        ({"last_received_at": timezone.now(), "sends": False}, "Ready"),
        ({"last_sent_at": timezone.now(), "reads": False}, "Ready"),
    ],
)
def test_ready_is_earned_by_a_message_each_way(
    alice: Client, sales: Mailbox, proven: dict[str, object], badge: str
) -> None:
    now = timezone.now()
    Mailbox.objects.update(import_planned_at=now, import_finished_at=now, sign_in_state="ok", **proven)
    html = alice.get(f"/settings/mailboxes/{sales.pk}/card/").content.decode()
    assert {badge} == {word for word in ("Not tested yet", "Ready") if word in html}
