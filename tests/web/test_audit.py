"""/settings/audit/: who did what, in words, a page at a time."""

from __future__ import annotations

import ast

import pytest
from django.test import Client

from postroom.mailboxes.connect import disconnect
from postroom.web.audit_words import WORDS
from postroom.workspaces import audit, setup
from postroom.workspaces.people import create_user
from tests.cast import Cast, make_mailbox
from tests.guards.checkout import ROOT, python_files


def test_an_act_is_told_with_who_did_it(alice: Client, cast: Cast) -> None:
    audit.record(cast.bob, "mailbox.handed_over", "sales@tidewater.example: a to <b>")
    audit.record(cast.bob, "of.another_version", "x")
    html = alice.get("/settings/audit/").content.decode()
    assert "Bob Lindqvist" in html and "gave a mailbox to somebody else" in html and "a to &lt;b&gt;" in html
    assert "of another version" in html


@pytest.mark.parametrize(("keeps_history", "words"), [(True, "disconnected"), (False, "did not keep the history of")])
def test_a_disconnected_mailbox_is_told_with_what_became_of_its_history(
    alice: Client, cast: Cast, keeps_history: bool, words: str
) -> None:
    disconnect(cast.alice, make_mailbox(cast.alice, "sales@tidewater.example"), keep_history=keeps_history)
    html = alice.get("/settings/audit/").content.decode()
    assert words in html and ("did not keep" in html) is not keeps_history


def test_who_was_added_at_the_command_line_is_not_said_to_have_done_it(alice: Client, cast: Cast) -> None:
    create_user(None, cast.alice.workspace, "dana@example.test", name="Dana", role="member", password="x7-Kp0-Zu3-qq")
    html = alice.get("/settings/audit/").content.decode()
    assert "The command line" in html and "dana@example.test" in html and "Dana<" not in html


def test_who_made_the_workspace_is_named_in_it(guest: Client) -> None:
    owner = setup.create_workspace("Tidewater", "alice@tidewater.example", "Alice Moreau", "correct horse battery")
    guest.force_login(owner.user)
    html = guest.get("/settings/audit/").content.decode()
    assert "Alice Moreau" in html and "made the workspace" in html and "The command line" not in html


def test_the_newest_come_first_a_page_at_a_time(alice: Client, cast: Cast) -> None:
    for number in range(60):
        audit.record(cast.alice, "contact.added", f"Number {number}")
    first, second = (alice.get(f"/settings/audit/?page={page}").content.decode() for page in (1, 2))
    assert "Number 59<" in first and "Number 5<" not in first and "Number 5<" in second
    assert "page 2 of 2" in second and "Newer" in second


def test_it_is_for_administrators_of_the_same_workspace(bob: Client, charlie: Client, cast: Cast) -> None:
    audit.record(cast.alice, "contact.added", "Katrin Voss")
    assert bob.get("/settings/audit/").status_code == 403
    assert b"Katrin Voss" not in charlie.get("/settings/audit/").content


def test_every_act_that_is_recorded_has_words() -> None:
    recorded = set()
    for file in python_files("src/"):
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("audit.record", "_tell"):
                recorded |= {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
    acts = {one for one in recorded if isinstance(one, str) and one.count(".") == 1 and " " not in one}
    acts = {one for one in acts if all(part.replace("_", "").isalpha() for part in one.split("."))}
    assert len(acts) > 25
    assert acts - WORDS.keys() == set()
