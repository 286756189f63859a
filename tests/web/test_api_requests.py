"""What the API takes and refuses, and how it says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from postroom.api.v1 import api
from postroom.records.models import Company
from tests.cast import Cast
from tests.web.api_caller import Caller, caller_for, problem

SERVER = {"host": "127.0.0.1", "port": 1, "security": "tls", "username": "u", "password": "hunter2-secret"}
MAILBOX = {
    "provider": "imap",
    "address": "sales@tidewater.example",
    "kind": "shared",
    "keep": "everything",
    "backfill_days": 30,
    "imap": SERVER,
    "smtp": SERVER,
}
BODIES: dict[str, dict[str, Any]] = {
    "/contacts": {"name": "A", "addresses": ["a@b.example"], "title": "", "phone": ""},
    "/companies": {"name": "A", "domains": ["b.example"]},
    "/deals": {"name": "A"},
    "/mailboxes": MAILBOX | {"display_name": ""},
    "/mailboxes/check": MAILBOX | {"display_name": ""},
    "/submissions": {"to": ["a@b.example"], "subject": "x"},
}


@pytest.fixture
def alice(cast: Cast) -> Caller:
    return caller_for(cast.alice)


def places_of_strings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, str):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in places_of_strings(item, (*path, key))]


def replaced(value: Any, path: tuple[Any, ...], end: str) -> Any:
    if not path:
        return value + end
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], end)
    return copy


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("control", ["\0", "\r", "\n", "\ud800"], ids=["NUL", "CR", "LF", "surrogate"])
def test_a_control_character_in_a_field_is_refused_by_name(control: str, path: str, alice: Caller) -> None:
    places = places_of_strings(BODIES[path])
    assert places
    for place in places:
        response = alice.post(path, replaced(BODIES[path], place, f"{control}x"))
        found = problem(response, 422, "invalid_fields")
        assert ".".join(map(str, place)) in found["fields"]
        assert "hunter2" not in response.content.decode()


@pytest.mark.parametrize("field", ["text", "html"])
def test_long_text_takes_line_breaks_and_no_nul(field: str, alice: Caller) -> None:
    body = {"to": ["a@b.example"], field: "a\0b"}
    assert field in problem(alice.post("/submissions", body), 422, "invalid_fields")["fields"]
    refused = alice.post("/submissions", body | {field: "a\r\nb"}).json()
    assert refused["fields"].keys() == {"mailbox_id"}  # all that is missing is a mailbox to send from


@pytest.mark.parametrize(
    "query", ["query=%00", "query=a%0Ab", "limit=0", "limit=101", "limit=x", "next=%00", "next=abc", "next=***"]
)
def test_a_query_that_cannot_be_used_is_refused_by_name(query: str, alice: Caller) -> None:
    found = problem(alice.get(f"/contacts?{query}"), 422, "invalid_fields")
    assert found["fields"].keys() == {query.partition("=")[0]}


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"name": NaN}', b"[" * 100_000, b"nul"])
def test_what_is_no_json_is_refused(body: bytes, alice: Caller) -> None:
    problem(alice.post("/contacts", body), 400, "malformed_json")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"3"])
def test_what_is_no_object_is_refused(body: bytes, alice: Caller) -> None:
    problem(alice.post("/contacts", body), 422, "invalid_fields")


def test_a_body_beyond_the_limit_is_refused(alice: Caller, settings: LazySettings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    body = {"name": "x" * 2_000}
    problem(alice.post("/contacts", body), 413, "too_large")
    problem(alice.post("/contacts", body, **{"Idempotency-Key": "k"}), 413, "too_large")


@pytest.mark.parametrize("path", ["/nothing", "/contacts/", "/contacts/7", "/"])
def test_an_unknown_address_is_a_problem(path: str, alice: Caller) -> None:
    problem(alice.get(path), 404, "not_found")
    problem(alice.post(path, {}), 404, "not_found")


def test_an_unknown_method_is_a_problem_that_names_the_known_ones(alice: Caller) -> None:
    response = alice.call("PUT", "/contacts", {})
    problem(response, 405, "method_not_allowed")
    assert set(response["Allow"].replace(" ", "").split(",")) == {"GET", "POST"}


def test_a_defect_is_a_problem_and_says_nothing_of_its_inside(alice: Caller, caplog: pytest.LogCaptureFixture) -> None:
    contact = alice.post("/contacts", {"name": "A"}).json()
    # PostgreSQL holds a time that Python cannot: reading the row fails.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE records_contact SET created_at = 'infinity' WHERE id = %s", [contact["id"]])
    found = problem(alice.get(f"/contacts/{contact['id']}"), 500, "internal_error")
    assert "infinity" not in json.dumps(found)
    assert "failed" in caplog.text


def test_pages_lead_through_the_whole_list_once(cast: Cast, alice: Caller) -> None:
    made = [alice.post("/companies", {"name": f"Company {number}"}).json()["id"] for number in range(7)]
    seen: list[str] = []
    after = ""
    for _ in range(10):
        page = alice.get(f"/companies?limit=3&next={after}").json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
        Company.objects.create(workspace=cast.alice.workspace, name="Newcomer")  # shifts no later page
    assert seen == made[::-1]


def test_contacts_are_found_by_every_word(alice: Caller) -> None:
    alice.post("/contacts", {"name": "Katrin Voss", "addresses": ["k.voss@lagerhaus.example", "kv@home.example"]})
    alice.post("/contacts", {"name": "Ola Voss", "addresses": []})
    expected = {"voss": 2, "katrin voss": 1, "VOSS lagerhaus": 1, "example": 1, "nobody": 0, "%": 0}
    for query, count in expected.items():
        assert len(alice.get(f"/contacts?query={query.replace('%', '%25')}").json()["items"]) == count, query


def test_a_contact_lives_and_ends(alice: Caller) -> None:
    made = alice.post("/contacts", {"name": "Katrin", "addresses": ["K@lagerhaus.example"]})
    assert made.status_code == 201
    path = f"/contacts/{made.json()['id']}"
    assert alice.get(path).json() == made.json()
    changed = alice.call("PATCH", path, {"title": "Buyer", "addresses": ["k2@lagerhaus.example"]}).json()
    assert changed == made.json() | {"title": "Buyer", "addresses": ["k2@lagerhaus.example"]}
    assert alice.post(f"{path}/notes", {"text": "two\nlines"}).status_code == 201
    entries = alice.get(f"{path}/timeline").json()["items"]
    assert [(entry["kind"], entry["note"]["text"]) for entry in entries] == [("note", "two\nlines")]
    assert alice.call("DELETE", path).status_code == 204
    problem(alice.get(path), 404, "not_found")


def test_an_address_and_a_domain_belong_to_one_record(alice: Caller) -> None:
    first = alice.post("/contacts", {"name": "A", "addresses": ["a@b.example"]}).json()
    found = problem(alice.post("/contacts", {"name": "B", "addresses": ["A@B.example"]}), 409, "address_taken")
    assert found["contact_id"] == first["id"]
    alice.post("/companies", {"name": "A", "domains": ["b.example"]})
    problem(alice.post("/companies", {"name": "B", "domains": ["B.EXAMPLE"]}), 409, "domain_taken")
    found = problem(alice.post("/companies", {"name": "B", "domains": ["not a domain"]}), 422, "invalid_fields")
    assert "domains" in found["fields"]


def test_the_description_names_every_answer(db: None) -> None:
    described = Caller().client.get("/api/v1/openapi.json")
    assert described.status_code == 200
    assert described.json()["paths"].keys() == api.get_openapi_schema(path_prefix="/api/v1/")["paths"].keys()
