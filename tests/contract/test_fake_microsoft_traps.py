"""The traps of Graph mail that the fake sets, as Microsoft's documents tell of them (research: concepts/*.md)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.fakes.microsoft import FakeMailbox, FakeMicrosoft
from tests.fakes.microsoft.client import GraphClient, letter

BOB = "bob@work.example"
DELTA = "/me/mailFolders/inbox/messages/delta?$select=isRead,flag"


@pytest.fixture
def microsoft() -> Iterator[FakeMicrosoft]:
    with FakeMicrosoft() as microsoft:
        yield microsoft


@pytest.fixture
def mailbox(microsoft: FakeMicrosoft) -> FakeMailbox:
    return microsoft.mailbox(BOB)


@pytest.fixture
def bob(microsoft: FakeMicrosoft, mailbox: FakeMailbox) -> Iterator[GraphClient]:
    with GraphClient(microsoft, BOB) as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestIds:
    def test_an_immutable_id_survives_a_move_and_the_other_does_not(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        mailbox.deliver(letter())
        lasting = bob.get("/me/messages").json()["value"][0]["id"]
        with GraphClient(microsoft, BOB, immutable=False) as careless:
            passing = careless.get("/me/messages").json()["value"][0]["id"]
            moved = careless.post(f"/me/messages/{passing}/move", {"destinationId": "archive"}).json()["id"]
            assert moved != passing
            assert code_of(careless.get(f"/me/messages/{passing}")) == (404, "ErrorItemNotFound")
            assert careless.get(f"/me/messages/{moved}").status_code == 200
        assert bob.get(f"/me/messages/{lasting}").status_code == 200

    def test_a_part_of_a_batch_asks_for_immutable_ids_itself(self, bob: GraphClient, mailbox: FakeMailbox) -> None:
        lasting = mailbox.deliver(letter())
        part = {"method": "GET", "url": f"/me/messages/{lasting}?$select=id"}
        prefer = {"Prefer": 'IdType="ImmutableId"'}
        parts = [{"id": "1", **part}, {"id": "2", "headers": prefer, **part}]
        answers = {one["id"]: one for one in bob.post("/$batch", {"requests": parts}).json()["responses"]}
        assert answers["1"]["body"]["id"] != lasting
        assert answers["2"]["body"]["id"] == lasting


class TestDelta:
    def test_a_round_lists_everything_and_then_changes_only(self, bob: GraphClient, mailbox: FakeMailbox) -> None:
        ids = [mailbox.deliver(letter(number)) for number in range(25)]
        items, link = bob.walk(DELTA, page=10)
        assert {item["id"] for item in items} == set(ids)
        mailbox.update(ids[0], is_read=True)
        mailbox.move(ids[1], "archive")
        mailbox.delete(ids[2])
        new = mailbox.deliver(letter(99))
        told = {item["id"]: item for item in bob.walk(link)[0]}
        assert "flag" not in told[ids[0]]  # only what changed
        assert told[ids[0]]["isRead"] is True
        assert told[ids[1]] == {"id": ids[1], "@removed": {"reason": "changed"}}
        assert told[ids[2]] == {"id": ids[2], "@removed": {"reason": "deleted"}}
        assert set(told) == {*ids[:3], new}
        assert {item["id"] for item in bob.walk(link)[0]} == set(told)  # a deltaLink can be replayed

    def test_what_is_asked_for_is_settled_by_the_first_call(self, bob: GraphClient, mailbox: FakeMailbox) -> None:
        _, link = bob.walk(DELTA)
        assert bob.get(f"{link}&$select=subject").status_code == 400

    def test_mail_that_comes_during_a_walk_is_told_by_its_delta_link(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        ids = [mailbox.deliver(letter(number)) for number in range(25)]
        meanwhile: list[str] = []

        def shift() -> None:
            meanwhile.append(mailbox.deliver(letter(100 + len(meanwhile))))
            if len(meanwhile) == 1:
                mailbox.delete(ids[0])

        microsoft.faults.after_page = shift
        items, link = bob.walk(DELTA, page=10)
        microsoft.faults.after_page = None
        listed = {item["id"] for item in items}
        later = {item["id"]: item for item in bob.walk(link)[0]}
        assert len(meanwhile) == 2
        assert set(meanwhile) <= listed | set(later)
        assert "@removed" in later[ids[0]]
        assert listed | set(later) == {*ids, *meanwhile}

    def test_pages_may_repeat_items_in_any_order(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        ids = [mailbox.deliver(letter(number)) for number in range(25)]
        microsoft.faults.repeats_items = microsoft.faults.shuffles = True
        told = [item["id"] for item in bob.walk(DELTA, page=10)[0]]
        assert len(told) > len(set(told)) == len(ids)
        assert list(dict.fromkeys(told)) not in (ids, ids[::-1])

    def test_a_token_may_be_gone(self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft) -> None:
        _, link = bob.walk(DELTA)
        microsoft.faults.expire_delta = "410"
        gone = bob.get(link)
        assert code_of(gone) == (410, "resyncRequired")
        assert bob.get(gone.headers["location"].partition("?")[0]).status_code == 200
        microsoft.faults.expire_delta = "syncStateNotFound"
        assert code_of(bob.get(link)) == (400, "syncStateNotFound")
        mailbox.forget_changes()
        assert bob.get(link).status_code == bob.get(link).status_code == 410

    def test_a_page_may_be_gone_in_the_middle_of_a_walk(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        for number in range(15):
            mailbox.deliver(letter(number))
        page = bob.get(DELTA).json()["@odata.nextLink"]
        microsoft.faults.expire_pages = 1
        assert bob.get(page).status_code == 410

    def test_folders_have_a_delta_of_their_own(self, bob: GraphClient, mailbox: FakeMailbox) -> None:
        _, link = bob.walk("/me/mailFolders/delta")
        made = mailbox.make_folder("Projects", parent="inbox")
        mailbox.delete_folder("archive")
        told = bob.walk(link)[0]
        assert {item.get("displayName", "gone") for item in told} == {"Projects", "gone"}
        assert made in {item["id"] for item in told}


class TestListing:
    def test_pages_are_short_and_filters_and_orders_limited(self, bob: GraphClient, mailbox: FakeMailbox) -> None:
        for number in range(12):
            mailbox.deliver(letter(number))
        first = bob.get("/me/mailFolders/inbox/messages").json()
        assert len(first["value"]) == 10
        assert len(bob.get(first["@odata.nextLink"]).json()["value"]) == 2
        found = bob.get("/me/messages", params={"$filter": "internetMessageId eq '<m3@customer.example>'"}).json()
        assert [one["subject"] for one in found["value"]] == ["Offer 3"]
        order = {"$filter": "isRead eq false", "$orderby": "receivedDateTime desc"}
        assert code_of(bob.get("/me/messages", params=order)) == (400, "InefficientFilter")

    def test_nothing_says_which_folder_is_well_known(self, bob: GraphClient) -> None:
        assert all("wellKnownName" not in folder for folder in bob.get("/me/mailFolders?$top=50").json()["value"])
        assert bob.get("/me/mailFolders/sentitems").json()["displayName"] == "Sent Items"


class TestSending:
    def test_only_x_headers_are_taken(self, bob: GraphClient) -> None:
        own = [{"name": "In-Reply-To", "value": "<a@b.example>"}]
        answer = bob.post("/me/messages", {"subject": "Hi", "internetMessageHeaders": own})
        assert code_of(answer) == (400, "InvalidInternetMessageHeader")
        own = [{"name": f"x-{number}", "value": "1"} for number in range(6)]
        answer = bob.post("/me/messages", {"subject": "Hi", "internetMessageHeaders": own})
        assert code_of(answer) == (400, "InvalidInternetMessageHeaderCollection")

    def test_bad_base64_is_no_mime(self, bob: GraphClient) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base64, "b64encode", lambda raw: b"%%%")
            answer = bob.post_mime("/me/messages", letter())
        assert code_of(answer) == (400, "ErrorMimeContentInvalidBase64String")

    def test_a_reply_goes_to_reply_to_in_the_same_conversation(self, bob: GraphClient, mailbox: FakeMailbox) -> None:
        original = mailbox.deliver(letter(1, Reply_To="desk@customer.example"))
        reply = bob.post(f"/me/messages/{original}/createReply", {}).json()
        assert reply["toRecipients"][0]["emailAddress"]["address"] == "desk@customer.example"
        assert reply["conversationId"] == bob.get(f"/me/messages/{original}").json()["conversationId"]
        raw = bob.get(f"/me/messages/{reply['id']}/$value").text
        assert "In-Reply-To: <m1@customer.example>" in raw
        both = {"comment": "a", "message": {"body": {"contentType": "text", "content": "b"}}}
        assert bob.post(f"/me/messages/{original}/createReply", both).status_code == 400

    def test_time_outs_leave_it_open_whether_a_message_left(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        microsoft.faults.silence_seconds = 0.05
        for fault, sent in (
            ("time_out_before_accepting", 0),
            ("time_out_after_accepting", 1),
            ("drop_after_accepting", 1),
        ):
            setattr(microsoft.faults, fault, 1)
            draft = bob.post_mime("/me/messages", letter(9, sender=BOB, to="x@customer.example")).json()["id"]
            with pytest.raises(httpx.RemoteProtocolError):
                bob.post(f"/me/messages/{draft}/send")
            assert mailbox.sent_count("<m9@customer.example>") == sent
            assert bob.get(f"/me/messages/{draft}").json()["isDraft"] is (sent == 0)
            mailbox.submitted.clear()

    def test_the_sent_copy_may_be_missing_for_a_while(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        microsoft.faults.sent_copy_after_seconds = 0.3
        sent = "/me/mailFolders/sentitems/messages/delta"
        _, link = bob.walk(sent)
        draft = bob.post_mime("/me/messages", letter(9, sender=BOB, to="x@customer.example")).json()["id"]
        assert bob.post(f"/me/messages/{draft}/send").status_code == 202
        assert bob.get(f"/me/messages/{draft}").status_code == 404
        items, link = bob.walk(link)
        assert items == []
        microsoft.faults.sent_copy_after_seconds = 0.0
        mailbox.find(draft).hidden_until = 0.0
        assert bob.get(f"/me/messages/{draft}").json()["isDraft"] is False
        assert [item["id"] for item in bob.walk(link)[0]] == [draft]

    def test_a_message_id_may_be_replaced(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        microsoft.faults.replaces_message_id = True
        draft = bob.post_mime("/me/messages", letter(9, sender=BOB, to="x@customer.example")).json()["id"]
        bob.post(f"/me/messages/{draft}/send")
        assert bob.get(f"/me/messages/{draft}").json()["internetMessageId"].endswith("prod.outlook.com>")
        assert mailbox.sent_count("<m9@customer.example>") == 1

    def test_large_files_go_up_in_order_and_without_a_token(self, bob: GraphClient) -> None:
        draft = bob.post("/me/messages", {"subject": "Film"}).json()["id"]
        octets = bytes(range(256)) * 20_000
        item = {"AttachmentItem": {"attachmentType": "file", "name": "film.bin", "size": len(octets)}}
        url = bob.post(f"/me/messages/{draft}/attachments/createUploadSession", item).json()["uploadUrl"]
        half = 3_200_000

        def put(begin: int, end: int, **headers: str) -> httpx.Response:
            span = f"bytes {begin}-{end - 1}/{len(octets)}"
            return httpx.put(url, content=octets[begin:end], headers={"Content-Range": span, **headers})

        assert put(0, half, Authorization="Bearer x").status_code == 401
        assert put(half, len(octets)).status_code == 416
        assert put(0, half).json()["nextExpectedRanges"] == [str(half)]
        last = put(half, len(octets))
        assert (last.status_code, last.content) == (201, b"")
        assert "attachments" in last.headers["location"]
        files = bob.get(f"/me/messages/{draft}/attachments").json()["value"]
        assert base64.b64decode(files[0]["contentBytes"]) == octets


class TestRights:
    def test_a_shared_mailbox_needs_full_access_and_the_shared_scope(self, microsoft: FakeMicrosoft) -> None:
        microsoft.share("sales@work.example", with_=BOB, send_as=False)
        own_only = "User.Read Mail.ReadWrite Mail.Send"
        with GraphClient(microsoft, BOB) as bob, GraphClient(microsoft, BOB, scope=own_only) as narrow:
            assert bob.get("/users/sales@work.example/mailFolders/inbox").status_code == 200
            assert code_of(narrow.get("/users/sales@work.example/mailFolders/inbox")) == (403, "ErrorAccessDenied")
            microsoft.share("sales@work.example", with_=BOB, full_access=False)
            assert code_of(bob.get("/users/sales@work.example/messages")) == (403, "ErrorAccessDenied")

    def test_sending_as_another_needs_the_right(self, bob: GraphClient, microsoft: FakeMicrosoft) -> None:
        raw = letter(5, sender="sales@work.example", to="x@customer.example")
        sales = microsoft.share("sales@work.example", with_=BOB, send_as=False)
        assert code_of(bob.post_mime("/me/sendMail", raw)) == (403, "ErrorSendAsDenied")
        microsoft.share("sales@work.example", with_=BOB, send_as=True)
        draft = bob.post_mime("/users/sales@work.example/messages", raw).json()["id"]
        assert bob.post(f"/users/sales@work.example/messages/{draft}/send").status_code == 202
        assert [message.id for message in sales.messages_in("sentitems")] == [draft]

    def test_sending_on_behalf_names_the_sender(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        microsoft.mailbox("boss@work.example").share(BOB, full_access=False, on_behalf=True)
        raw = letter(5, sender="boss@work.example", to="x@customer.example")
        assert bob.post_mime("/me/sendMail", raw).status_code == 202
        shown = bob.get("/me/mailFolders/sentitems/messages").json()["value"][0]
        assert shown["from"]["emailAddress"]["address"] == "boss@work.example"
        assert shown["sender"]["emailAddress"]["address"] == BOB

    def test_tokens_are_known_fresh_and_for_graph(self, bob: GraphClient, microsoft: FakeMicrosoft) -> None:
        assert code_of(httpx.get(f"{microsoft.api}/me", headers={"Authorization": "Bearer nobody"}))[0] == 401
        microsoft.faults.expire_tokens(BOB)
        assert code_of(bob.get("/me")) == (401, "InvalidAuthenticationToken")


class TestLimits:
    def test_more_than_four_at_once_are_too_many(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        microsoft.faults.delay_seconds = 0.2
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: bob.get("/me/messages"), range(6)))
        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [429] * 2
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert code_of(refused) == (429, "ApplicationThrottled")
        assert "MailboxConcurrency" in refused.json()["error"]["message"]
        assert microsoft.most_at_once[BOB] == 6

    @pytest.mark.parametrize("as_date", [False, True])
    def test_early_calls_are_noticed(self, bob: GraphClient, microsoft: FakeMicrosoft, as_date: bool) -> None:
        microsoft.faults.throttle_next = (429, "ApplicationThrottled", 30.0, 1)
        microsoft.faults.retry_after_as_date = as_date
        wait = bob.get("/me/messages").headers["retry-after"]
        assert parsedate_to_datetime(wait) if as_date else int(wait) == 30
        assert bob.get("/me/messages").status_code == 200  # nobody stops who does not wait
        assert len(microsoft.early_calls(BOB)) == 1

    def test_a_batch_has_at_most_20_parts_with_a_status_each(
        self, bob: GraphClient, mailbox: FakeMailbox, microsoft: FakeMicrosoft
    ) -> None:
        message = mailbox.deliver(letter())
        parts: list[dict[str, Any]] = [
            {"id": str(number), "method": "GET", "url": f"/me/messages/{message}"} for number in range(21)
        ]
        assert bob.post("/$batch", {"requests": parts}).status_code == 400
        microsoft.faults.throttle_batch_parts = 1
        parts = [
            {"id": "1", "method": "GET", "url": "/me/messages/nobody"},
            {"id": "2", "method": "GET", "url": f"/me/messages/{message}/$value"},
            {"id": "3", "method": "GET", "url": f"/me/messages/{message}", "dependsOn": ["1"]},
        ]
        told = bob.post("/$batch", {"requests": parts}).json()["responses"]
        assert [one["id"] for one in told] == ["3", "2", "1"]  # in no order
        assert [one["status"] for one in told] == [424, 200, 429]
        assert told[2]["headers"]["Retry-After"] == "1"
        assert base64.b64decode(told[1]["body"]) == letter()
