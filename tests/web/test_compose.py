"""/write/ and what is decided about a submission."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Identity, Mailbox
from postroom.outbox.models import State, Submission
from postroom.records.models import Contact
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox
from tests.web.correspondence import Letter, put
from tests.web.test_messages import KATRIN, letter


def typed(sales: Mailbox, **more: object) -> dict[str, object]:
    return {
        "key": new_id(),
        "mailbox": sales.pk,
        "to": "Katrin Voss <katrin@lagerhaus.example>",
        "subject": "Offer",
        "body": "<p>Hello <strong>Katrin</strong></p>",
        **more,
    }


def test_the_composer_knows_to_from_and_the_reason(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    html = alice.get(f"/write/?contact={katrin.pk}").content.decode()
    assert "Katrin Voss &lt;katrin@lagerhaus.example&gt;" in html
    assert "sales@tidewater.example is the only mailbox you may send from." in html


def test_a_reply_goes_to_the_sender_from_where_the_thread_came(
    alice: Client, sales: Mailbox, cast: Cast, katrin: Contact
) -> None:
    make_mailbox(cast.alice, "support@tidewater.example")
    mail = put(sales, letter("Question"))
    html = alice.get(f"/write/?reply={mail.pk}&contact={katrin.pk}").content.decode()
    assert "Re: Question" in html and "katrin@lagerhaus.example" in html
    assert "The conversation came to sales@tidewater.example." in html


def test_a_message_is_queued_once_however_often_the_form_arrives(
    alice: Client, sales: Mailbox, katrin: Contact
) -> None:
    form = typed(sales)
    first = alice.post(f"/write/?contact={katrin.pk}", form, follow=True)
    second = alice.post(f"/write/?contact={katrin.pk}", form, follow=True)
    submission = Submission.objects.get()
    assert submission.record_id == katrin.pk and submission.state == State.QUEUED
    assert b"leaves in" in first.content and second.status_code == 200
    assert f"submission-{submission.pk}" in first.content.decode()


def test_a_key_of_somebody_else_makes_nothing(alice: Client, bob: Client, sales: Mailbox) -> None:
    form = typed(sales)
    alice.post("/write/", form)
    refused = bob.post("/write/", form | {"subject": "Mine"})
    assert refused.status_code == 422 and b"used already" in refused.content
    assert Submission.objects.get().subject == "Offer"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "nonsense"),
        ("to", "a@b.example\r\nBcc: x@y.example"),
        ("to", ""),
        ("cc", "x@"),
        ("bcc", "a@b.example\0"),
        ("subject", "Hello\r\nBcc: victim@example.com"),
        ("subject", "Hello\0"),
        ("subject", "Hello\nX-Header: 1"),
        ("mailbox", "nonsense"),
        ("key", "nonsense"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_queued(alice: Client, sales: Mailbox, field: str, value: str) -> None:
    assert alice.post("/write/", typed(sales, **{field: value})).status_code == 422
    assert not Submission.objects.exists()


def test_a_mailbox_of_somebody_else_cannot_send(alice: Client, cast: Cast, sales: Mailbox) -> None:
    for foreign in (
        make_mailbox(cast.bob, "bob@tidewater.example", kind="personal"),
        make_mailbox(cast.charlie, "c@e.example"),
    ):
        response = alice.post("/write/", typed(foreign))
        assert response.status_code == 422 and b"may not send from this mailbox" in response.content
    assert not Submission.objects.exists()


def test_an_alias_is_offered_chosen_and_told_apart(alice: Client, sales: Mailbox) -> None:
    add_alias(sales, "offers@tidewater.example")
    html = alice.get("/write/").content.decode()
    value = f"{sales.pk} offers@tidewater.example"
    assert f'<option value="{value}">offers@tidewater.example (sales@tidewater.example)</option>' in html
    alice.post("/write/", typed(sales, mailbox=value))
    assert Submission.objects.get().from_address == "offers@tidewater.example"


def test_an_answer_is_offered_from_the_alias_with_its_signature(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    add_alias(sales, "offers@tidewater.example", signature="<p>The <b>offers</b> team<script>x()</script></p>")
    mail = put(sales, Letter(timezone.now(), KATRIN, [("", "offers@tidewater.example")], "Question"))
    html = alice.get(f"/write/?reply={mail.pk}&contact={katrin.pk}").content.decode()
    assert "The conversation came to offers@tidewater.example." in html
    assert f'<option value="{sales.pk} offers@tidewater.example" selected data-body="&lt;p&gt;' in html
    assert html.count("The &lt;b&gt;offers&lt;/b&gt; team") == 2 and "x()" not in html
    assert " data-signs>" in html, "another choice brings its own signature"


def test_what_was_typed_is_never_replaced_by_a_signature(alice: Client, sales: Mailbox) -> None:
    html = alice.post("/write/", typed(sales, to="nobody")).content.decode()
    assert "data-signs" not in html


def test_an_alias_of_somebody_elses_mailbox_cannot_send(alice: Client, cast: Cast, sales: Mailbox) -> None:
    foreign = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    add_alias(foreign, "boss@tidewater.example")
    for value in (f"{foreign.pk} boss@tidewater.example", f"{sales.pk} boss@tidewater.example"):
        response = alice.post("/write/", typed(sales, mailbox=value))
        assert response.status_code == 422 and b"You may not send from" in response.content
    assert not Submission.objects.exists()


def add_alias(mailbox: Mailbox, address: str, **more: object) -> Identity:
    return Identity.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, address=address, is_listed=True, **more
    )


def test_what_is_pasted_is_cleaned(alice: Client, sales: Mailbox) -> None:
    body = '<p onclick="x()">Hi<script>alert(1)</script><img src="https://a.example/x.gif"></p>'
    alice.post("/write/", typed(sales, body=body))
    mime = bytes(Submission.objects.get().mime)
    assert b"script" not in mime and b"onclick" not in mime and b"Hi" in mime


def test_files_go_with_the_message(alice: Client, sales: Mailbox) -> None:
    files = [
        SimpleUploadedFile("plan.txt", b"week 21"),
        SimpleUploadedFile("Übersicht.pdf", b"%PDF", "application/pdf"),
    ]
    alice.post("/write/", typed(sales, attachments=files))
    mime = bytes(Submission.objects.get().mime)
    assert b"plan.txt" in mime and b"application/pdf" in mime


def test_undo_takes_a_queued_message_back(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    submission = Submission.objects.get()
    response = alice.post(f"/submissions/{submission.pk}/cancellation/", follow=True)
    assert b"Undone" in response.content
    again = alice.post(f"/submissions/{submission.pk}/cancellation/", follow=True)
    assert b"too late" in again.content


@pytest.mark.parametrize(("act", "state"), [("sent", State.SENT), ("again", State.CANCELLED), ("look", State.UNKNOWN)])
def test_a_person_decides_when_nobody_knows(
    alice: Client, sales: Mailbox, katrin: Contact, act: str, state: State
) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    submission = Submission.objects.get()
    Submission.objects.update(state=State.UNKNOWN)
    html = alice.get(f"/contacts/{katrin.pk}/emails/").content.decode()
    assert "Check again" in html and "Mark as sent" in html and "Send again" in html
    alice.post(f"/submissions/{submission.pk}/{act}/")
    submission.refresh_from_db()
    assert submission.state == state


@pytest.mark.parametrize("act", ["cancellation", "look", "sent", "again"])
def test_a_foreign_submission_is_not_found(alice: Client, charlie: Client, sales: Mailbox, act: str) -> None:
    alice.post("/write/", typed(sales))
    assert charlie.post(f"/submissions/{Submission.objects.get().pk}/{act}/").status_code == 404


def test_a_failure_says_what_to_do(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    Submission.objects.update(state=State.FAILED, error_code="sign_in_refused", error_words="535 <b>no</b>")
    html = alice.get(f"/contacts/{katrin.pk}/emails/").content.decode()
    assert "Not sent" in html and "535 &lt;b&gt;no&lt;/b&gt;" in html


@pytest.mark.parametrize(("copy", "words"), [("pending", "no copy in Sent so far<"), ("failed", "no copy in Sent<")])
def test_a_sent_message_without_a_copy_says_why_and_that_it_has_left(
    alice: Client, sales: Mailbox, katrin: Contact, copy: str, words: str
) -> None:
    alice.post(f"/write/?contact={katrin.pk}", typed(sales))
    Submission.objects.update(state=State.SENT, sent_at=timezone.now(), sent_copy=copy)
    before = alice.get(f"/contacts/{katrin.pk}/emails/").content.decode()
    assert "no copy in Sent" not in before
    Submission.objects.update(error_code="mailbox_full", error_facts={"host": "mx.test"}, error_words="NO [OVERQUOTA]")
    html = alice.get(f"/contacts/{katrin.pk}/emails/").content.decode()
    assert words in html and "The mailbox is full" in html and "The message itself has left" in html
    assert ("keeps trying" in html) is (copy == "pending")
    versions = [re.findall(r'id="submission-[^>]* data-version="([^"]*)"', page) for page in (before, html)]
    assert versions[0] != versions[1], "an open page would not show it"


def test_every_opened_composer_has_a_key_of_its_own(alice: Client, sales: Mailbox) -> None:
    keys = {re.search(r'name="key" value="([^"]+)"', alice.get("/write/").content.decode()) for _ in range(2)}
    found = {UUID(match[1]) for match in keys if match}
    assert len(found) == 2


def test_without_a_mailbox_the_composer_says_so(alice: Client) -> None:
    html = alice.get("/write/").content.decode()
    assert "There is no mailbox you may send from" in html and "disabled" in html
