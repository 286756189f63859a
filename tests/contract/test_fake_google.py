"""The fake Google answers as Google's own description and Google's own client want it (fakes/google/)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import Resource, build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from tests.fakes.google import FakeGoogle
from tests.fakes.google.calls import HANDLERS
from tests.fakes.google.discovery import NotGoogles, check, methods

ADA, BOB = "ada@example.test", "bob@customer.test"
GMAIL = "https://www.googleapis.com/auth/gmail."


def letter(number: int, more: str = "", sender: str = BOB, body: str = "Hello") -> bytes:
    return (
        f"From: Bob <{sender}>\r\nTo: {ADA}\r\nSubject: Offer {number}\r\nMessage-ID: <m{number}@customer.test>\r\n"
        f"{more}\r\n{body}\r\n"
    ).encode()


def reply(number: int, to: int, more: str = "") -> bytes:
    return (
        f"From: {ADA}\r\nTo: {BOB}\r\nSubject: Re: Offer {to}\r\nMessage-ID: <r{number}@example.test>\r\n"
        f"In-Reply-To: <m{to}@customer.test>\r\nReferences: <m{to}@customer.test>\r\n{more}\r\nThanks\r\n"
    ).encode()


def coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as google:
        google.mailbox(ADA)
        yield google


Users = Callable[..., Any]


@pytest.fixture
def users(google: FakeGoogle) -> Iterator[Users]:
    """Google's own client for a person, led to the fake."""
    with ExitStack() as services:

        def sign_in(address: str = ADA, scope: str = f"{GMAIL}modify https://mail.google.com/") -> Any:
            service: Resource = build(
                "gmail",
                "v1",
                credentials=Credentials(google.token_for(address, scope)),  # type: ignore[no-untyped-call]
                client_options={"api_endpoint": google.url},
                static_discovery=True,
                cache_discovery=False,
            )
            services.callback(service.close)
            return service.users()

        yield sign_in


def reason(error: HttpError) -> str:
    return str(json.loads(error.content)["error"]["errors"][0]["reason"])


class TestDescription:
    def test_every_call_of_the_fake_is_one_of_googles(self) -> None:
        assert set(HANDLERS) <= {method.name for method in methods()}

    @pytest.mark.parametrize(
        "answer",
        [
            {"messages": []},  # an empty list has no key
            {"messages": [{"id": "1", "uid": "2"}]},
            {"resultSizeEstimate": "1"},
            {"nextPageToken": 7},
        ],
    )
    def test_an_answer_that_google_would_not_give_is_noticed(self, answer: dict[str, Any]) -> None:
        with pytest.raises(NotGoogles):
            check(answer, "ListMessagesResponse")

    def test_numbers_of_64_bits_are_strings(self) -> None:
        check({"historyId": "12"}, "Message")
        with pytest.raises(NotGoogles):
            check({"historyId": 12}, "Message")


class TestGooglesOwnClient:
    def test_reads_a_message_in_every_format(self, google: FakeGoogle, users: Users) -> None:
        raw = letter(1)
        remote_id = google.mailbox(ADA).deliver(raw)
        one = users().messages()
        assert one.get(userId="me", id=remote_id, format="minimal").execute()["snippet"] == "Hello"
        told = one.get(userId="me", id=remote_id, format="metadata", metadataHeaders=["Subject"]).execute()
        assert told["payload"]["headers"] == [{"name": "Subject", "value": "Offer 1"}]
        whole = one.get(userId="me", id=remote_id, format="full").execute()
        assert base64.urlsafe_b64decode(whole["payload"]["body"]["data"]) == b"Hello\r\n"
        assert base64.urlsafe_b64decode(one.get(userId="me", id=remote_id, format="raw").execute()["raw"]) == raw

    def test_walks_pages_newest_first_and_leaves_spam_and_trash_out(self, google: FakeGoogle, users: Users) -> None:
        mailbox, start = google.mailbox(ADA), datetime(2026, 11, 1, tzinfo=UTC)
        ids = [mailbox.deliver(letter(n), at=start + timedelta(hours=n)) for n in range(7)]
        mailbox.deliver(letter(8), labels=("SPAM",))
        mailbox.deliver(letter(9), labels=("TRASH",))
        calls, seen = users().messages(), []
        asked = calls.list(userId="me", maxResults=3)
        while asked is not None:
            page = asked.execute()
            seen += [row["id"] for row in page["messages"]]
            asked = calls.list_next(asked, page)
        assert seen == list(reversed(ids))
        everything = calls.list(userId="me", includeSpamTrash=True).execute()
        assert len(everything["messages"]) == 9
        assert "messages" not in calls.list(userId="me", q="from:nobody@example.test").execute()

    def test_labels_are_made_worn_and_renamed(self, google: FakeGoogle, users: Users) -> None:
        remote_id = google.mailbox(ADA).deliver(letter(1))
        one = users()
        made = one.labels().create(userId="me", body={"name": "Customers/North"}).execute()
        worn = {"addLabelIds": [made["id"]], "removeLabelIds": ["UNREAD"]}
        assert one.messages().modify(userId="me", id=remote_id, body=worn).execute()["labelIds"] == [
            "INBOX",
            made["id"],
        ]
        assert one.labels().get(userId="me", id=made["id"]).execute()["messagesTotal"] == 1
        one.labels().patch(userId="me", id=made["id"], body={"name": "Customers/South"}).execute()
        names = [label["name"] for label in one.labels().list(userId="me").execute()["labels"]]
        assert "Customers/South" in names and "Customers/North" not in names
        with pytest.raises(HttpError) as refused:
            one.messages().modify(userId="me", id=remote_id, body={"addLabelIds": ["SENT"]}).execute()
        assert (refused.value.status_code, reason(refused.value)) == (400, "invalidArgument")

    def test_history_tells_all_four_kinds_and_forgets(self, google: FakeGoogle, users: Users) -> None:
        mailbox, one = google.mailbox(ADA), users()
        start = one.getProfile(userId="me").execute()["historyId"]
        remote_id = mailbox.deliver(letter(1))
        mailbox.set_labels(remote_id, ("INBOX", "STARRED"))
        mailbox.delete(remote_id)
        told = one.history().list(userId="me", startHistoryId=start).execute()
        kinds = [key for entry in told["history"] for key in entry if key not in ("id", "messages")]
        assert kinds == ["messagesAdded", "labelsAdded", "labelsRemoved", "messagesDeleted"]
        numbers = [int(entry["id"]) for entry in told["history"]]
        assert numbers == sorted(set(numbers)) and numbers != list(range(numbers[0], numbers[0] + len(numbers)))
        assert "history" not in one.history().list(userId="me", startHistoryId=told["historyId"]).execute()
        google.faults.expire_history(ADA)
        with pytest.raises(HttpError) as forgotten:
            one.history().list(userId="me", startHistoryId=start).execute()
        assert (forgotten.value.status_code, reason(forgotten.value)) == (404, "notFound")

    def test_history_has_pages_and_kinds(self, google: FakeGoogle, users: Users) -> None:
        mailbox, one = google.mailbox(ADA), users().history()
        start = str(mailbox.history.latest)
        ids = [mailbox.deliver(letter(n)) for n in range(5)]
        mailbox.set_labels(ids[0], ("INBOX",))
        asked, seen = one.list(userId="me", startHistoryId=start, maxResults=2, historyTypes="messageAdded"), []
        while asked is not None:
            page = asked.execute()
            seen += [added["message"]["id"] for entry in page["history"] for added in entry["messagesAdded"]]
            asked = one.list_next(asked, page)
        assert seen == ids

    def test_a_draft_is_sent_once_into_its_thread_and_arrives(self, google: FakeGoogle, users: Users) -> None:
        first = google.mailbox(ADA).deliver(letter(1))
        google.mailbox(BOB)
        drafts = users().drafts()
        body = {"message": {"raw": coded(reply(1, to=1)), "threadId": first}}
        draft = drafts.create(userId="me", body=body).execute()
        sent = drafts.send(userId="me", body={"id": draft["id"]}).execute()
        assert sent["threadId"] == first and sent["labelIds"] == ["SENT"] and sent["id"] != draft["message"]["id"]
        assert google.mailbox(ADA).sent_count("<r1@example.test>") == 1
        [arrived] = google.mailbox(BOB).messages.values()
        assert arrived.labels == {"INBOX", "UNREAD"} and arrived.internet_message_id == "<r1@example.test>"
        with pytest.raises(HttpError) as gone:
            drafts.send(userId="me", body={"id": draft["id"]}).execute()
        assert gone.value.status_code == 404

    def test_a_batch_answers_each_part_by_its_name(self, google: FakeGoogle, users: Users) -> None:
        remote_id = google.mailbox(ADA).deliver(letter(1))
        calls, told, failed = users().messages(), {}, {}

        def note(name: str, answer: Any, error: Any) -> None:
            (failed if error else told)[name] = error or answer

        batch = BatchHttpRequest(callback=note, batch_uri=f"{google.url}/batch/gmail/v1")
        batch.add(calls.get(userId="me", id=remote_id, format="minimal"), request_id="good")
        batch.add(calls.get(userId="me", id="1234", format="minimal"), request_id="gone")
        batch.execute()
        assert told["good"]["id"] == remote_id
        assert failed["gone"].status_code == 404
        assert google.units(ADA) == 40

    @pytest.mark.parametrize("kind", ["media", "multipart"])
    def test_an_upload_of_bytes_is_put_in(self, google: FakeGoogle, kind: str) -> None:
        raw, content_type = (
            letter(1),
            "message/rfc822",
        )  # not by Google's client: it uploads to Google whatever it is told
        content = raw
        if kind == "multipart":
            content_type = "multipart/related; boundary=b"
            content = b'--b\r\nContent-Type: application/json\r\n\r\n{"labelIds": ["INBOX"]}\r\n'
            content += b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + raw + b"\r\n--b--\r\n"
        headers = {"Authorization": f"Bearer {google.token_for(ADA)}", "Content-Type": content_type}
        url = f"{google.url}/upload/gmail/v1/users/me/messages?uploadType={kind}"
        put = httpx.post(url, content=content, headers=headers).json()
        assert google.mailbox(ADA).messages[put["id"]].raw == raw
        assert put.get("labelIds") == (["INBOX"] if kind == "multipart" else None)

    def test_the_rest_of_the_calls_answer_too(self, google: FakeGoogle, users: Users) -> None:
        mailbox, one = google.mailbox(ADA), users()
        remote_id, other = mailbox.deliver(letter(1)), mailbox.deliver(letter(2))
        mailbox.add_send_as("sales@example.test", "Sales", verification="pending")
        addresses = [row["sendAsEmail"] for row in one.settings().sendAs().list(userId="me").execute()["sendAs"]]
        assert addresses == [ADA, "sales@example.test"]
        assert len(one.threads().list(userId="me").execute()["threads"]) == 2
        assert one.threads().get(userId="me", id=remote_id).execute()["messages"][0]["id"] == remote_id
        one.messages().trash(userId="me", id=remote_id).execute()
        one.messages().batchModify(userId="me", body={"ids": [other], "addLabelIds": ["STARRED"]}).execute()
        assert "STARRED" in mailbox.messages[other].labels
        one.messages().batchDelete(userId="me", body={"ids": [remote_id]}).execute()
        one.messages().delete(userId="me", id=other).execute()
        assert mailbox.messages == {}
        draft = one.drafts().create(userId="me", body={"message": {"raw": coded(reply(1, to=1))}}).execute()
        one.drafts().update(userId="me", id=draft["id"], body={"message": {"raw": coded(reply(2, to=1))}}).execute()
        told = one.drafts().get(userId="me", id=draft["id"], format="raw").execute()["message"]
        assert b"<r2@example.test>" in base64.urlsafe_b64decode(told["raw"])
        assert len(one.drafts().list(userId="me").execute()["drafts"]) == 1
        one.drafts().delete(userId="me", id=draft["id"]).execute()
        assert one.watch(userId="me", body={"topicName": "projects/p/topics/t"}).execute()["expiration"]
        one.stop(userId="me").execute()
        assert mailbox.watch is None


class TestRules:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("from:bob@customer.test", {"bob", "starred"}),
            ("from:@customer.test -is:starred", {"bob"}),
            ("from:customer.test", {"bob", "starred"}),
            ("from:ob@customer.test", set()),
            ("{from:eve@other.test cc:carol@third.test}", {"eve", "bob"}),
            ("from:(eve@other.test OR bob@customer.test) is:unread", {"eve", "bob"}),
            ("to:ada@example.test in:trash", {"trashed"}),
            ("in:anywhere larger:1M", {"trashed"}),
            ("after:1793600000 before:1793700000", {"eve"}),
            ("after:2026/11/02 before:2026/11/04", {"eve"}),
            ("has:nouserlabels -in:inbox", {"eve"}),
            ("label:customers-north", {"starred"}),
            ("rfc822msgid:<m1@customer.test>", {"bob"}),
            ("rfc822msgid:m1@customer.test", {"bob"}),
        ],
    )
    def test_a_search_finds(self, google: FakeGoogle, users: Users, query: str, found: set[str]) -> None:
        mailbox, day = google.mailbox(ADA), datetime(2026, 11, 1, 12, tzinfo=UTC)
        north = mailbox.make_label("Customers North")
        names = {
            mailbox.deliver(letter(1, "Cc: carol@third.test\r\n"), at=day): "bob",
            mailbox.deliver(letter(2), labels=("INBOX", "STARRED", north), at=day): "starred",
            mailbox.deliver(letter(3, sender="eve@other.test"), labels=("UNREAD",), at=day + timedelta(days=1)): "eve",
            mailbox.deliver(letter(4, body="x" * 1_100_000), labels=("TRASH",), at=day): "trashed",
        }
        listed = users().messages().list(userId="me", q=query).execute().get("messages", [])
        assert {names[row["id"]] for row in listed} == found

    def test_words_that_the_fake_does_not_know_are_no_empty_answer(self, google: FakeGoogle, users: Users) -> None:
        with pytest.raises(HttpError) as unknown:
            users().messages().list(userId="me", q="form:bob@customer.test").execute()
        assert unknown.value.status_code == 400

    @pytest.mark.parametrize(
        "raw",
        [
            reply(1, to=1).replace(b"Re: Offer 1", b"Other"),
            reply(1, to=1).replace(b"<m1@customer.test>", b"<elsewhere@customer.test>"),
        ],
        ids=["another subject", "no reference into it"],
    )
    def test_a_thread_is_joined_by_its_rule_only(self, google: FakeGoogle, users: Users, raw: bytes) -> None:
        first = google.mailbox(ADA).deliver(letter(1))
        sent = users().messages().send(userId="me", body={"raw": coded(raw), "threadId": first}).execute()
        assert sent["threadId"] != first

    def test_from_is_replaced_unless_it_is_confirmed(self, google: FakeGoogle, users: Users) -> None:
        mailbox, one = google.mailbox(ADA), users().messages()
        mailbox.add_send_as("sales@example.test")
        mailbox.add_send_as("new@example.test", verification="pending")
        froms = []
        for sender in ("sales@example.test", "new@example.test", "boss@other.test"):
            raw = reply(1, to=1).replace(f"From: {ADA}".encode(), f"From: {sender}".encode())
            sent = one.send(userId="me", body={"raw": coded(raw)}).execute()
            froms.append(mailbox.messages[sent["id"]].header("From"))
        assert froms == ["sales@example.test", ADA, ADA]

    def test_bcc_readers_get_it_and_see_no_bcc(self, google: FakeGoogle, users: Users) -> None:
        hidden = google.mailbox("hidden@example.test")
        raw = coded(reply(1, to=1, more="Bcc: hidden@example.test\r\n"))
        sent = users().messages().send(userId="me", body={"raw": raw}).execute()
        [copy] = hidden.messages.values()
        assert copy.header("Bcc") == ""
        assert google.mailbox(ADA).messages[sent["id"]].header("Bcc") == "hidden@example.test"

    def test_message_ids_and_own_headers_may_be_replaced(self, google: FakeGoogle, users: Users) -> None:
        google.faults.replaces_message_id = google.faults.drops_own_headers = True
        raw = coded(reply(1, to=1, more="X-Postroom-Submission: 1\r\n"))
        sent = users().messages().send(userId="me", body={"raw": raw}).execute()
        kept = google.mailbox(ADA).messages[sent["id"]]
        assert kept.internet_message_id.endswith("@mail.gmail.com>")
        assert kept.header("X-Google-Original-Message-ID") == "<r1@example.test>"
        assert kept.header("X-Postroom-Submission") == ""
        assert google.mailbox(ADA).sent_count("<r1@example.test>") == 1


class TestRefusals:
    def test_a_token_that_is_not_known_is_refused(self, google: FakeGoogle) -> None:
        answer = httpx.get(f"{google.url}/gmail/v1/users/me/profile", headers={"Authorization": "Bearer invented"})
        assert answer.status_code == 401
        assert answer.json()["error"]["errors"][0]["reason"] == "authError"

    def test_expired_and_revoked_tokens_are_refused(self, google: FakeGoogle) -> None:
        for end in (google.faults.expire_tokens, google.faults.revoke):
            headers = {"Authorization": f"Bearer {google.token_for(ADA)}"}
            assert httpx.get(f"{google.url}/gmail/v1/users/me/profile", headers=headers).status_code == 200
            end(ADA)
            assert httpx.get(f"{google.url}/gmail/v1/users/me/profile", headers=headers).status_code == 401

    def test_scopes_are_googles(self, google: FakeGoogle, users: Users) -> None:
        with pytest.raises(HttpError) as refused:
            users(scope=f"{GMAIL}send").messages().list(userId="me").execute()
        assert (refused.value.status_code, reason(refused.value)) == (403, "insufficientPermissions")

    def test_another_persons_mailbox_is_closed(self, google: FakeGoogle, users: Users) -> None:
        with pytest.raises(HttpError) as refused:
            users().getProfile(userId=BOB).execute()
        assert refused.value.status_code == 403

    def test_a_minute_holds_so_many_units_and_no_more(self, google: FakeGoogle, users: Users) -> None:
        google.faults.enforces_quota, google.faults.units_a_minute = True, 100
        remote_id, one = google.mailbox(ADA).deliver(letter(1)), users().messages()
        for _ in range(5):
            one.get(userId="me", id=remote_id).execute()
        with pytest.raises(HttpError) as refused:
            one.get(userId="me", id=remote_id).execute()
        assert (refused.value.status_code, reason(refused.value)) == (429, "rateLimitExceeded")
        assert google.units(ADA) == 100

    def test_too_much_says_when_to_come_again(self, google: FakeGoogle) -> None:
        google.faults.throttle_next = (403, "userRateLimitExceeded", 30.0, 1)
        headers = {"Authorization": f"Bearer {google.token_for(ADA)}"}
        answer = httpx.get(f"{google.url}/gmail/v1/users/me/profile", headers=headers)
        assert answer.status_code == 403 and answer.headers["retry-after"] == "30"
        assert "Retry after 20" in answer.json()["error"]["message"]
        assert httpx.get(f"{google.url}/gmail/v1/users/me/profile", headers=headers).status_code == 200

    def test_a_send_may_be_taken_and_never_answered(self, google: FakeGoogle) -> None:
        google.faults.time_out_after_accepting = google.faults.time_out_before_accepting = 1
        google.faults.silence_seconds = 0.05
        headers = {"Authorization": f"Bearer {google.token_for(ADA)}"}
        counts = []
        for number in (1, 2):
            body = {"raw": coded(reply(number, to=1))}
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.post(f"{google.url}/gmail/v1/users/me/messages/send", json=body, headers=headers)
            counts.append(google.mailbox(ADA).sent_count(f"<r{number}@example.test>"))
        assert counts == [0, 1]
