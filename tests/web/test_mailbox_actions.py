"""What may be asked of a mailbox at each stage, as data; pages offer it, pages and API refuse the rest."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.actions import OFFERED, Action, NotNow, Stage, offered, stage_of
from postroom.mailboxes.models import Mailbox
from tests.cast import Cast
from tests.web.api_caller import caller_for, problem

NOW = timezone.now()
WORKS: Final[dict[str, Any]] = {
    "import_planned_at": NOW,
    "import_finished_at": NOW,
    "sign_in_state": "ok",
    "receiving_state": "ok",
    "sending_state": "ok",
    "error_code": "",
    "needs_reconnect": False,
    "reads": True,
    "awaits_start": False,
    "paused_at": None,
}
FAILS: Final = {"error_code": "unreachable", "receiving_state": "failing"}
REFUSED: Final = {"error_code": "sign_in_refused", "needs_reconnect": True, "sign_in_state": "failing"}
SENDING_REFUSED: Final = {"error_code": "sign_in_refused", "needs_reconnect": True, "sending_state": "failing"}

# How the row is, the stage, and what it takes.
STAGES: Final[list[tuple[dict[str, Any], Stage, str]]] = [
    ({}, Stage.WORKING, "backfill count pause sync"),
    ({"import_finished_at": None}, Stage.IMPORTING, "backfill count pause sync"),
    ({"import_finished_at": None, "import_planned_at": None}, Stage.IMPORTING, "backfill count pause sync"),
    (FAILS, Stage.FAILING, "backfill pause sync"),
    (FAILS | {"import_finished_at": None}, Stage.FAILING, "backfill pause sync"),
    (REFUSED, Stage.REFUSED, "pause sync"),
    (SENDING_REFUSED, Stage.WORKING, "backfill count pause sync"),
    ({"reads": False}, Stage.OFF, ""),
    ({"receiving_state": "off"}, Stage.OFF, ""),
    ({"receiving_state": "off"} | {"needs_reconnect": True}, Stage.OFF, ""),
    ({"awaits_start": True, "import_planned_at": None, "import_finished_at": None}, Stage.WAITING, "begin"),
    ({"awaits_start": True, "paused_at": NOW}, Stage.PAUSED, "resume"),
    ({"paused_at": NOW}, Stage.PAUSED, "resume"),
    (REFUSED | {"paused_at": NOW}, Stage.PAUSED, "resume"),
    ({"reads": False, "paused_at": NOW}, Stage.PAUSED, "resume"),
    ({"disconnected_at": NOW, "paused_at": NOW}, Stage.DISCONNECTED, ""),
]
ONE_EACH: Final = {stage: row for row, stage, _ in reversed(STAGES)}
BY_API: Final[dict[Action, tuple[str, dict[str, Any]]]] = {
    Action.SYNC: ("sync", {}),
    Action.BACKFILL: ("backfill", {"days": 90}),
    Action.COUNT: ("completeness", {}),
    Action.PAUSE: ("pause", {}),
}
BY_PAGE: Final = {Action.SYNC: "syncs", Action.BACKFILL: "imports", Action.COUNT: "counts", Action.PAUSE: "pause"}


def become(mailbox: Mailbox, row: dict[str, Any]) -> Mailbox:
    Mailbox.objects.filter(pk=mailbox.pk).update(**(WORKS | row))
    mailbox.refresh_from_db()
    return mailbox


@pytest.mark.parametrize(("row", "stage", "actions"), STAGES)
def test_each_stage_takes_what_makes_sense(row: dict[str, Any], stage: Stage, actions: str) -> None:
    mailbox = Mailbox(address="sales@tidewater.example", **(WORKS | row))
    assert (stage_of(mailbox), " ".join(sorted(offered(mailbox)))) == (stage, actions)


def test_every_stage_is_in_the_table() -> None:
    assert set(OFFERED) == set(Stage) == set(ONE_EACH)


def test_the_api_refuses_with_a_code_what_a_stage_does_not_take(cast: Cast, sales: Mailbox) -> None:
    program = caller_for(cast.alice)
    for stage, row in ONE_EACH.items():
        if stage is Stage.DISCONNECTED:
            continue
        for action, (path, body) in BY_API.items():
            become(sales, row)
            answer = program.post(f"/mailboxes/{sales.pk}/{path}", body)
            if action in OFFERED[stage] or (action, stage) == (Action.PAUSE, Stage.PAUSED):
                assert answer.status_code < 300, (stage, action)
            else:
                told = problem(answer, 409, "not_now")
                assert told["stage"] == stage and sales.address in told["detail"]
        shown = json.loads(program.get(f"/mailboxes/{become(sales, row).pk}").content)
        assert shown["actions"] == sorted(OFFERED[stage])


def test_the_pages_offer_what_they_take_and_say_why_not(alice: Client, sales: Mailbox) -> None:
    page = f"/settings/mailboxes/{sales.pk}/"
    for stage, row in ONE_EACH.items():
        if stage is Stage.DISCONNECTED:
            continue
        for action, path in BY_PAGE.items():
            become(sales, row)
            shown = [alice.get(address).content.decode() for address in (page, "/settings/mailboxes/")]
            is_offered = [f'action="{page}{path}/"' in html for html in shown]
            is_wanted = action in OFFERED[stage]
            assert is_offered == [is_wanted, is_wanted and action is not Action.COUNT], (stage, action)
            told = alice.post(f"{page}{path}/", {"days": 90}, follow=True).content.decode()
            is_taken = is_wanted or (action, stage) == (Action.PAUSE, Stage.PAUSED)
            assert (str(NotNow(sales, stage)) in told) is not is_taken, (stage, action)
