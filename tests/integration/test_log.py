"""The log at its most talkative says what was done, and nothing of what mail or passwords hold."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.db import Error, IntegrityError, connection

from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Mailbox
from postroom.ops import log_format, sync_once
from postroom.providers import registry
from postroom.providers.base import Credentials, ServerSettings
from postroom.providers.errors import SignInRefused
from postroom.providers.guard import NetworkPolicy
from tests.cast import Cast, make_cast
from tests.contract.imap_place import settings as server
from tests.servers.dovecot import Dovecot

OWNER, CORRESPONDENT = "lantern@own.example", "quagga@customer.example"
MAIL = (
    f"From: Quagga <{CORRESPONDENT}>\r\nTo: {OWNER}\r\nMessage-ID: <okapi@customer.example>\r\nSubject: Zebrafinch\r\n"
    "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nThe marzipan is ready.\r\n"
).encode()
SECRETS = ["quagga", "okapi", "zebrafinch", "marzipan", "lantern", "hush-hush"]


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged at DEBUG, as text and as JSON."""
    written, root = io.StringIO(), logging.getLogger()
    handlers = [logging.StreamHandler(written), logging.StreamHandler(written)]
    handlers[0].setFormatter(log_format.TextLines())
    handlers[1].setFormatter(log_format.JsonLines())
    level = root.level
    root.setLevel(logging.DEBUG)
    for handler in handlers:
        root.addHandler(handler)
    yield written
    for handler in handlers:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def loopback() -> Iterator[None]:
    registry.configure(NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}))
    yield
    registry.configure(NetworkPolicy.from_environment({}))


async def test_a_sync_logs_no_secret(cast: Cast, dovecot: Dovecot, log: io.StringIO, loopback: None) -> None:
    from postroom.workspaces.database import in_thread

    def connect(address: str, password: str) -> Mailbox:
        own = server(dovecot.imap, address, password=password)
        return store_mailbox(cast.alice, ConnectRequest("imap", address, "shared", secrets={"imap": own, "smtp": own}))

    dovecot.deliver(OWNER, MAIL)
    await in_thread(connect, OWNER, "pass")
    wrong = await in_thread(connect, "lantern-wrong@own.example", "hush-hush")
    logging.getLogger("postroom.test").debug("the log is open", extra={"mailbox_id": wrong.pk})
    right, refused = sorted(await sync_once.run(None, lambda line: None), key=lambda summary: "error" in summary)
    assert (right["kept"], refused["error"]) == (1, "sign_in_refused")
    written = log.getvalue()
    assert "the log is open" in written and str(wrong.pk) in written
    assert [secret for secret in SECRETS if secret in written.lower()] == []
    assert not re.search(r"\bpass\b", written)
    assert base64.b64encode(f"\0{OWNER}\0pass".encode()).decode() not in written


def test_an_entry_is_one_json_object_a_line(log: io.StringIO) -> None:
    logging.getLogger("postroom.test").warning("two\nlines", extra={"mailbox_id": 7, "code": "unreachable", "other": 1})
    entry = json.loads(log.getvalue().splitlines()[-1])
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "level": "WARNING",
        "logger": "postroom.test",
        "process": "MainProcess",
        "message": "two\nlines",
        "mailbox_id": 7,
        "code": "unreachable",
    }


def test_a_traceback_shows_the_way_and_no_value(log: io.StringIO) -> None:
    def open_mailbox(password: str) -> None:
        credentials = Credentials(OWNER, {"imap": {"password": password}})
        settings = ServerSettings("mail.example", 993, "tls", OWNER, password)
        assert password not in f"{credentials} {settings!r}"
        raise SignInRefused(server_words=f"{OWNER} is not allowed in")

    try:
        try:
            open_mailbox(SECRETS[-1])
        except SignInRefused as error:
            raise ValueError(SECRETS[3]) from error
    except ValueError:
        logging.getLogger("postroom.test").exception("it broke")
    written = log.getvalue()
    assert written.count("in open_mailbox") == 2 and written.count("sign_in_refused") == 2
    assert "ValueError" in written
    assert [secret for secret in SECRETS if secret in written] == []


def test_what_the_database_repeats_of_a_row_is_left_out(db: None) -> None:
    with pytest.raises(Error) as raised, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE quagga_t (a text CONSTRAINT only_once UNIQUE)")
        cursor.execute("INSERT INTO quagga_t VALUES ('marzipan'), ('marzipan')")
    assert "marzipan" in str(raised.value)
    told = log_format.traceback_without_contents(raised.value)
    assert (
        isinstance(raised.value, IntegrityError) and "psycopg.errors.UniqueViolation: 23505 quagga_t only_once" in told
    )
    assert "Key (a)" not in told


def test_a_group_shows_each_of_its_errors() -> None:
    group = ExceptionGroup("two", [psycopg.OperationalError("marzipan"), OSError(111, "Connection refused")])
    told = log_format.traceback_without_contents(group)
    assert "psycopg.OperationalError" in told and "ConnectionRefusedError: Connection refused" in told
    assert "marzipan" not in told


def test_what_ends_a_process_is_told_the_same_way() -> None:
    program = (
        "import logging, sys; from postroom.ops import log_format; handler = logging.StreamHandler();"
        "handler.setFormatter(log_format.JsonLines()); logging.getLogger().addHandler(handler);"
        "sys.excepthook = log_format.log_uncaught; word = 'marzi' + 'pan'; raise ValueError(word)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert json.loads(ended.stderr)["level"] == "CRITICAL" and "marzipan" not in ended.stderr


def test_a_task_that_nobody_waited_for_is_told_the_same_way(log: io.StringIO) -> None:
    log_format.log_loop_error(None, {"message": "Task exception was never retrieved", "exception": ValueError("okapi")})
    assert "ValueError" in log.getvalue() and "okapi" not in log.getvalue()
