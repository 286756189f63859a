"""When a row was made, by its id."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

from postroom.workspaces.ids import made_at, new_id


def test_an_id_of_ours_says_when_it_was_made() -> None:
    made = made_at(new_id())
    assert made is not None
    assert abs(made.timestamp() - time.time()) < 2


def test_the_example_of_the_rfc_is_read_as_it_says() -> None:
    # RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00.
    assert made_at(UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_an_id_that_postgresql_made_says_nothing() -> None:
    assert made_at(uuid4()) is None
