"""PostgreSQL has no room left: what was under way is as it was before, and the page says that it will pass."""

from __future__ import annotations

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.test import Client

from postroom.mailboxes.models import Grant, Mailbox
from postroom.outbox.models import ConnectionTest, Submission
from postroom.workspaces.models import Membership
from tests.cast import Cast, make_mailbox

_FULL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON workspaces_auditentry FOR EACH ROW EXECUTE FUNCTION no_room()"""


@pytest.fixture
def mailbox(cast: Cast) -> Mailbox:
    return make_mailbox(cast.bob, "support@tidewater.example")


@pytest.fixture
def full(mailbox: Mailbox) -> None:
    """No entry fits into the audit log, which is among the last things that a change writes."""
    with connection.cursor() as cursor:
        cursor.execute(_FULL)


def everything() -> list[list[dict[str, object]]]:
    kinds = (Mailbox, Grant, Membership, Submission, ConnectionTest)
    return [[model_to_dict(row) for row in kind.objects.order_by("pk")] for kind in kinds]  # type: ignore[attr-defined]


def paths(cast: Cast, mailbox: Mailbox) -> list[tuple[str, dict[str, str]]]:
    own, bob, heir = f"/settings/mailboxes/{mailbox.pk}", cast.bob.user.pk, str(cast.alice.membership.pk)
    return [
        (f"{own}/pause/", {}),
        (f"{own}/imports/", {"days": "200"}),
        (f"{own}/owner/", {"owner": heir}),
        (f"{own}/disconnection/", {"keep": "nothing"}),
        (f"{own}/tests/", {}),
        (f"/settings/members/{bob}/leaving/", {f"mailbox_{mailbox.pk}": "hand_over", "heir": heir}),
    ]


def test_a_full_database_changes_nothing_and_says_that_it_passes(
    alice: Client, cast: Cast, mailbox: Mailbox, full: None
) -> None:
    alice.raise_request_exception = False
    before = everything()
    for path, form in paths(cast, mailbox):
        answer = alice.post(path, form)
        assert answer.status_code == 503, path
        assert answer.headers["Retry-After"] and "Nothing that was saved is lost" in answer.content.decode()
        assert everything() == before, path
