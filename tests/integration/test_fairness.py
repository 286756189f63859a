"""New mail does not stand behind imports: its page is written before those of importers that came earlier."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import psycopg
import pytest

from postroom.workspaces.database import connect, connection_parameters, lock_workspace

pytestmark = pytest.mark.django_db(transaction=True)

LONG_ENOUGH_SECONDS = 10.0


def wait_for_waiting(count: int) -> None:
    """Until so many sessions wait for an advisory lock."""
    statement = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    )
    deadline = time.monotonic() + LONG_ENOUGH_SECONDS
    with connect() as connection:
        while connection.execute(statement).fetchone() != (count,):
            assert time.monotonic() < deadline, f"{count} never waited"
            time.sleep(0.01)


def test_new_mail_waits_for_one_page_of_imports_and_not_for_all_that_stand_before_it() -> None:
    workspace_id, written = uuid4(), list[str]()

    def write(name: str, *, yields: bool) -> None:
        with psycopg.connect(**connection_parameters()) as page:
            lock_workspace(page, workspace_id, yields=yields)
            written.append(name)

    pages = [threading.Thread(target=write, args=(f"import {number}",), kwargs={"yields": True}) for number in (1, 2)]
    pages.append(threading.Thread(target=write, args=("new mail",), kwargs={"yields": False}))
    with psycopg.connect(**connection_parameters()) as first:
        lock_workspace(first, workspace_id, yields=True)
        for waiting, page in enumerate(pages, start=1):
            page.start()
            wait_for_waiting(waiting)
    for page in pages:
        page.join(LONG_ENOUGH_SECONDS)
    assert written == ["new mail", "import 1", "import 2"]


def test_workspaces_do_not_wait_for_each_other() -> None:
    with psycopg.connect(**connection_parameters()) as one, psycopg.connect(**connection_parameters()) as other:
        other.execute("SET lock_timeout = '5s'")
        lock_workspace(one, uuid4(), yields=True)
        lock_workspace(other, uuid4(), yields=True)
        lock_workspace(other, uuid4())
