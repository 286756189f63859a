"""/settings/mailboxes/<id>/settings/, its owner, its defaults, and the page that ends it; the same by the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from postroom.mailboxes.access import sendable_mailboxes, visible_mailboxes
from postroom.mailboxes.models import Identity, Mailbox, MailboxMember
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.outbox.choice import choice_for
from postroom.workspaces.members import find_member
from postroom.workspaces.models import AuditEntry, Membership
from tests.cast import Cast, make_mailbox
from tests.web.api_caller import caller_for, problem

TYPED = {
    "display_name": "Tidewater Sales",
    "reply_to": "answers@tidewater.example",
    "signature": "<p>Tidewater <b>Bikes</b></p><script>alert(1)</script>",
    "usage": "sales",
    "does": "both",
    "keep": "records",
    "who": "everybody",
}


def page(mailbox: Mailbox, act: str = "settings") -> str:
    return f"/settings/mailboxes/{mailbox.pk}/{act}/"


def test_what_is_changed_is_kept_and_told_in_the_audit_log(alice: Client, sales: Mailbox) -> None:
    told = alice.post(page(sales), TYPED, follow=True).content.decode()
    assert "Saved: name, usage, what is kept, reply address, signature." in told
    sales.refresh_from_db()
    own = Identity.objects.get(mailbox=sales)
    assert (sales.display_name, sales.usage, sales.keep) == ("Tidewater Sales", "sales", "records")
    assert (own.name, own.reply_to) == ("Tidewater Sales", "answers@tidewater.example")
    assert own.signature == "<p>Tidewater <b>Bikes</b></p>"
    assert AuditEntry.objects.get(action="mailbox.changed").subject.startswith(sales.address)
    assert b"Nothing was changed" in alice.post(page(sales), TYPED, follow=True).content
    assert AuditEntry.objects.filter(action="mailbox.changed").count() == 1


def test_a_new_message_has_the_name_the_signature_and_the_reply_address(
    alice: Client, cast: Cast, sales: Mailbox
) -> None:
    alice.post(page(sales), TYPED)
    choice = choice_for(cast.alice)
    assert choice is not None
    assert (choice.name, choice.reply_to) == ("Tidewater Sales", "answers@tidewater.example")
    assert "Bikes" in choice.signature and "Bikes" in alice.get("/write/").content.decode()


def test_only_named_members_read_and_send(alice: Client, cast: Cast, sales: Mailbox) -> None:
    def of_bob() -> tuple[bool, bool]:
        return visible_mailboxes(cast.bob).exists(), sendable_mailboxes(cast.bob).exists()

    assert of_bob() == (True, True)
    for what, may in {"none": (False, False), "reads": (True, False), "sends": (True, True)}.items():
        alice.post(page(sales), TYPED | {"who": "named", f"access_{cast.bob.user.pk}": what})
        assert of_bob() == may, what
    html = alice.get(page(sales)).content.decode()
    assert '<option value="named" selected>' in html and '<option value="sends" selected>' in html
    alice.post(page(sales), TYPED)
    assert of_bob() == (True, True) and not MailboxMember.objects.exists()


def test_a_mailbox_that_only_sends_has_no_session(alice: Client, sales: Mailbox) -> None:
    worker = PostgresOwnership()
    Mailbox.objects.update(needs_reconnect=True, error_code="sign_in_refused")
    alice.post(page(sales), TYPED | {"does": "sends"})
    sales.refresh_from_db()
    assert (sales.reads, sales.sends, sales.error_code, sales.needs_reconnect) == (False, True, "", False)
    assert sales.epoch > 0 and worker.id  # what its session still saves is fenced
    assert alice.post(page(sales), TYPED | {"does": "neither"}).status_code == 422


def test_nobody_writes_from_a_mailbox_that_only_reads(alice: Client, cast: Cast, sales: Mailbox) -> None:
    alice.post(page(sales), TYPED | {"does": "reads"})
    assert not sendable_mailboxes(cast.alice).exists()


@pytest.mark.parametrize(
    ("field", "value"), [("reply_to", "nonsense"), ("display_name", "a\r\nBcc: b"), ("usage", "x"), ("who", "x")]
)
def test_what_cannot_be_is_refused_beside_its_field(alice: Client, sales: Mailbox, field: str, value: str) -> None:
    answer = alice.post(page(sales), TYPED | {field: value})
    assert answer.status_code == 422 and b"field-error" in answer.content
    sales.refresh_from_db()
    assert sales.display_name == "Tidewater"


@pytest.mark.parametrize("which", ["bob", "charlie"])
@pytest.mark.parametrize("act", ["settings", "owner", "default", "end"])
def test_who_may_not_change_a_mailbox_finds_none_of_its_pages(
    request: Any, sales: Mailbox, which: str, act: str
) -> None:
    client = request.getfixturevalue(which)
    assert client.post(page(sales, act), TYPED | {"for": "me", "is": "yes"}).status_code in (404, 405)
    assert client.get(page(sales, act)).status_code in (404, 405)


def test_a_personal_mailbox_has_nobody_else_to_name(bob: Client, alice: Client, cast: Cast) -> None:
    mine = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
    html = bob.get(page(mine)).content.decode()
    assert "Who may use it" not in html and "Colleagues see of it" in html
    assert alice.get(page(mine)).status_code == 404
    typed = {name: value for name, value in TYPED.items() if name != "who"} | {"sharing": "subject"}
    bob.post(page(mine), typed)
    mine.refresh_from_db()
    assert mine.sharing == "subject"


def test_a_mailbox_is_given_to_somebody_else_and_nothing_of_it_changes(
    alice: Client, cast: Cast, sales: Mailbox
) -> None:
    MailboxMember.objects.create(mailbox=sales, user=cast.bob.user, can_send=False)
    told = alice.post(page(sales, "owner"), {"owner": cast.bob.membership.pk}, follow=True).content.decode()
    assert "sales@tidewater.example is Bob Lindqvist&#x27;s now" in told
    sales.refresh_from_db()
    assert sales.owner == cast.bob.user
    assert sendable_mailboxes(cast.bob).exists()  # silenced before, an owner sends
    assert "alice@tidewater.example to bob@" in AuditEntry.objects.get(action="mailbox.handed_over").subject


def test_a_mailbox_is_given_to_nobody_of_another_workspace_or_who_left(
    alice: Client, cast: Cast, sales: Mailbox
) -> None:
    for membership in (cast.charlie.membership, cast.bob.membership):
        Membership.objects.filter(pk=cast.bob.membership.pk).update(left_at=sales.created_at)
        told = alice.post(page(sales, "owner"), {"owner": membership.pk}, follow=True)
        assert b"Choose who owns the mailbox" in told.content
    sales.refresh_from_db()
    assert sales.owner == cast.alice.user


def test_the_workspaces_default_starts_new_messages_of_everybody(
    alice: Client, bob: Client, cast: Cast, sales: Mailbox
) -> None:
    make_mailbox(cast.alice, "support@tidewater.example")
    assert "Several mailboxes would do" in bob.get("/write/").content.decode()
    alice.post(page(sales, "default"), {"for": "workspace", "is": "yes"})
    assert "sales@tidewater.example is the workspace&#x27;s default." in bob.get("/write/").content.decode()
    alice.post(page(sales, "default"), {"for": "workspace", "is": "no"})
    assert "Several mailboxes would do" in bob.get("/write/").content.decode()


def test_a_plain_members_mailbox_becomes_his_own_default_and_not_the_workspaces(bob: Client, cast: Cast) -> None:
    his = make_mailbox(cast.bob, "dispatch@tidewater.example")
    told = bob.post(page(his, "default"), {"for": "workspace", "is": "yes"}, follow=True)
    assert b"Owners and admins choose" in told.content
    bob.post(page(his, "default"), {"for": "me", "is": "yes"})
    cast.bob.membership.refresh_from_db()
    cast.bob.workspace.refresh_from_db()
    assert (cast.bob.membership.default_mailbox_id, cast.bob.workspace.default_mailbox_id) == (his.pk, None)


def test_the_page_that_ends_a_mailbox_says_what_ends_with_it(alice: Client, cast: Cast, sales: Mailbox) -> None:
    alice.post(page(sales, "default"), {"for": "workspace", "is": "yes"})
    Membership.objects.filter(pk=cast.bob.membership.pk).update(default_mailbox_id=sales.pk)
    html = alice.get(page(sales, "end")).content.decode()
    assert "the workspace's default" in html and "Bob Lindqvist usually writes from it" in html
    assert "Keep the history" in html and "forgets its password" in html


def test_the_api_changes_the_same(cast: Cast, sales: Mailbox) -> None:
    alice, bob = caller_for(cast.alice), str(cast.bob.user.pk)
    body = {
        "usage": "support",
        "sends": False,
        "reply_to": "answers@tidewater.example",
        "signature": "<p>Hi<img src=x onerror=y></p>",
        "members": [{"user_id": bob, "can_send": False}],
        "default": {"me": True},
    }
    refused = problem(alice.call("PATCH", f"/mailboxes/{sales.pk}", body), 422, "invalid_fields")
    assert "default" in refused["fields"] and "support" not in Mailbox.objects.values_list("usage", flat=True)
    changed = alice.call("PATCH", f"/mailboxes/{sales.pk}", body | {"sends": True}).json()
    assert (changed["usage"], changed["reads"], changed["sends"]) == ("support", True, True)
    assert (changed["reply_to"], changed["signature"]) == ("answers@tidewater.example", "<p>Hi</p>")
    assert {"user_id": bob, "can_send": False} in changed["members"]
    assert changed["default"] == {"workspace": False, "me": True}
    listed = alice.get("/mailboxes").json()["items"][0]
    assert (listed["default"], listed["members"]) == (changed["default"], changed["members"])
    gone = alice.call("PATCH", f"/mailboxes/{sales.pk}", {"reply_to": "", "members": []}).json()
    assert (gone["reply_to"], gone["members"]) == ("", [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reads": False, "sends": False}, "reads"),
        ({"owner_id": "charlie"}, "owner_id"),
        ({"members": [{"user_id": "charlie"}]}, "members"),
        ({"reply_to": "nonsense"}, "reply_to"),
    ],
)
def test_the_api_refuses_what_cannot_be(cast: Cast, sales: Mailbox, body: dict[str, Any], field: str) -> None:
    charlie = str(cast.charlie.user.pk)
    if "owner_id" in body:
        body = {"owner_id": charlie}
    if "members" in body:
        body = {"members": [{"user_id": charlie}]}
    answer = problem(caller_for(cast.alice).call("PATCH", f"/mailboxes/{sales.pk}", body), 422, "invalid_fields")
    assert any(name.startswith(field) for name in answer["fields"])


def test_the_api_gives_a_mailbox_away(cast: Cast, sales: Mailbox) -> None:
    alice = caller_for(cast.alice)
    changed = alice.call("PATCH", f"/mailboxes/{sales.pk}", {"owner_id": str(cast.bob.user.pk)}).json()
    assert changed["owner"]["email"] == "bob@tidewater.example"
    found = find_member(cast.bob.user)
    assert found is not None and caller_for(cast.bob).call("PATCH", f"/mailboxes/{sales.pk}", {}).status_code == 200


def test_who_gave_a_mailbox_away_goes_on_using_it(cast: Cast) -> None:
    dispatch = make_mailbox(cast.bob, "dispatch@tidewater.example")
    body = {"members": [{"user_id": str(cast.alice.user.pk)}, {"user_id": str(cast.bob.user.pk), "can_send": False}]}
    bob = caller_for(cast.bob)
    assert bob.call("PATCH", f"/mailboxes/{dispatch.pk}", body).status_code == 200
    assert sendable_mailboxes(cast.bob).exists()  # its owner sends, whatever the list says
    bob.call("PATCH", f"/mailboxes/{dispatch.pk}", {"members": [{"user_id": str(cast.alice.user.pk)}]})
    bob.call("PATCH", f"/mailboxes/{dispatch.pk}", {"owner_id": str(cast.alice.user.pk)})
    assert visible_mailboxes(cast.bob).exists() and sendable_mailboxes(cast.bob).exists()
