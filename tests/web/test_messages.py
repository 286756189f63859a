"""The timeline, the open thread, the mail frame, attachments, and taking a message off a record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from postroom.correspondence.models import Attachment, Message
from postroom.filing.models import Filing
from postroom.filing.people import add_contact
from postroom.filing.refile import file_contact
from postroom.mailboxes.models import Mailbox
from postroom.records.models import Contact
from tests.cast import Cast, make_mailbox
from tests.web.correspondence import Letter, put

KATRIN = ("Katrin Voss", "katrin@lagerhaus.example")
SALES = ("Tidewater", "sales@tidewater.example")
HOSTILE = (
    '<p onclick="alert(1)">Hello</p><script>alert(1)</script>'
    '<img src="https://spy.example/open.gif" onerror="alert(1)">'
    '<a href="javascript:alert(1)">click</a><form action="/settings/tokens/"><button>go</button></form>'
    '<meta http-equiv="refresh" content="0;url=https://evil.example"><img src="/settings/"><img src="cid:logo@x">'
)


def letter(subject: str = "Offer", **more: object) -> Letter:
    at = more.pop("at", timezone.now() - timedelta(minutes=5))
    return Letter(at, KATRIN, [SALES], subject, **more)  # type: ignore[arg-type]


def close_file(response: Any) -> None:
    """Close the file only: closing the response would close the test's database connection with it."""
    for close in response._resource_closers:
        close()


@pytest.fixture
def mail(sales: Mailbox) -> Message:
    png = ("logo.png", "image/png", b"\x89PNG")
    page = ('evil"\r\n.html', "text/html", b"<script>alert(1)</script>")
    return put(
        sales, letter(text="Hello there", html=HOSTILE, thread="offer", files=[png, page], content_id="<logo@x>")
    )


@pytest.fixture
def reader(mail: Message, cast: Cast) -> Contact:
    """The contact on whose record the mail is."""
    return add_contact(cast.alice, KATRIN[0], [KATRIN[1]])


def test_history_is_on_a_contact_as_soon_as_it_is_made(alice: Client, mail: Message) -> None:
    made = alice.post("/contacts/new/", {"name": KATRIN[0], "addresses": KATRIN[1]}, follow=True)
    assert b"Offer" in made.content and b"Today" in made.content


def test_the_thread_opens_in_place_with_its_reason(
    alice: Client, reader: Contact, mail: Message, sales: Mailbox
) -> None:
    put(sales, letter("Re: Offer", text="Second thoughts", thread="offer"))
    html = alice.get(f"/contacts/{reader.pk}/emails/?open={mail.pk}").content.decode()
    assert "2 messages" in html and f"/messages/{mail.pk}/frame/" in html
    assert "Why is this here?" in html and f"{KATRIN[1]} is an address of {KATRIN[0]}." in html
    assert 'sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"' in html


def test_a_day_whose_mail_is_all_in_the_open_thread_has_no_heading(
    alice: Client, cast: Cast, mail: Message, sales: Mailbox
) -> None:
    earlier = put(sales, letter(text="First", thread="offer", at=timezone.now() - timedelta(days=3)))
    reader = add_contact(cast.alice, KATRIN[0], [KATRIN[1]])
    heading = f'id="day-{timezone.localtime(earlier.at):%Y-%m-%d}"'
    assert heading in alice.get(f"/contacts/{reader.pk}/emails/").content.decode()
    assert heading not in alice.get(f"/contacts/{reader.pk}/emails/?open={mail.pk}").content.decode()


def test_a_message_of_an_older_page_opens_above_the_timeline(
    alice: Client, cast: Cast, mail: Message, sales: Mailbox
) -> None:
    for number in range(51):
        put(sales, letter(f"Later {number}", at=timezone.now() - timedelta(seconds=number)))
    reader = add_contact(cast.alice, KATRIN[0], [KATRIN[1]])
    assert f'id="message-{mail.pk}"' not in alice.get(f"/contacts/{reader.pk}/emails/").content.decode()
    html = alice.get(f"/contacts/{reader.pk}/emails/?open={mail.pk}").content.decode()
    assert html.count('id="thread"') == 1 and f"/messages/{mail.pk}/frame/" in html


@pytest.mark.parametrize("opened", ["nonsense", "", "00000000-0000-0000-0000-000000000000"])
def test_an_address_that_opens_nothing_shows_the_timeline(alice: Client, reader: Contact, opened: str) -> None:
    response = alice.get(f"/contacts/{reader.pk}/emails/?open={opened}&before=garbage")
    assert response.status_code == 200 and b'id="thread"' not in response.content


def test_the_frame_runs_nothing_and_fetches_nothing(alice: Client, mail: Message) -> None:
    response = alice.get(f"/messages/{mail.pk}/frame/")
    html, policy = response.content.decode(), response.headers["Content-Security-Policy"]
    for trap in (
        "<script",
        "onerror",
        "onclick",
        "javascript:",
        "<form",
        "http-equiv",
        "spy.example",
        'src="/settings/"',
    ):
        assert trap not in html, trap
    assert (
        "default-src 'none'" in policy
        and "script-src" not in policy
        and "'self'" not in policy.split("frame-ancestors")[0]
    )
    assert "sandbox allow-same-origin allow-popups" in policy and "allow-scripts" not in policy
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_remote_images_come_only_when_asked_for(alice: Client, mail: Message) -> None:
    blocked = alice.get(f"/messages/{mail.pk}/frame/")
    assert 'name="blocked-images"' in blocked.content.decode()
    assert "https:" not in blocked.headers["Content-Security-Policy"].replace("http://testserver", "")
    shown = alice.get(f"/messages/{mail.pk}/frame/?images=1")
    assert b"https://spy.example/open.gif" in shown.content
    assert (
        "img-src" in shown.headers["Content-Security-Policy"] and " https:" in shown.headers["Content-Security-Policy"]
    )


def test_an_inline_image_comes_from_its_own_address(alice: Client, mail: Message) -> None:
    image = Attachment.objects.get(message_id=mail.pk, content_id="<logo@x>")
    assert f"/attachments/{image.pk}/image/" in alice.get(f"/messages/{mail.pk}/frame/").content.decode()
    response = alice.get(f"/attachments/{image.pk}/image/")
    close_file(response)
    assert response.headers["Content-Type"] == "image/png"
    page = Attachment.objects.get(message_id=mail.pk, content_id="")
    assert alice.get(f"/attachments/{page.pk}/image/").status_code == 404


def test_plain_text_is_escaped_and_its_quotes_are_folded(alice: Client, sales: Mailbox) -> None:
    text = "See https://a.example/<b>\n\nOn 1 May 2026, Bob wrote:\n> <script>alert(1)</script>\n> old"
    plain = put(sales, letter(text=text))
    html = alice.get(f"/messages/{plain.pk}/frame/").content.decode()
    assert "<script>" not in html and "&lt;script&gt;" in html and "<details>" in html


def test_an_attachment_is_saved_and_never_shown(alice: Client, mail: Message) -> None:
    page = Attachment.objects.get(message_id=mail.pk, content_id="")
    response = alice.get(f"/attachments/{page.pk}/")
    close_file(response)
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "\r" not in response.headers["Content-Disposition"] and "\n" not in response.headers["Content-Disposition"]
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]


def test_mail_of_another_workspace_is_not_found(charlie: Client, mail: Message, reader: Contact) -> None:
    file = Attachment.objects.filter(message_id=mail.pk).latest("position")
    filing = Filing.objects.get(message_id=mail.pk)
    assert charlie.get(f"/messages/{mail.pk}/frame/").status_code == 404
    assert charlie.get(f"/attachments/{file.pk}/").status_code == 404
    assert charlie.get(f"/attachments/{file.pk}/image/").status_code == 404
    assert charlie.get(f"/write/?reply={mail.pk}").status_code == 404
    assert charlie.post(f"/filings/{filing.pk}/removal/").status_code == 404
    assert charlie.post(f"/filings/{filing.pk}/restoration/").status_code == 404


@pytest.mark.parametrize(
    ("sharing", "sees_subject", "sees_text"),
    [("nothing", False, False), ("metadata", False, False), ("subject", True, False), ("everything", True, True)],
)
def test_a_colleague_sees_what_the_owner_shares(
    alice: Client, cast: Cast, sharing: str, sees_subject: bool, sees_text: bool
) -> None:
    mine = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    Mailbox.objects.filter(pk=mine.pk).update(sharing=sharing)
    secret = put(mine, letter("Secret subject", text="Secret text"))
    contact = add_contact(cast.alice, KATRIN[0], [KATRIN[1]])
    for path in (f"/contacts/{contact.pk}/emails/", f"/contacts/{contact.pk}/emails/?open={secret.pk}"):
        html = alice.get(path).content.decode()
        assert ("Secret subject" in html) is sees_subject, path
    assert (b"Secret text" in alice.get(f"/contacts/{contact.pk}/emails/").content) is sees_text
    assert (alice.get(f"/messages/{secret.pk}/frame/").status_code == 200) is sees_text


def test_removing_from_a_record_can_be_undone(alice: Client, reader: Contact, mail: Message) -> None:
    filing = Filing.objects.get(message_id=mail.pk)
    removed = alice.post(f"/filings/{filing.pk}/removal/", follow=True)
    assert (
        b"Removed from this record" in removed.content
        and f"/filings/{filing.pk}/restoration/" in removed.content.decode()
    )
    assert f"message-{mail.pk}" not in removed.content.decode()
    back = alice.post(f"/filings/{filing.pk}/restoration/", follow=True)
    assert f"message-{mail.pk}" in back.content.decode()


def test_the_timeline_costs_the_same_for_two_and_for_twenty(alice: Client, reader: Contact, sales: Mailbox) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            alice.get(f"/contacts/{reader.pk}/emails/")
        return len(queries)

    few = cost()
    for index in range(20):
        put(sales, letter(f"Subject {index}"))
    file_contact(reader)
    assert cost() <= few + 1


def test_home_leads_to_the_latest_mail(alice: Client, reader: Contact, mail: Message) -> None:
    assert f"/contacts/{reader.pk}/emails/?open={mail.pk}" in alice.get("/").content.decode()
