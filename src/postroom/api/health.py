"""/health: whether this installation works. Needs no token and says nothing about anybody."""

from __future__ import annotations

import psycopg
from django.db import Error
from django.http import HttpRequest
from ninja import Router, Schema, Status

from postroom import __version__
from postroom.mailboxes.models import Worker
from postroom.workspaces.database import connect

PATIENCE_SECONDS = 2  # with a database that takes connections and says nothing: a probe wants an answer

router = Router(tags=["health"])


class Health(Schema):
    """`database`: it answers. `worker`: one was seen within 10 s. `ok`: both."""

    ok: bool
    database: bool
    worker: bool
    version: str


@router.get("", auth=None, response={200: Health, 503: Health})
def read_health(request: HttpRequest) -> Status[Health]:
    """200 when database and worker are well, else 503 with the same body."""
    database = _database_answers()
    worker = database and _worker_is_seen()
    is_well = database and worker
    answer = Health(ok=is_well, database=database, worker=worker, version=__version__)
    return Status(200 if is_well else 503, answer)


def _database_answers() -> bool:
    """Asked over a connection of its own: the pool's may hang in a database that hangs."""
    try:
        connect(connect_timeout=PATIENCE_SECONDS).close()
    except psycopg.Error:
        return False
    return True


def _worker_is_seen() -> bool:
    try:
        return Worker.living().filter(kind="sessions").exists()
    except Error:  # the tables are not made yet
        return False
