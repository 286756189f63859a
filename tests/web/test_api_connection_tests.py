"""/mailboxes/{id}/tests"""

from __future__ import annotations

from postroom.mailboxes.models import Mailbox
from postroom.outbox.models import State, Submission
from postroom.records.models import Contact
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox
from tests.web.api_caller import caller_for, problem


def test_a_mailbox_writes_to_itself_and_the_test_can_be_followed(cast: Cast, sales: Mailbox) -> None:
    alice = caller_for(cast.alice)
    made = alice.post(f"/mailboxes/{sales.pk}/tests", {})
    assert made.status_code == 202, made.content
    test = made.json()
    assert (test["address"], test["contact_id"], test["state"]) == (sales.address, None, "running")
    assert [step["name"] for step in test["steps"]] == ["accepted", "in_sent", "seen", "returned"]
    Submission.objects.update(state=State.FAILED, error_code="refused", error_words="550 no")
    found = caller_for(cast.bob).get(f"/mailboxes/{sales.pk}/tests/{test['id']}").json()
    stopped = found["steps"][0]
    assert (found["state"], stopped["state"], stopped["code"]) == ("stopped", "stopped", "refused")
    assert stopped["what"] and stopped["who"] and stopped["docs"].endswith("/help/refused/")
    assert stopped["server_words"] == "550 no"


def test_the_same_request_again_sends_nothing_again(cast: Cast, sales: Mailbox) -> None:
    alice = caller_for(cast.alice)
    first = alice.post(f"/mailboxes/{sales.pk}/tests", {}, **{"Idempotency-Key": "once"})
    again = alice.post(f"/mailboxes/{sales.pk}/tests", {}, **{"Idempotency-Key": "once"})
    assert first.json()["id"] == again.json()["id"] and Submission.objects.count() == 1
    refused = problem(alice.post(f"/mailboxes/{sales.pk}/tests", {}), 422, "submit_refused")
    assert refused["reason"] == "test_running"


def test_a_contact_is_named_with_one_of_its_addresses(cast: Cast, sales: Mailbox, katrin: Contact) -> None:
    alice = caller_for(cast.alice)
    tests = f"/mailboxes/{sales.pk}/tests"
    assert problem(alice.post(tests, {"contact_id": str(new_id())}), 422, "invalid_fields")
    assert problem(alice.post(tests, {"address": "kv@nordfleet.example"}), 422, "invalid_fields")
    other = {"contact_id": str(katrin.pk), "address": "other@nordfleet.example"}
    assert problem(alice.post(tests, other), 422, "submit_refused")["reason"] == "address_unknown"
    made = alice.post(tests, {"contact_id": str(katrin.pk), "address": "kv@nordfleet.example"}).json()
    assert made["address"] == "kv@nordfleet.example"
    assert [step["name"] for step in made["steps"] if not step["needed"]] == ["answered"]
    charlie = caller_for(cast.charlie)
    assert problem(charlie.get(f"{tests}/{made['id']}"), 404, "not_found")
    assert problem(charlie.post(tests, {}), 404, "not_found")


def test_a_personal_mailbox_is_its_owners_to_test(cast: Cast) -> None:
    own = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    made = caller_for(cast.alice).post(f"/mailboxes/{own.pk}/tests", {}).json()
    assert problem(caller_for(cast.bob).post(f"/mailboxes/{own.pk}/tests", {}), 404, "not_found")
    assert problem(caller_for(cast.bob).get(f"/mailboxes/{own.pk}/tests/{made['id']}"), 404, "not_found")
