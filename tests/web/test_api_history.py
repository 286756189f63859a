"""/api/v1: completeness, coverage, explain"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from postroom.mailboxes.models import Folder, FolderMonth, Mailbox
from postroom.records.models import Contact
from tests.cast import Cast
from tests.web.api_caller import Caller, caller_for, problem
from tests.web.correspondence import Letter, put
from tests.web.test_history import OTHER, SALES, ago


@pytest.fixture
def program(cast: Cast) -> Caller:
    return caller_for(cast.alice)


def answer(program: Caller, path: str) -> Any:
    response = program.get(path)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


@pytest.fixture
def counted(sales: Mailbox) -> FolderMonth:
    first = timezone.now().date().replace(day=1)
    folder = Folder.objects.create(
        workspace=sales.workspace, mailbox=sales, remote_name="INBOX", name="INBOX", cursor="1", listed_since=first
    )
    return FolderMonth.objects.create(
        workspace=sales.workspace, folder=folder, month=first, at_server=10, here=6, left_out=3, missing=1
    )


def test_completeness_is_told_by_folder_and_month(program: Caller, sales: Mailbox, counted: FolderMonth) -> None:
    found = answer(program, f"/mailboxes/{sales.pk}/completeness")
    assert (found["at_server"], found["here"], found["left_out"], found["missing"]) == (10, 6, 3, 1)
    assert found["is_counting"] is False
    [folder] = found["folders"]
    assert folder["months"][0]["month"] == counted.month.isoformat() and folder["waiting"] == 0
    again = program.post(f"/mailboxes/{sales.pk}/completeness")
    assert again.status_code == 200 and json.loads(again.content)["is_counting"] is True


def test_coverage_of_a_contact_names_addresses_near(
    program: Caller, sales: Mailbox, katrin: Contact, counted: FolderMonth
) -> None:
    put(sales, Letter(ago(1), OTHER, [SALES], "Site plan"))
    found = answer(program, f"/contacts/{katrin.pk}/coverage")
    [near] = found["near"]
    assert (near["address"], near["nearness"], near["messages"], near["new"]) == (OTHER[1], "name and domain", 1, 1)
    [mailbox] = found["mailboxes"]
    assert (mailbox["address"], mailbox["at_server"]) == (sales.address, 10)
    assert {one["rule"] for one in found["left_out"]} >= {"before"}
    assert answer(program, f"/mailboxes/{sales.pk}/coverage")["near"] == []


def test_an_explanation_has_a_code_and_its_looks(program: Caller, sales: Mailbox, katrin: Contact) -> None:
    message = put(sales, Letter(ago(1), OTHER, [SALES], "Site plan"))
    asked = f"/explain?contact_id={katrin.pk}&internet_message_id={message.internet_message_id}"
    found = answer(program, asked)
    assert (found["code"], found["address"], found["message_ids"]) == ("address_differs", OTHER[1], [str(message.pk)])
    assert [look["state"] for look in found["looks"]][-3:] == ["stopped", "not_reached", "not_reached"]
    problem(program.get(f"/explain?contact_id={katrin.pk}"), 422, "invalid_fields")
    assert answer(program, f"/explain?contact_id={katrin.pk}&query=nothing")["code"] in ("importing", "not_seen")


def test_what_is_foreign_is_not_found(
    cast: Cast, program: Caller, sales: Mailbox, katrin: Contact, counted: FolderMonth
) -> None:
    charlie, bob = caller_for(cast.charlie), caller_for(cast.bob)
    for path in (
        f"/mailboxes/{sales.pk}/completeness",
        f"/mailboxes/{sales.pk}/coverage",
        f"/contacts/{katrin.pk}/coverage",
        f"/explain?contact_id={katrin.pk}&query=x",
    ):
        problem(charlie.get(path), 404, "not_found")
        assert bob.get(path).status_code == 200
    problem(bob.post(f"/mailboxes/{sales.pk}/completeness"), 404, "not_found")
