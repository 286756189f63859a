"""The fake Microsoft is honest: its answers have the names and kinds that Microsoft publishes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.contract.graph_types import faults_of, properties
from tests.fakes.microsoft import FakeMailbox, FakeMicrosoft
from tests.fakes.microsoft.client import GraphClient, letter
from tests.fakes.served import Answer, Request, Served

BOB = "bob@work.example"


@pytest.fixture
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        yield microsoft


@pytest.fixture
def mailbox(microsoft: FakeMicrosoft) -> FakeMailbox:
    return microsoft.mailbox(BOB, "Bob Builder")


@pytest.fixture
def bob(microsoft: FakeMicrosoft, mailbox: FakeMailbox) -> Iterator[GraphClient]:
    with GraphClient(microsoft, BOB) as client:
        yield client


class Listener(Served):
    """A notification URL. It answers the handshake with `says`, or with the token when that is None."""

    def __init__(self) -> None:
        super().__init__()
        self.says: str | None = None
        self.heard: list[dict[str, Any]] = []

    async def answer(self, request: Request) -> Answer:
        token = request.query.get("validationToken")
        if token is not None:
            return Answer(200, (self.says or token).encode(), {"Content-Type": "text/plain"})
        self.heard += request.json()["value"]
        return Answer(202)


def test_the_published_types_are_read() -> None:
    assert properties("Message")["isDraft"] == "NullableOption<boolean>"
    assert properties("Message")["categories"] == "NullableOption<string[]>"  # of OutlookItem
    assert faults_of({"isDraft": "yes"}, "Message")
    assert faults_of({"invented": 1}, "Message")
    assert faults_of({"flag": {"flagStatus": "Flagged"}}, "Message")


def test_a_message_has_published_properties_only(bob: GraphClient, mailbox: FakeMailbox) -> None:
    mailbox.deliver(letter(Cc="carl@work.example", Reply_To="desk@customer.example"))
    shown = bob.get("/me/messages").json()["value"][0]
    every = {name for name, kind in properties("Message").items() if name not in _NAVIGATION}
    assert faults_of(shown, "Message") == []
    assert every - set(shown) == {"internetMessageHeaders", "uniqueBody"}  # only when they are selected
    whole = bob.get(f"/me/messages/{shown['id']}?$select=internetMessageHeaders,uniqueBody").json()
    assert faults_of(whole, "Message") == []
    assert {"internetMessageHeaders", "uniqueBody"} < set(whole)


_NAVIGATION = {"attachments", "extensions", "multiValueExtendedProperties", "singleValueExtendedProperties"}


def test_a_size_comes_as_an_extended_property(bob: GraphClient, mailbox: FakeMailbox) -> None:
    raw = letter()
    mailbox.deliver(raw)
    expand = "singleValueExtendedProperties($filter=id eq 'Integer 0x0E08')"
    shown = bob.get("/me/messages", params={"$select": "id", "$expand": expand}).json()["value"][0]
    assert faults_of(shown, "Message") == []
    assert shown["singleValueExtendedProperties"] == [{"id": "Integer 0xe08", "value": str(len(raw))}]
    assert set(shown) == {"@odata.etag", "id", "singleValueExtendedProperties"}


def test_folders_have_published_properties_only(bob: GraphClient, mailbox: FakeMailbox) -> None:
    shown = bob.get("/me/mailFolders/inbox").json()
    assert faults_of(shown, "MailFolder") == []
    assert set(properties("MailFolder")) - set(shown) == {
        "childFolders",
        "messageRules",
        "messages",
        "multiValueExtendedProperties",
        "singleValueExtendedProperties",
    }


def test_a_user_has_published_properties_only(bob: GraphClient) -> None:
    shown = bob.get("/me").json()
    assert faults_of(shown, "User") == []
    assert (shown["mail"], shown["displayName"]) == (BOB, "Bob Builder")


def test_attachments_have_published_properties_only(bob: GraphClient) -> None:
    draft = bob.post("/me/messages", {"subject": "Plan"}).json()["id"]
    file = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": "plan.txt",
        "contentType": "text/plain",
        "contentBytes": base64.b64encode(b"first").decode(),
    }
    made = bob.post(f"/me/messages/{draft}/attachments", file)
    listed = bob.get(f"/me/messages/{draft}/attachments").json()["value"][0]
    assert made.status_code == 201
    assert faults_of(made.json(), "FileAttachment") == []
    assert faults_of(listed, "FileAttachment") == []
    assert base64.b64decode(listed["contentBytes"]) == b"first"


def test_an_upload_session_has_published_properties_only(bob: GraphClient) -> None:
    draft = bob.post("/me/messages", {"subject": "Plan"}).json()["id"]
    item = {"AttachmentItem": {"attachmentType": "file", "name": "film.bin", "size": 4_000_000}}
    answer = bob.post(f"/me/messages/{draft}/attachments/createUploadSession", item)
    assert answer.status_code == 201
    assert faults_of(answer.json(), "UploadSession") == []


def test_a_subscription_and_its_notifications_have_published_properties_only(
    bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
) -> None:
    with Listener() as listener:
        asked = subscription_to(listener, lifecycleNotificationUrl=f"{listener.url}/lifecycle")
        made = bob.post("/subscriptions", asked)
        mailbox.deliver(letter())
        microsoft.subscriptions.tell_lifecycle("missed")
        microsoft.subscriptions.settle()
        assert made.status_code == 201
        assert faults_of(made.json(), "Subscription") == []
        assert [faults_of(one, "ChangeNotification") for one in listener.heard] == [[], []]
        assert {one["clientState"] for one in listener.heard} == {"secret"}


def test_errors_have_the_published_shape(bob: GraphClient) -> None:
    answer = bob.get("/me/messages/AAkAnobody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ErrorItemNotFound")
    assert set(answer.json()["error"]) == {"code", "message", "innerError"}
    assert set(answer.json()["error"]["innerError"]) == {"date", "request-id", "client-request-id"}


def test_mail_is_delivered_between_mailboxes_and_counted(
    bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
) -> None:
    eve = microsoft.mailbox("eve@work.example")
    raw = letter(7, sender=BOB, to="eve@work.example", Bcc="carl@work.example")
    draft = bob.post_mime("/me/messages", raw).json()
    assert (draft["isDraft"], draft["internetMessageId"]) == (True, "<m7@customer.example>")
    assert bob.post(f"/me/messages/{draft['id']}/send").status_code == 202
    assert mailbox.sent_count("<m7@customer.example>") == eve.delivered_count("<m7@customer.example>") == 1
    assert b"carl" not in eve.messages[0].raw
    copy = bob.get(f"/me/messages/{draft['id']}").json()
    assert (copy["isDraft"], copy["parentFolderId"]) == (False, mailbox.folder_named("sentitems"))
    assert bob.post(f"/me/messages/{draft['id']}/send").status_code == 400
    assert mailbox.sent_count("<m7@customer.example>") == 1


def subscription_to(listener: Listener, **more: str) -> dict[str, str]:
    """What is asked for to be told of new mail."""
    return {
        "changeType": "created,updated,deleted",
        "notificationUrl": f"{listener.url}/changed",
        "resource": "me/mailFolders('inbox')/messages",
        "expirationDateTime": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "clientState": "secret",
        **more,
    }


@pytest.mark.parametrize("says", ["", "something else", "<script>"])
def test_a_listener_that_does_not_repeat_the_token_gets_no_subscription(bob: GraphClient, says: str) -> None:
    with Listener() as listener:
        listener.says = says or " "
        answer = bob.post("/subscriptions", subscription_to(listener))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ValidationError")


def test_both_urls_of_a_subscription_are_asked(bob: GraphClient) -> None:
    with Listener() as listener:
        asked = subscription_to(listener, lifecycleNotificationUrl="http://127.0.0.1:1/nobody")
        assert bob.post("/subscriptions", asked).json()["error"]["code"] == "ValidationError"


def test_a_subscription_lives_at_most_a_week_and_at_least_45_minutes(bob: GraphClient) -> None:
    now = datetime.now(UTC)
    with Listener() as listener:
        far = {**subscription_to(listener), "expirationDateTime": (now + timedelta(minutes=10_090)).isoformat()}
        near = {**subscription_to(listener), "expirationDateTime": (now + timedelta(minutes=1)).isoformat()}
        assert bob.post("/subscriptions", far).status_code == 400
        made = bob.post("/subscriptions", near).json()
        assert datetime.fromisoformat(made["expirationDateTime"]) - now > timedelta(minutes=44)
        later = (now + timedelta(days=6)).isoformat()
        renewed = bob.patch(f"/subscriptions/{made['id']}", {"expirationDateTime": later}).json()
        assert datetime.fromisoformat(renewed["expirationDateTime"]) - now > timedelta(days=5, hours=23)


def test_nobody_subscribes_to_a_shared_mailbox(bob: GraphClient, microsoft: FakeMicrosoft) -> None:
    microsoft.share("sales@work.example", with_=BOB)
    with Listener() as listener:
        asked = {**subscription_to(listener), "resource": "users/sales@work.example/messages"}
        assert bob.post("/subscriptions", asked).status_code == 403


def test_a_server_tears_a_connection_when_it_is_told_to(bob: GraphClient, microsoft: FakeMicrosoft) -> None:
    microsoft.faults.drop_next = 1
    with pytest.raises(httpx.RemoteProtocolError):
        bob.get("/me")
    assert bob.get("/me").status_code == 200
