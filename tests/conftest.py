"""What every test may rely on: an own data folder, one database server, no network but loopback.

`DATABASE_URL` names a server to use (its user must be allowed to create databases). Without it one embedded
PostgreSQL is started for the run, when the first test asks for a database. This file must set the environment when it
is imported: pytest-django reads the settings right after.
"""

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from psycopg.conninfo import make_conninfo

from postroom.ops.embedded_postgres import EmbeddedPostgres
from tests.emptied import empty_tables

pytest_plugins = ["tests.servers.fixtures"]

_RUN_FOLDER = Path(tempfile.mkdtemp(prefix="postroom-test-"))
_EMBEDDED = (
    None
    if os.environ.get("DATABASE_URL")
    else EmbeddedPostgres(
        _RUN_FOLDER / "postgres", settings={"fsync": "off", "shared_buffers": "64MB", "max_connections": "200"}
    )
)
if _EMBEDDED is not None:
    os.environ["DATABASE_URL"] = _EMBEDDED.dsn
os.environ["POSTROOM_DATA"] = str(_RUN_FOLDER / "data")
os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1] / "src")  # for child processes
os.environ["DJANGO_SETTINGS_MODULE"] = "postroom.config.settings"
for _name in [name for name in os.environ if name.startswith("POSTROOM_") and name != "POSTROOM_DATA"]:
    del os.environ[_name]  # a developer's own settings must not decide a test
django.setup()  # now, not when pytest-django would: the conftest files below this one import models
# Three users a test: the product's own hash, slow by design, would be most of a run. It still reads what processes of
# the product wrote.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]

hypothesis.settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("long", max_examples=5_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "quick"))


class NetworkRefused(AssertionError):
    """A test tried to leave this machine. An AssertionError, so that code which catches OSError does not hide it."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")


def _guarded(original: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise NetworkRefused(f"A test connects to {address}; only loopback is allowed.")
        return original(self, address)

    return connect


def _guarded_send(original: Any) -> Any:
    def sendto(self: socket.socket, octets: Any, *where: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(where[-1][0])):
            raise NetworkRefused(f"A test sends to {where[-1]}; only loopback is allowed.")
        return original(self, octets, *where)

    return sendto


def _getaddrinfo(host: Any, *args: Any, **more: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if name is not None and not _is_loopback(name):
        if name.endswith(".invalid"):  # RFC 2606: never exists, and needs no resolver to say so
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise NetworkRefused(f"A test resolves {name}; only localhost and .invalid are allowed.") from None
    return _ORIGINAL_GETADDRINFO(host, *args, **more)


_ORIGINAL_GETADDRINFO = socket.getaddrinfo


def pytest_configure(config: pytest.Config) -> None:
    # Subclass attributes over the C methods of _socket.socket: what asyncio and http clients call.
    socket.socket.connect = _guarded(socket.socket.connect)  # type: ignore[method-assign]
    socket.socket.connect_ex = _guarded(socket.socket.connect_ex)  # type: ignore[method-assign]
    socket.socket.sendto = _guarded_send(socket.socket.sendto)  # type: ignore[method-assign]
    socket.getaddrinfo = _getaddrinfo


def pytest_unconfigure(config: pytest.Config) -> None:
    if _EMBEDDED is not None:
        _EMBEDDED.stop()
    shutil.rmtree(_RUN_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The DSN of the server the tests use (not of the test database: see `database_url`)."""
    if _EMBEDDED is None:
        yield os.environ["DATABASE_URL"]
        return
    with _EMBEDDED:
        yield _EMBEDDED.dsn


@pytest.fixture(scope="session")
def django_db_setup(database_server: str, django_db_setup: None) -> Iterator[None]:
    """pytest-django's own set-up, once the server runs; tests that commit are cleaned up after in our way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The DSN of the migrated test database, for code with own connections and for child processes."""
    return make_conninfo(os.environ["DATABASE_URL"], dbname=settings.DATABASES["default"]["NAME"])
