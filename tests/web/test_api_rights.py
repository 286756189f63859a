"""Who gets what from the API: every address with every role and a foreign object, read from the API's own routes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from postroom.api.v1 import api
from postroom.correspondence.models import Attachment
from postroom.filing.people import add_contact, add_deal
from postroom.mail.message import Address
from postroom.mailboxes.models import Folder
from postroom.outbox.models import ConnectionTest
from postroom.outbox.submit import Composition, submit
from postroom.records.companies import add_company
from postroom.workspaces.models import ApiToken, ApprovalRequest
from tests.cast import Cast, make_mailbox
from tests.web.api_caller import Caller, caller_for, problem
from tests.web.correspondence import Letter, put

SCHEMA = api.get_openapi_schema(path_prefix="/api/v1/")
ROUTES = [(method.upper(), path) for path, methods in SCHEMA["paths"].items() for method in methods]
PROTECTED = [route for route in ROUTES if route[1] != "/api/v1/health"]
OF_ONE_OBJECT = [route for route in PROTECTED if "{" in route[1]]
BODIES: dict[str, Any] = {
    "backfill": {"days": 5},
    "notes": {"text": "x"},
    "answer": {"answer": "wait"},
    "refuse": {"answer": "No."},
}
SHARED_BY_THE_WORKSPACE = ("contacts", "companies", "deals")


@pytest.fixture
def objects(cast: Cast) -> dict[str, Any]:
    """One object of Alice's for every collection; all mail lies in her personal mailbox, shared with nobody."""
    mailbox = make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    letter = Letter(
        at=datetime(2026, 11, 1, tzinfo=UTC),
        sender=("Katrin", "katrin@lagerhaus.example"),
        to=[("Alice", mailbox.address)],
        subject="Private",
        files=[("plan.pdf", "application/pdf", b"%PDF")],
    )
    message = put(mailbox, letter)
    composition = Composition(to=[Address("katrin@lagerhaus.example")], text="hi", mailbox_id=mailbox.pk)
    held = {"held_code": "mass_deletion", "held_facts": {"gone": 142, "known": 300}, "role": "archive"}
    archive = Folder.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, remote_name="Archive", name="Archive", **held
    )
    return {
        "mailboxes": mailbox.pk,
        "folders": archive.pk,
        "tests": ConnectionTest.objects.create(
            workspace=mailbox.workspace, mailbox=mailbox, address="katrin@lagerhaus.example"
        ).pk,
        "messages": message.pk,
        "attachments": Attachment.objects.get(message_id=message.pk).pk,
        "submissions": submit(cast.alice, composition, undo_seconds=3600).pk,
        "contacts": add_contact(cast.alice, "Katrin", ["katrin@lagerhaus.example"]).pk,
        "companies": add_company(cast.alice, "Lagerhaus", ["lagerhaus.example"]).pk,
        "deals": add_deal(cast.alice, "12 bikes", []).pk,
        "approvals": ApprovalRequest.objects.create(workspace=mailbox.workspace, user=cast.alice.user).pk,
        "members": cast.bob.user.pk,
    }


def call(caller: Caller, route: tuple[str, str], objects: dict[str, Any]) -> Any:
    method, path = route
    collection, last = path.split("/")[3], path.rsplit("/", 1)[-1]
    start, _, rest = path.partition("{")
    address = start + str(objects[collection]) + rest.partition("}")[2] if rest else path
    address = address.replace("{folder_id}", str(objects["folders"])).replace("{test_id}", str(objects["tests"]))
    return caller.call(method, address, BODIES.get(last, {}) if method in ("POST", "PATCH") else None)


def test_the_routes_are_those_of_the_contract() -> None:
    assert len(OF_ONE_OBJECT) >= 24
    collections = {path.split("/")[3] for _, path in ROUTES}
    assert collections == {
        *SHARED_BY_THE_WORKSPACE,
        *("mailboxes", "messages", "attachments", "submissions", "health", "explain"),
        *("approvals", "connect-policy", "members"),
    }


@pytest.mark.parametrize("route", OF_ONE_OBJECT, ids=" ".join)
def test_another_workspaces_objects_are_not_found(route: tuple[str, str], cast: Cast, objects: dict[str, Any]) -> None:
    problem(call(caller_for(cast.charlie), route, objects), 404, "not_found")


@pytest.mark.parametrize("route", OF_ONE_OBJECT, ids=" ".join)
def test_a_colleague_finds_records_but_nothing_of_a_personal_mailbox(
    route: tuple[str, str], cast: Cast, objects: dict[str, Any]
) -> None:
    response = call(caller_for(cast.bob), route, objects)
    if route[1].split("/")[3] in SHARED_BY_THE_WORKSPACE:
        assert response.status_code in (200, 201, 204), response.content
    else:
        problem(response, 404, "not_found")


@pytest.mark.parametrize("route", OF_ONE_OBJECT, ids=" ".join)
def test_the_owner_reaches_all_that_is_hers(route: tuple[str, str], cast: Cast, objects: dict[str, Any]) -> None:
    response = call(caller_for(cast.alice), route, objects)
    response.close()  # the download's file
    assert response.status_code in (200, 201, 202, 204)


@pytest.mark.parametrize("token", ["", "postroom_wrong", "wrong", "Ünïcode"])
def test_without_a_good_token_nothing_is_answered(token: str, objects: dict[str, Any]) -> None:
    for route in PROTECTED:
        response = call(Caller(token), route, objects)
        problem(response, 401, "unauthorized")
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_lists_hold_nothing_of_another_workspace(cast: Cast, objects: dict[str, Any]) -> None:
    for collection in ("mailboxes", *SHARED_BY_THE_WORKSPACE):
        assert caller_for(cast.charlie).get(f"/{collection}").json() == {"items": [], "next": None}
        assert len(caller_for(cast.alice).get(f"/{collection}").json()["items"]) == 1
    assert caller_for(cast.bob).get("/mailboxes").json()["items"] == []


def test_a_colleague_may_not_change_a_shared_mailbox_but_sync_it(cast: Cast) -> None:
    mailbox = make_mailbox(cast.alice, "sales@tidewater.example")
    bob = caller_for(cast.bob)
    assert bob.get(f"/mailboxes/{mailbox.pk}").json()["address"] == "sales@tidewater.example"
    assert bob.post(f"/mailboxes/{mailbox.pk}/sync").status_code == 202
    problem(bob.call("PATCH", f"/mailboxes/{mailbox.pk}", {"display_name": "Bob"}), 404, "not_found")
    problem(bob.call("DELETE", f"/mailboxes/{mailbox.pk}"), 404, "not_found")


def test_records_of_another_workspace_cannot_be_named_in_a_body(cast: Cast, objects: dict[str, Any]) -> None:
    charlie = caller_for(cast.charlie)
    refused = charlie.post("/deals", {"name": "x", "contact_ids": [str(objects["contacts"])]})
    assert "contact_ids" in problem(refused, 422, "invalid_fields")["fields"]
    refused = charlie.post("/contacts", {"name": "x", "company_id": str(objects["companies"])})
    assert "company_id" in problem(refused, 422, "invalid_fields")["fields"]
    for more in (
        {"mailbox_id": str(objects["mailboxes"])},
        {"record": {"type": "contact", "id": str(objects["contacts"])}},
        {"in_reply_to": str(objects["messages"])},
    ):
        body = {"to": ["a@b.example"], "text": "x"} | more
        fields = charlie.post("/submissions", body).json()["fields"]
        assert fields.keys() == more.keys()


def test_a_cookie_is_no_token(cast: Cast) -> None:
    caller = Caller()
    caller.client.force_login(cast.alice.user)
    problem(caller.get("/contacts"), 401, "unauthorized")


def test_the_token_of_a_user_who_left_is_void(cast: Cast) -> None:
    caller = caller_for(cast.bob)
    assert caller.get("/contacts").status_code == 200
    cast.bob.user.is_active = False
    cast.bob.user.save()
    problem(caller.get("/contacts"), 401, "unauthorized")


def test_the_use_of_a_token_is_noted_once_a_minute(cast: Cast) -> None:
    caller = caller_for(cast.alice)
    caller.get("/contacts")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    caller.get("/contacts")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    caller.get("/contacts")
    assert ApiToken.objects.get().last_used_at > first


def test_health_needs_no_token_and_tells_of_a_missing_worker(db: None) -> None:
    response = Caller().get("/health")
    assert response.status_code == 503
    assert response.json() | {"version": ""} == {"ok": False, "database": True, "worker": False, "version": ""}
