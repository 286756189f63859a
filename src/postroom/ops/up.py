"""`bin/up`: run all of Postroom in the foreground until Ctrl-C or SIGTERM, then end it within 10 seconds.

Database first (the private one, unless DATABASE_URL names another), then tables and static files, then the processes:
web, worker (mailbox sessions and light jobs) and two importers. Django is imported by the children only.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType
from typing import Final

import psycopg

from postroom import __version__
from postroom.ops import log_files, prepared
from postroom.ops.data_folder import DataFolder, DataFolderError, DataFolderInUse, Running, path
from postroom.ops.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from postroom.ops.parent_death import end_with_parent
from postroom.ops.progress import Progress
from postroom.ops.supervisor import Child, Supervisor, python_child
from postroom.providers.discovery.places import Places
from postroom.providers.guard import NetworkPolicy, UnfitSetting
from postroom.providers.pace import poll_seconds_of

OLDEST_POSTGRES: Final = 14
DATABASE_STOP_SECONDS: Final = 2.5  # after STOP_SECONDS of the children; then without ceremony
WEB_START_SECONDS: Final = 60.0
OTHER_START_SECONDS: Final = 20.0  # how long a second `bin/up` waits for the address of the first


class CannotStart(Exception):
    """What stands in the way, and what to do."""


class _Interrupted(BaseException):
    """SIGTERM, SIGHUP or Ctrl-C before everything ran."""


def main(arguments: list[str] | None = None) -> int:
    """Give the exit status: 0 after an ordered end or when it runs already, 1 when it cannot start."""
    parser = argparse.ArgumentParser(prog="bin/up", description="Run Postroom until Ctrl-C.")
    parser.add_argument("--demo", action="store_true", help="with invented mail, in a data folder of its own")
    options = parser.parse_args(arguments)
    if options.demo:
        os.environ.setdefault("POSTROOM_DATA", str(path().with_name("demo")))
        os.environ["POSTROOM_DEMO"] = "1"
    progress = Progress()
    folder = DataFolder()
    progress.say(f"Postroom {__version__}, data in {folder.path}")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        poll_seconds_of(os.environ)
        Places.from_environment(os.environ)
        NetworkPolicy.from_environment(os.environ)  # every child reads it; better one sentence than four tracebacks
        folder.prepare()
        folder.take()
    except DataFolderInUse:
        return _report_running(folder, progress)
    except (DataFolderError, UnfitSetting) as error:
        progress.warn(str(error))
        return 1
    try:
        return Up(folder, progress, is_demo=options.demo).run()
    except (CannotStart, DataFolderError, EmbeddedPostgresError) as error:
        progress.warn(str(error))
        return 1
    except _Interrupted:
        return 0
    finally:
        folder.release()


class Up:
    """One run on a data folder that we hold."""

    def __init__(self, folder: DataFolder, progress: Progress, *, is_demo: bool) -> None:
        self.folder = folder
        self.progress = progress
        self.is_demo = is_demo
        self.port = _port()
        self.url = (os.environ.get("POSTROOM_PUBLIC_URL") or f"http://localhost:{self.port}").rstrip("/")
        self.postgres: EmbeddedPostgres | None = None
        self.sign_in = ""  # how to sign in to the demo

    def run(self) -> int:
        _check_port_is_free(self.port)
        try:
            database_url = self._start_database()
            self.folder.announce(Running(os.getpid(), database_url))
            environment = self._environment(database_url)
            setup_link = None
            if self.is_demo or not prepared.is_prepared(self.folder, database_url):
                with self.progress.step("Tables and files"):
                    setup_link = self._prepare(environment)
                if setup_link is None:
                    prepared.remember(self.folder, database_url)
            self._supervise(environment, setup_link)
        finally:
            if self.postgres is not None:
                self.postgres.stop(DATABASE_STOP_SECONDS)
        self.progress.say("Postroom has ended.")
        return 0

    def _start_database(self) -> str:
        if url := os.environ.get("DATABASE_URL"):
            with self.progress.step("Database of DATABASE_URL"):
                self.folder.make_secrets(database_is_new=_is_new_database(url))
            return url
        self.folder.make_secrets()
        self.postgres = EmbeddedPostgres(self.folder.postgres, log=self.folder.log("postgres"))
        with self.progress.step("Database" if self.postgres.exists else "Creating the database"):
            self.postgres.start()
        return self.postgres.dsn

    def _environment(self, database_url: str) -> dict[str, str]:
        return {
            **os.environ,
            "DATABASE_URL": database_url,
            "POSTROOM_DATA": str(self.folder.path),
            "POSTROOM_PORT": str(self.port),
            "DJANGO_SETTINGS_MODULE": "postroom.config.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def _prepare(self, environment: dict[str, str]) -> str | None:
        """Run prepare.py, say its steps, and give the set-up link when there is nobody yet."""
        log, parent, setup_link = self.folder.log("prepare"), os.getpid(), None
        command = [sys.executable, "-m", "postroom.ops.prepare", self.url, *(["--demo"] if self.is_demo else [])]
        with log_files.open_log(log) as errors:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(parent, signal.SIGTERM),
            )
        failure = None
        with _ended_after(child):
            assert child.stdout is not None
            for line in child.stdout:
                try:
                    said = json.loads(line)
                except ValueError:
                    continue  # a library that prints
                if "step" in said:
                    self.progress.say(f"    {said['step']}")
                setup_link = said.get("setup_link", setup_link)
                self.sign_in = said.get("sign_in", self.sign_in)
                failure = said.get("error", failure)
        if child.returncode != 0:
            raise CannotStart(failure or f"Preparing failed. The end of {log}:\n{log_files.tail(log)}")
        return setup_link

    def _supervise(self, environment: dict[str, str], setup_link: str | None) -> None:
        web = python_child("web", "web", self.folder.log("web"))
        others = [
            python_child("worker", "worker", self.folder.log("worker")),
            python_child("importer 1", "importer", self.folder.log("importer-1")),
            python_child("importer 2", "importer", self.folder.log("importer-2")),
        ]
        supervisor = Supervisor(
            [web, *others],
            environment,
            say=self.progress.warn,
            keep_alive=self._keep_database,
            more_logs=[self.folder.log("postgres")] if self.postgres else [],
        )
        supervisor.listen()
        try:
            with self.progress.step("Pages"):
                web.start(environment)  # alone first: each process needs a second of CPU to start, and people wait
                self._wait_for_web(web, supervisor)
            if not supervisor.stop_requested:
                self._tell_address(environment["DATABASE_URL"], setup_link)
                supervisor.run()
        finally:
            if supervisor.stop_requested:
                self.progress.say("Ending …")
            supervisor.stop_all()

    def _tell_address(self, database_url: str, setup_link: str | None) -> None:
        self.folder.announce(Running(os.getpid(), database_url, self.url))
        self.progress.address(self.url)
        if setup_link:
            self.progress.say(f"Set up your workspace with this link (it works once):\n  {setup_link}")
        if self.sign_in:
            self.progress.say(f"Sign in as {self.sign_in}")

    def _wait_for_web(self, web: Child, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + WEB_START_SECONDS
        while not supervisor.stop_requested and not _answers(self.port):
            if not web.is_running or time.monotonic() > deadline:
                raise CannotStart(f"The web process did not start. The end of {web.log}:\n{log_files.tail(web.log)}")
            supervisor.wait(0.05)

    def _keep_database(self) -> None:
        """Start the private server again when it was killed; the children connect anew by themselves."""
        if self.postgres is not None and not self.postgres.is_running:
            self.progress.warn(f"The database ended; it starts again. See {self.postgres.log}")
            self.postgres.start()


class _ended_after:
    """Wait for the child at the end of the block; end it when the block was left by an exception."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.child = child

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if error is not None:
            self.child.kill()
        self.child.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _Interrupted


def _port() -> int:
    text = os.environ.get("POSTROOM_PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CannotStart(f"POSTROOM_PORT is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def _host() -> str:
    """Where the web process listens (processes.py reads the same variable)."""
    return os.environ.get("POSTROOM_HOST") or "127.0.0.1"


def _check_port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not hindered by our last run's closed connections
        try:
            probe.bind((_host(), port))
        except PermissionError:
            raise CannotStart(f"Port {port} needs root. Choose another: POSTROOM_PORT=8000 bin/up") from None
        except OSError:
            other = port + 1 if port < 65535 else 8000
            raise CannotStart(
                f"Another program uses port {port}. End it, or choose another port: POSTROOM_PORT={other} bin/up"
            ) from None


def _answers(port: int) -> bool:
    """Whether the web process answers HTTP, whatever it says."""
    host = _host()
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=5)  # noqa: S104
    try:
        connection.request("GET", "/")  # any answer will do; this one also warms the pages up
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _is_new_database(url: str) -> bool:
    """Whether the database of DATABASE_URL has none of our tables. CannotStart when it is not usable."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            if connection.info.server_version < OLDEST_POSTGRES * 10_000:
                raise CannotStart(f"DATABASE_URL names a PostgreSQL older than {OLDEST_POSTGRES}.")
            found = connection.execute("SELECT to_regclass('django_migrations')").fetchone()
            return found is None or found[0] is None
    except psycopg.Error as error:
        raise CannotStart(f"The database of DATABASE_URL does not answer: {error}".strip()) from error


def _report_running(folder: DataFolder, progress: Progress, wait_seconds: float = OTHER_START_SECONDS) -> int:
    """Say where the folder's Postroom runs; a start that is under way has no address yet, so wait a little."""
    deadline = time.monotonic() + wait_seconds
    while True:
        running = folder.running()
        if running and running.url:
            progress.say(f"Postroom is already running at {running.url} (pid {running.pid}).")
            return 0
        if time.monotonic() > deadline:
            progress.warn(str(DataFolderInUse(folder.path, running)))
            return 1
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
