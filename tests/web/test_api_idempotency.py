"""The same key and body give the same answer, once done."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from postroom.api.idempotency import KEPT_FOR, forget_old_keys
from postroom.api.models import IdempotencyKey
from postroom.outbox.models import Submission
from postroom.records.models import Contact
from tests.cast import Cast, make_cast, make_mailbox
from tests.web.api_caller import caller_for, problem

BODY = {"name": "Katrin", "addresses": ["katrin@lagerhaus.example"]}
KEY = {"Idempotency-Key": "one"}


def test_the_same_request_is_answered_again_and_done_once(cast: Cast) -> None:
    alice = caller_for(cast.alice)
    first = alice.post("/contacts", BODY, **KEY)
    again = alice.post("/contacts", BODY, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Contact.objects.count() == 1


def test_a_submission_is_queued_once(cast: Cast) -> None:
    make_mailbox(cast.alice, "sales@tidewater.example")
    alice = caller_for(cast.alice)
    body = {"to": "Katrin <katrin@lagerhaus.example>", "subject": "Hi", "text": "x", "send_at": "2030-01-01T00:00:00Z"}
    first = alice.post("/submissions", body, **KEY)
    assert first.status_code == 202, first.content
    assert first.json()["from"]["address"] == "sales@tidewater.example"
    assert first.json()["reason_for_from"]
    assert alice.post("/submissions", body, **KEY).json() == first.json()
    assert Submission.objects.count() == 1
    path = f"/submissions/{first.json()['id']}"
    assert alice.call("DELETE", path).status_code == 204
    assert alice.get(path).json()["state"] == "cancelled"
    problem(alice.call("DELETE", path), 409, "too_late")


def test_another_body_or_address_with_the_key_is_refused(cast: Cast) -> None:
    alice = caller_for(cast.alice)
    alice.post("/contacts", BODY, **KEY)
    problem(alice.post("/contacts", BODY | {"name": "Ola"}, **KEY), 409, "idempotency_key_reused")
    problem(alice.post("/companies", BODY, **KEY), 409, "idempotency_key_reused")
    assert Contact.objects.count() == 1


def test_an_answer_that_made_nothing_is_not_kept(cast: Cast) -> None:
    alice = caller_for(cast.alice)
    problem(alice.post("/contacts", {"name": ""}, **KEY), 422, "invalid_fields")
    assert IdempotencyKey.objects.count() == 0
    assert alice.post("/contacts", BODY, **KEY).status_code == 201


def test_a_colleagues_key_is_another_key(cast: Cast) -> None:
    first = caller_for(cast.alice).post("/companies", {"name": "A"}, **KEY).json()
    assert caller_for(cast.bob).post("/companies", {"name": "A"}, **KEY).json()["id"] != first["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_cannot_be_used_is_refused(key: str, cast: Cast) -> None:
    refused = caller_for(cast.alice).post("/contacts", BODY, **{"Idempotency-Key": key})
    assert "Idempotency-Key" in problem(refused, 422, "invalid_fields")["fields"]


def test_what_is_kept_of_a_request_lets_nobody_guess_the_password_in_it(cast: Cast) -> None:
    caller_for(cast.alice).post("/contacts", BODY, **KEY)
    said = b"POST /api/v1/contacts\n" + json.dumps(BODY).encode()
    assert IdempotencyKey.objects.get().request_digest != hashlib.sha256(said).hexdigest()


def test_a_key_without_a_token_is_only_refused(db: None) -> None:
    from tests.web.api_caller import Caller

    problem(Caller("postroom_wrong").post("/contacts", BODY, **KEY), 401, "unauthorized")
    assert IdempotencyKey.objects.count() == 0


def test_keys_are_forgotten_after_two_days(cast: Cast) -> None:
    caller_for(cast.alice).post("/contacts", BODY, **KEY)
    assert forget_old_keys() == 0
    IdempotencyKey.objects.update(created_at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    assert forget_old_keys() == 1


@pytest.mark.django_db(transaction=True)
def test_requests_at_the_same_time_make_one_contact() -> None:
    member = make_cast().alice
    callers = [caller_for(member) for _ in range(6)]
    start = threading.Barrier(len(callers))
    statuses: list[int] = []

    def call(number: int) -> None:
        start.wait(10)
        try:
            statuses.append(callers[number].post("/contacts", BODY, **KEY).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(statuses) == len(callers)
    assert 201 in statuses
    assert set(statuses) <= {201, 409}
    assert Contact.objects.count() == 1
