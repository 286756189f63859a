"""/settings/approvals/, the banner on the ways of connecting, and the API's /approvals and /connect-policy."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Mailbox
from postroom.workspaces import approval
from postroom.workspaces.models import ApprovalRequest
from tests.cast import Cast
from tests.web.api_caller import caller_for, problem
from tests.web.streaming import closed_threads, stream
from tests.web.test_connect import CHECK, TYPED

__all__ = ["closed_threads"]  # a fixture

PAGE = "/settings/approvals/"
ASK = f"{PAGE}ask/"
CONNECT = "/settings/mailboxes/connect/"
BOB = "bob@tidewater.example"
BOB_AT_GMX = "bob@gmx.de"  # whose servers are in the list that ships
ASKED = {"provider": "imap", "address": BOB, "kind": "personal", "words": "My customers <write> there."}
RULES = {
    "provider_gmail": "everyone",
    "provider_outlook": "everyone",
    "provider_imap": "ask",
    "personal": "everyone",
    "shared": "nobody",
    "domains": "Tidewater.example\n@lagerhaus.example",
}


@pytest.fixture
def by_approval(cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={"imap": "ask"}, personal="everyone", shared="everyone", domains=[])


def only() -> ApprovalRequest:
    return ApprovalRequest.objects.get()


def test_an_administrator_keeps_the_rules(alice: Client, cast: Cast) -> None:
    assert alice.post(f"{PAGE}policy/", RULES).status_code == 302
    kept = approval.policy_of(cast.alice.workspace)
    assert (kept.providers, kept.personal, kept.shared) == ({"imap": "ask"}, "everyone", "nobody")
    assert kept.domains == ["lagerhaus.example", "tidewater.example"]
    html = alice.get(PAGE).content.decode()
    assert '<option value="ask" selected>' in html and "lagerhaus.example" in html


@pytest.mark.parametrize("wrong", [{"domains": "no domain"}, {"domains": "x@y@z"}, {"personal": "perhaps"}])
def test_rules_that_cannot_be_kept_are_told_beside_the_field(alice: Client, wrong: dict[str, str]) -> None:
    response = alice.post(f"{PAGE}policy/", RULES | wrong)
    assert response.status_code == 422 and "field-error" in response.content.decode()


def test_members_neither_see_the_rules_nor_decide(bob: Client, cast: Cast, by_approval: None) -> None:
    assert "The rules for members" not in bob.get(PAGE).content.decode()
    assert bob.post(f"{PAGE}policy/", RULES).status_code == 403
    asked = approval.ask(cast.bob, "imap", BOB, "personal")
    for act in ("grant", "refusal"):
        assert bob.post(f"{PAGE}{asked.pk}/{act}/", {"answer": "x"}).status_code == 403
    assert only().state == "asked"


@pytest.mark.usefixtures("closed_threads", "by_approval")
@pytest.mark.django_db(transaction=True)
async def test_a_check_that_is_refused_does_not_go_on_working(bob: Client) -> None:
    told = {
        line["into"]: line["html"] for line in await stream(bob, CHECK, TYPED | {"address": BOB, "kind": "personal"})
    }
    assert "connect_needs_approval" in told["check-verdict"]
    assert "Not tried" in told["state-imap"] and "Not tried" in told["state-smtp"]


def test_a_member_asks_and_an_administrator_grants_it_with_the_number_on_every_page(
    alice: Client, bob: Client, cast: Cast, by_approval: None
) -> None:
    response = bob.post(CHECK, TYPED | {"address": BOB, "kind": "personal"})
    html = response.content.decode()
    assert 'data-refusal="connect_needs_approval"' in html and "Ask for approval" in html
    assert not Mailbox.objects.exists()
    ask_url = f"{ASK}?provider=imap&address=bob%40tidewater.example&kind=personal"
    assert ask_url.replace("&", "&amp;") in html
    assert f'value="{BOB}"' in bob.get(ask_url).content.decode()
    assert bob.post(ASK, ASKED)["Location"] == PAGE
    assert "Withdraw" in bob.get(PAGE).content.decode()

    assert "request to decide" in alice.get("/").content.decode()
    html = alice.get(PAGE).content.decode()
    assert "Bob Lindqvist" in html and "My customers &lt;write&gt; there." in html
    assert alice.post(f"{PAGE}{only().pk}/grant/").status_code == 302
    assert (only().state, only().decided_by) == ("granted", cast.alice.user)
    assert "request to decide" not in alice.get("/").content.decode()
    assert "Connect it now" in bob.get(PAGE).content.decode()
    assert approval.may_connect(cast.bob, "imap", BOB, "personal").allowed


def test_what_was_granted_is_looked_for_at_once_with_script_and_without(
    bob: Client, charlie: Client, cast: Cast, by_approval: None
) -> None:
    asked = approval.ask(cast.bob, "imap", BOB_AT_GMX, "personal")
    page = f"{CONNECT}?request={asked.pk}"
    assert "data-at-once" not in bob.get(page).content.decode(), "nothing was granted yet"
    approval.grant(cast.alice, asked.pk)
    assert f'href="{page}"' in bob.get(PAGE).content.decode()
    html = bob.get(page).content.decode()
    assert "data-at-once" in html and f'value="{BOB_AT_GMX}"' in html
    refresh = f"{page}&look=1".replace("&", "&amp;")
    assert f'<noscript><meta http-equiv="refresh" content="0;url={refresh}"></noscript>' in html
    found = bob.get(f"{page}&look=1").content.decode()
    assert "data-address" in found and "data-at-once" not in found, "the settings, and no second look"
    for other in (f"{CONNECT}?address={BOB_AT_GMX}&look=1", f"{CONNECT}?request=x&look=1"):
        assert "data-address" not in bob.get(other).content.decode()
    stranger = charlie.get(f"{page}&look=1").content.decode()
    assert "data-address" not in stranger and BOB_AT_GMX not in stranger
    ApprovalRequest.objects.update(used_at=timezone.now())
    assert "data-at-once" not in bob.get(page).content.decode()


def test_what_was_granted_at_a_sign_in_page_leads_there(bob: Client, cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={"gmail": "ask"}, personal="everyone", shared="everyone", domains=[])
    approval.grant(cast.alice, approval.ask(cast.bob, "gmail", BOB, "personal").pk)
    page = f"{CONNECT}gmail/?address=bob%40tidewater.example"
    assert f'href="{page}"' in bob.get(PAGE).content.decode()


def test_a_refusal_needs_a_reason_that_the_member_reads(
    alice: Client, bob: Client, cast: Cast, by_approval: None
) -> None:
    asked = approval.ask(cast.bob, "imap", BOB, "personal")
    alice.post(f"{PAGE}{asked.pk}/refusal/", {"answer": ""})
    assert only().state == "asked"
    alice.post(f"{PAGE}{asked.pk}/refusal/", {"answer": "Use sales@."})
    assert "Use sales@." in bob.get(PAGE).content.decode()
    alice.post(f"{PAGE}{asked.pk}/grant/")
    assert only().state == "refused", "decided once"


def test_requests_of_others_are_not_there(bob: Client, charlie: Client, cast: Cast, by_approval: None) -> None:
    asked = approval.ask(cast.bob, "imap", BOB, "personal")
    for act in ("grant", "refusal", "withdrawal"):
        assert charlie.post(f"{PAGE}{asked.pk}/{act}/", {"answer": "x"}).status_code == 404
    assert BOB not in charlie.get(PAGE).content.decode()
    assert bob.post(f"{PAGE}{asked.pk}/withdrawal/").status_code == 302
    assert only().state == "withdrawn"


def test_deciding_takes_a_post_with_its_token(alice: Client, cast: Cast, by_approval: None) -> None:
    asked = approval.ask(cast.bob, "imap", BOB, "personal")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.alice.user)
    for act in ("policy", f"{asked.pk}/grant", f"{asked.pk}/refusal", f"{asked.pk}/withdrawal"):
        assert alice.get(f"{PAGE}{act}/").status_code == 405
        assert strict.post(f"{PAGE}{act}/").status_code == 403
    assert only().state == "asked"


def test_who_need_not_ask_is_sent_to_connect(alice: Client, bob: Client) -> None:
    assert bob.post(ASK, ASKED)["Location"] == "/settings/mailboxes/connect/"
    assert not ApprovalRequest.objects.exists()


def test_where_nobody_may_connect_the_page_names_who_can(bob: Client, cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={"imap": "nobody"}, personal="everyone", shared="everyone", domains=[])
    html = bob.post(CHECK, TYPED | {"address": BOB}).content.decode()
    assert 'data-refusal="connect_not_allowed"' in html and "Alice Moreau" in html and "Ask for approval" not in html
    assert 'data-refusal="connect_not_allowed"' in bob.post(ASK, ASKED).content.decode()


# --- The API


def test_a_program_asks_is_told_to_wait_and_connects_once_it_is_granted(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_DEMO", "1")
    alice, bob = caller_for(cast.alice), caller_for(cast.bob)
    rules = alice.call("PATCH", "/connect-policy", {"providers": {"memory": "ask"}, "domains": ["@Tidewater.example"]})
    assert rules.json() == {
        "providers": {"memory": "ask"},
        "personal": "everyone",
        "shared": "everyone",
        "domains": ["tidewater.example"],
    }
    wanted = {"provider": "memory", "address": BOB, "kind": "personal"}
    refused = problem(bob.post("/mailboxes", wanted), 403, "approval_needed")
    assert (refused["reason"], refused["may_ask"]) == ("connect_needs_approval", True)
    problem(bob.post("/mailboxes/preview", wanted), 403, "approval_needed")
    problem(bob.post("/mailboxes/check", wanted), 403, "approval_needed")
    asked = bob.post("/approvals", wanted | {"words": "Please."})
    assert asked.status_code == 201 and asked.json()["state"] == "asked"
    path = f"/approvals/{asked.json()['id']}"
    assert problem(bob.post("/mailboxes", wanted), 403, "approval_needed")["approval_id"] == asked.json()["id"]
    problem(bob.post(f"{path}/grant", {}), 403, "not_allowed")
    problem(alice.post(f"{path}/refuse", {}), 422, "invalid_fields")
    assert alice.post(f"{path}/grant", {"answer": "Yes."}).json()["state"] == "granted"
    problem(alice.post(f"{path}/refuse", {"answer": "No."}), 409, "not_open")
    assert bob.post("/mailboxes", wanted).status_code == 201
    assert bob.get(path).json()["used_at"] is not None
    assert bob.post("/mailboxes/check", wanted).status_code == 200  # it is his own by now
    alike = {"address": BOB.replace("tide", "tıde")}  # whose capitals are the same in PostgreSQL
    problem(bob.post("/mailboxes/check", wanted | alike), 403, "approval_needed")
    assert [one["id"] for one in alice.get("/approvals").json()["items"]] == [asked.json()["id"]]


def test_who_has_asked_for_many_today_is_told_so_on_the_page_and_by_the_api(
    bob: Client, cast: Cast, by_approval: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "MOST_A_DAY", 1)
    approval.withdraw(cast.bob, approval.ask(cast.bob, "imap", BOB, "personal").pk)
    html = bob.post(ASK, ASKED).content.decode()
    assert "You have asked for many mailboxes today" in html
    wanted = {key: ASKED[key] for key in ("provider", "address", "kind")}
    refused = problem(caller_for(cast.bob).post("/approvals", wanted), 403, "approval_needed")
    assert (refused["reason"], refused["may_ask"]) == ("approval_limit", False)
    assert ApprovalRequest.objects.count() == 1


def test_a_program_of_a_member_changes_no_rules_and_sees_no_others_requests(cast: Cast, by_approval: None) -> None:
    asked = approval.ask(cast.bob, "imap", BOB, "personal")
    bob, charlie = caller_for(cast.bob), caller_for(cast.charlie)
    problem(bob.call("PATCH", "/connect-policy", {"personal": "nobody"}), 403, "not_allowed")
    assert bob.get("/connect-policy").json()["providers"] == {"imap": "ask"}
    problem(charlie.get(f"/approvals/{asked.pk}"), 404, "not_found")
    problem(charlie.post(f"/approvals/{asked.pk}/grant", {}), 404, "not_found")
    problem(charlie.post(f"/approvals/{asked.pk}/withdraw"), 404, "not_found")
    assert bob.post(f"/approvals/{asked.pk}/withdraw").json()["state"] == "withdrawn"


@pytest.mark.parametrize(
    "wrong", [{"domains": ["nonsense"]}, {"providers": {"pigeon": "ask"}}, {"personal": "perhaps"}]
)
def test_rules_that_make_no_sense_are_refused(cast: Cast, wrong: dict[str, Any]) -> None:
    problem(caller_for(cast.alice).call("PATCH", "/connect-policy", wrong), 422, "invalid_fields")


def test_a_request_that_is_not_needed_is_refused(cast: Cast) -> None:
    wanted = {"provider": "imap", "address": BOB, "kind": "personal"}
    problem(caller_for(cast.bob).post("/approvals", wanted), 422, "invalid_fields")
    problem(caller_for(cast.bob).post("/approvals", wanted | {"provider": uuid4().hex}), 422, "invalid_fields")
