"""Run a command against the distribution's PostgreSQL: `python -m tests.debian_postgres COMMAND …`.

A private server for the length of the command, in a temporary folder, on a Unix socket only, under the user postgres
when we are root; the command finds it in DATABASE_URL. The newest version of /usr/lib/postgresql is used.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from postroom.ops.parent_death import end_with_parent

INSTALLED = Path("/usr/lib/postgresql")  # Debian's place, one folder a version


def binaries_folder() -> Path:
    """The programs of the newest installed version; SystemExit with the command that installs one."""
    versions = sorted(INSTALLED.glob("[0-9]*/bin/postgres"), key=lambda found: int(found.parents[1].name))
    if not versions:
        raise SystemExit(f"No PostgreSQL in {INSTALLED}. Run as root: bin/install-test-servers")
    return versions[-1].parent


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[str]:
    """The DSN of a new, empty server; its user may create databases. `durable` is for measuring: as in production."""
    binaries, folder = binaries_folder(), Path(tempfile.mkdtemp(prefix="postroom-debian-"))
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses root, and these binaries are for everybody
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    cluster, log, parent = folder / "cluster", folder / "log", os.getpid()
    try:
        locale = ["--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [str(binaries / "initdb"), "-D", str(cluster), "-U", "postgres", "--auth=trust", "--no-sync", *locale],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **identity,
        )
        settings = [f"unix_socket_directories={folder}", "listen_addresses=", "port=5432", "max_connections=200"]
        settings += ["shared_buffers=256MB", "max_wal_size=2GB"] if durable else ["fsync=off", "shared_buffers=64MB"]
        with open(log, "wb") as output:
            server = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(cluster), *(f"--{setting}" for setting in settings)],
                stdout=output,
                stderr=output,
                cwd=folder,
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(parent, signal.SIGINT),
                **identity,
            )
        try:
            url = f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}&port=5432"
            _wait_until_ready(url, server, log)
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"PostgreSQL did not start:\n{log.read_text()}") from None
        time.sleep(0.05)


def main(command: list[str]) -> int:
    with running_server() as url:
        print(f"PostgreSQL of {binaries_folder()}", flush=True)
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
