"""Secrets at rest: opened only by their own row, with a known key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Grant
from postroom.mailboxes.sealing import Unsealable, seal, unseal
from postroom.ops.data_folder import SealingKeys
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox

ROW, OTHER, WORKSPACE = new_id(), new_id(), new_id()


def seal_for(row: UUID) -> bytes:
    return seal(b"hunter2", table="t", row_id=row, column="c", workspace_id=WORKSPACE)


def open_for(sealed: bytes, row: UUID) -> bytes:
    return unseal(sealed, table="t", row_id=row, column="c", workspace_id=WORKSPACE)


def test_a_seal_opens_for_its_own_row() -> None:
    assert open_for(seal_for(ROW), ROW) == b"hunter2"


def test_a_seal_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(Unsealable):
        open_for(seal_for(ROW), OTHER)


@pytest.mark.parametrize("position", [0, 1, 5, -1])
def test_a_changed_seal_does_not_open(position: int) -> None:
    sealed = bytearray(seal_for(ROW))
    sealed[position] ^= 1
    with pytest.raises(Unsealable):
        open_for(bytes(sealed), ROW)


def test_an_old_key_still_opens_after_a_new_one_took_over(settings: Any) -> None:
    sealed = seal_for(ROW)
    old: SealingKeys = settings.SEALING_KEYS
    settings.SEALING_KEYS = SealingKeys("new", {**old.keys, "new": b"n" * 32})
    assert open_for(sealed, ROW) == b"hunter2"
    settings.SEALING_KEYS = SealingKeys("new", {"new": b"n" * 32})
    with pytest.raises(Unsealable):
        open_for(sealed, ROW)


def test_a_password_is_nowhere_in_the_database_row(cast: Cast) -> None:
    mailbox = make_mailbox(cast.alice, "sales@tidewater.example")
    from postroom.mailboxes.credentials import store_credentials

    store_credentials(mailbox, {"imap": {"password": "hunter2"}}, sign_in_user="sales")
    assert b"hunter2" not in bytes(Grant.objects.get(mailbox=mailbox).sealed)
    assert load_credentials(mailbox).secrets == {"imap": {"password": "hunter2"}}
    assert "hunter2" not in repr(load_credentials(mailbox))
