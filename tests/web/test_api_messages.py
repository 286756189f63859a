"""Timelines, messages and attachments as programs read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from postroom.correspondence.models import Message
from postroom.filing.people import add_contact
from postroom.mailboxes.models import Mailbox
from postroom.records.models import Contact
from tests.cast import Cast, make_mailbox
from tests.web.api_caller import caller_for, problem
from tests.web.correspondence import Letter, put

KATRIN = ("Katrin Voss", "katrin@lagerhaus.example")
SUMMARY = {
    "id", "thread_id", "direction", "from", "to", "cc", "subject", "snippet", "internet_message_id", "attachments",
    "sender", "mailbox_ids",
}  # fmt: skip


@pytest.fixture
def mailbox(cast: Cast) -> Mailbox:
    return make_mailbox(cast.alice, "sales@tidewater.example")


@pytest.fixture
def messages(mailbox: Mailbox) -> list[Message]:
    """Five messages of Katrin's, a minute apart, the newest last."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    return [
        put(
            mailbox,
            Letter(
                at=start + timedelta(minutes=number),
                sender=KATRIN,
                to=[("Sales", mailbox.address)],
                subject=f"Offer {number}",
                text="Hello",
                html="<p onclick=x()>Hello<script>x()</script></p>",
                files=[("plan <1>.pdf", "text/html", b"%PDF")],
            ),
        )
        for number in range(5)
    ]


@pytest.fixture
def katrin(cast: Cast, messages: list[Message]) -> Contact:
    return add_contact(cast.alice, "Katrin Voss", [KATRIN[1]])


def test_a_timeline_shows_the_history_page_by_page(cast: Cast, katrin: Contact, messages: list[Message]) -> None:
    bob = caller_for(cast.bob)
    seen: list[str] = []
    after = ""
    for _ in range(5):
        page = bob.get(f"/contacts/{katrin.pk}/timeline?limit=2&next={after}").json()
        for item in page["items"]:
            assert (item["kind"], item["filing"]["reason"]) == ("message", "address")
            assert item["message"].keys() == SUMMARY
            assert item["message"]["from"] == {"address": KATRIN[1], "name": KATRIN[0]}
            assert item["at"].endswith("Z")
            seen.append(item["message"]["id"])
        after = page["next"]
        if after is None:
            break
    assert seen == [str(message.pk) for message in reversed(messages)]
    problem(bob.get(f"/contacts/{katrin.pk}/timeline?next=nonsense"), 422, "invalid_fields")


def test_a_message_is_whole_and_its_html_is_harmless(cast: Cast, katrin: Contact, messages: list[Message]) -> None:
    alice = caller_for(cast.alice)
    found = alice.get(f"/messages/{messages[0].pk}").json()
    assert found["text"] == "Hello"
    assert "Hello" in found["html"]
    assert "script" not in found["html"]
    assert "onclick" not in found["html"]
    assert found["filings"][0]["record"] == {"type": "contact", "id": str(katrin.pk)}
    why = alice.get(f"/messages/{messages[0].pk}/why").json()["items"]
    assert [(reason["reason"], reason["record_name"]) for reason in why] == [("address", "Katrin Voss")]


def test_an_attachment_is_only_ever_downloaded(cast: Cast, katrin: Contact, messages: list[Message]) -> None:
    alice = caller_for(cast.alice)
    [file] = alice.get(f"/messages/{messages[0].pk}").json()["attachments"]
    response = alice.get(f"/attachments/{file['id']}")
    assert b"".join(response) == b"%PDF"  # type: ignore[arg-type]
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


def test_a_colleague_sees_of_a_personal_mailbox_what_its_owner_shares(cast: Cast, katrin: Contact) -> None:
    own = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    letter = Letter(
        at=datetime(2026, 11, 2, tzinfo=UTC), sender=KATRIN, to=[("Alice", own.address)], subject="Secret", text="Hush"
    )
    message = put(own, letter)
    other = add_contact(cast.alice, "Alice's Katrin", ["other@lagerhaus.example"])
    from postroom.filing.models import Filing

    Filing.objects.create(
        workspace_id=cast.alice.workspace_id, message_id=message.pk, thread_id=message.thread_id, record_type=1,
        record_id=other.pk, reason="manual", address="", at=message.at,
    )  # fmt: skip
    bob = caller_for(cast.bob)
    problem(bob.get(f"/messages/{message.pk}"), 404, "not_found")
    for sharing, subject, text in (("metadata", "", ""), ("subject", "Secret", ""), ("everything", "Secret", "Hush")):
        Mailbox.objects.filter(pk=own.pk).update(sharing=sharing)
        found = bob.get(f"/messages/{message.pk}").json()
        assert (found["subject"], found["text"]) == (subject, text), sharing
