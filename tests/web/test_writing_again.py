"""/write/?again=: a message that did not leave is in the composer again."""

from __future__ import annotations

import html
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from postroom.mail.message import Address
from postroom.mail.mime.parsing import parse
from postroom.mailboxes.models import Mailbox
from postroom.outbox.composition import Composition
from postroom.outbox.models import State, Submission
from postroom.outbox.submit import submit
from postroom.records.models import Contact
from tests.cast import Cast, make_mailbox
from tests.web.correspondence import put
from tests.web.test_compose import typed
from tests.web.test_messages import letter


def value_of(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]* name="{name}" value="([^"]*)"', page)
    return html.unescape(found[1]) if found else ""


def fail(submission: Submission) -> None:
    Submission.objects.filter(pk=submission.pk).update(state=State.FAILED, error_code="recipients_refused")


def test_undo_brings_everything_that_was_written_back(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    mail = put(sales, letter("Question"))
    form = typed(sales, cc="Dana <dana@other.example>", bcc="boss@tidewater.example", subject="Our offer")
    alice.post(f"/write/?contact={katrin.pk}&reply={mail.pk}", form)
    first = Submission.objects.get()
    page = alice.post(f"/submissions/{first.pk}/cancellation/", follow=True).content.decode()
    assert "Undone" in page and "<h1>Question</h1>" in page
    assert value_of(page, "to") == "Katrin Voss <katrin@lagerhaus.example>"
    assert value_of(page, "cc") == "Dana <dana@other.example>"
    assert value_of(page, "bcc") == "boss@tidewater.example"
    assert value_of(page, "subject") == "Our offer"
    assert "<p>Hello <strong>Katrin</strong></p>" in html.unescape(page)
    alice.post(f"/write/?again={first.pk}", form | {"key": value_of(page, "key")})
    second = Submission.objects.exclude(pk=first.pk).get()
    assert second.record_id == katrin.pk and second.in_reply_to == mail.pk and second.state == State.QUEUED


def test_it_leaves_from_the_mailbox_that_was_chosen(alice: Client, cast: Cast, sales: Mailbox) -> None:
    other = make_mailbox(cast.alice, "support@tidewater.example")
    for mailbox in (sales, other):
        alice.post("/write/", typed(mailbox))
        submission = Submission.objects.get(state=State.QUEUED)
        page = alice.post(f"/submissions/{submission.pk}/cancellation/", follow=True).content.decode()
        assert f'<option value="{mailbox.pk}" selected>' in page


def test_the_files_go_along_unless_they_are_unticked(alice: Client, sales: Mailbox) -> None:
    files = [SimpleUploadedFile("plan.txt", b"week 21"), SimpleUploadedFile("prices.pdf", b"%PDF", "application/pdf")]
    alice.post("/write/", typed(sales, attachments=files))
    first = Submission.objects.get()
    page = alice.post(f"/submissions/{first.pk}/cancellation/", follow=True).content.decode()
    assert "plan.txt" in page and "prices.pdf" in page and page.count("checked") == 2
    alice.post(f"/write/?again={first.pk}", typed(sales, kept=["1"]))
    sent = parse(bytes(Submission.objects.get(state=State.QUEUED).mime))
    assert [(file.filename, file.content) for file in sent.attachments] == [("prices.pdf", b"%PDF")]
    assert alice.post(f"/write/?again={first.pk}", typed(sales, kept=["2"])).status_code == 422


def test_plain_text_becomes_paragraphs(alice: Client, cast: Cast, sales: Mailbox) -> None:
    written = Composition(to=[Address("katrin@lagerhaus.example")], subject="Offer", text="2 < 3\n\nBye")
    submission = submit(cast.alice, written)
    fail(submission)
    page = alice.get(f"/write/?again={submission.pk}").content.decode()
    assert "<p>2 &lt; 3</p>" in html.unescape(page) and "Bye" in page


def test_a_failed_message_is_written_again_and_then_closed(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    failed = Submission.objects.get()
    fail(failed)
    timeline = alice.get(f"/contacts/{katrin.pk}/emails/").content.decode()
    assert f"/write/?again={failed.pk}" in timeline and "Write it again" in timeline
    alice.post(f"/write/?again={failed.pk}", typed(sales, to="kv@nordfleet.example"))
    failed.refresh_from_db()
    assert failed.state == State.CANCELLED and failed.error_code == "recipients_refused"
    assert Submission.objects.get(state=State.QUEUED).record_id == katrin.pk


def test_a_dismissed_failure_is_shown_nowhere(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    failed = Submission.objects.get()
    fail(failed)
    assert "Dismiss</button>" in alice.get("/").content.decode()
    home = alice.post(f"/submissions/{failed.pk}/dismissal/", {"from": "home"}, follow=True)
    assert home.redirect_chain == [("/", 302)]
    for page in ("/", f"/contacts/{katrin.pk}/emails/"):
        assert f"submission-{failed.pk}" not in alice.get(page).content.decode()


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.IN_DOUBT, State.UNKNOWN, State.SENT])
def test_what_may_have_left_is_neither_dismissed_nor_written_again(alice: Client, sales: Mailbox, state: State) -> None:
    alice.post("/write/", typed(sales))
    Submission.objects.update(state=state)
    submission = Submission.objects.get()
    assert alice.get(f"/write/?again={submission.pk}").status_code == 404
    alice.post(f"/submissions/{submission.pk}/dismissal/")
    assert Submission.objects.get().state == state


def test_the_text_is_for_those_who_may_send_it(alice: Client, charlie: Client, bob: Client, cast: Cast) -> None:
    own = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    alice.post("/write/", typed(own))
    submission = Submission.objects.get()
    fail(submission)
    for stranger in (charlie, bob):
        assert stranger.get(f"/write/?again={submission.pk}").status_code == 404
        assert stranger.post(f"/submissions/{submission.pk}/dismissal/").status_code == 404
    assert alice.get("/write/?again=nonsense").status_code == 404


def test_a_record_that_is_gone_does_not_lose_the_text(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    submission = Submission.objects.get()
    fail(submission)
    alice.post(f"/contacts/{katrin.pk}/deletion/")
    page = alice.get(f"/write/?again={submission.pk}")
    assert page.status_code == 200 and "Hello" in page.content.decode()
