"""The forms of a user name that a check may try, and the one that is stored."""

from __future__ import annotations

from typing import Any

import pytest

from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.same_account import is_same_user
from postroom.mailboxes.user_names import other_forms
from postroom.providers.base import CheckStep

ADDRESS = "sales@tidewater.example"


def request(imap: str, smtp: str) -> ConnectRequest:
    secrets: dict[str, Any] = {"imap": {"username": imap, "password": "x"}, "smtp": {"username": smtp, "password": "x"}}
    return ConnectRequest(provider="imap", address=ADDRESS, kind="shared", secrets=secrets)


@pytest.mark.parametrize(
    ("username", "others"),
    [(ADDRESS, ("sales",)), ("sales", (ADDRESS,)), ("m0012345", ())],
)
def test_the_whole_address_and_the_local_part_stand_in_for_each_other(username: str, others: tuple[str, ...]) -> None:
    assert other_forms(ADDRESS, username) == others


UMLAUT, A_LABELS = "info@bücher.example", "info@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("address", "username", "others"),
    [
        (UMLAUT, UMLAUT, (A_LABELS, "info")),
        (UMLAUT, A_LABELS, (UMLAUT, "info")),
        (UMLAUT, "info", (UMLAUT, A_LABELS)),
        (A_LABELS, A_LABELS, (UMLAUT, "info")),
        (A_LABELS, UMLAUT, (A_LABELS, "info")),
        ("info@xn--.example", "info@xn--.example", ("info",)),  # no label at all
    ],
)
def test_an_international_domain_is_tried_in_both_spellings(
    address: str, username: str, others: tuple[str, ...]
) -> None:
    assert other_forms(address, username) == others


def test_both_spellings_of_a_domain_are_one_user() -> None:
    for one in (UMLAUT, A_LABELS, "info", "INFO@BÜCHER.example"):
        for other in (UMLAUT, A_LABELS, "info"):
            for address in (UMLAUT, A_LABELS):
                assert is_same_user(one, other, address)
    assert not is_same_user("info@bucher.example", UMLAUT, UMLAUT)


def test_a_check_gets_the_forms_of_both_servers_each_once() -> None:
    assert request(ADDRESS, ADDRESS).credentials.other_usernames == ("sales",)
    assert request("sales", ADDRESS).credentials.other_usernames == (ADDRESS, "sales")
    assert request("", "").credentials.other_usernames == ("sales",)
    assert request("m0012345", "m0012345").credentials.other_usernames == ()


def test_the_names_that_worked_are_stored_and_no_others() -> None:
    wanted = request(ADDRESS, ADDRESS)
    steps = [
        CheckStep("imap", "sign_in", True, 0.1, facts={"username": "sales"}),
        CheckStep("smtp", "sign_in", True, 0.1, facts={"username": ADDRESS}),
        CheckStep("smtp", "sender", True, 0.1, facts={"username": "nobody"}),
    ]
    stored = wanted.settled(steps)
    assert [stored.secrets[server]["username"] for server in ("imap", "smtp")] == ["sales", ADDRESS]
    assert wanted.secrets["imap"]["username"] == ADDRESS


def test_a_check_that_names_none_leaves_what_was_typed() -> None:
    steps = [CheckStep("imap", "sign_in", True, 0.1), CheckStep("smtp", "sign_in", False, 0.1, facts={"username": "x"})]
    assert request("sales", "sales").settled(steps).secrets == request("sales", "sales").secrets
