"""The data folder: everything Postroom keeps outside the code, so that one backup covers it.

    lock             flock of the process that runs this folder (`bin/up`, or one command on its own)
    run.json         what runs: pid, address, database; read by other commands, worth nothing without the lock
    secret/          Django's secret key and the sealing keys, 0600
    postgres/        the private PostgreSQL, when DATABASE_URL names no other
    attachments/ files/ spool/ static/ log/

A key that is missing beside an existing database is an error, never a reason for a new one: a new sealing key would
make every stored secret unreadable, and nobody would know why.
"""

import base64
import fcntl
import json
import os
import secrets
import stat
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Final

CHECKOUT: Final = Path(__file__).resolve().parents[3]
SEALING_KEY_BYTES: Final = 32  # AES-256
LOCK_RETRY_SECONDS: Final = 0.02


class DataFolderError(Exception):
    """The data folder cannot be used as it is; the text says why and what to do."""


class DataFolderInUse(DataFolderError):
    """Another process runs this folder; `running` is what it says of itself, when it said anything yet."""

    def __init__(self, folder: Path, running: "Running | None") -> None:
        self.running = running
        who = f" (pid {running.pid})" if running else ""
        super().__init__(f"Another Postroom process{who} uses {folder}. Try again when it has ended.")


@dataclass(frozen=True, slots=True)
class Running:
    """What a running `bin/up` tells other commands. `url` is None until the web process answers."""

    pid: int
    database_url: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The keys for secrets in the database: the `current` one seals, each of them unseals. 32 bytes a key."""

    current: str
    keys: dict[str, bytes] = field(repr=False)


def path() -> Path:
    """POSTROOM_DATA, else var/data in the checkout."""
    return Path(os.environ.get("POSTROOM_DATA") or CHECKOUT / "var" / "data").expanduser().absolute()


def secret_key(data: Path) -> str:
    """Django's SECRET_KEY, made at the first call. DataFolderError when it is gone and a database is there."""
    file = _secret_key_file(data)
    if not file.exists():
        _refuse_beside_database(data, file)
        _write_secret(file, secrets.token_urlsafe(64))
    key = _read_secret(file).strip()
    if len(key) < 50:
        raise DataFolderError(f"{file} is not a secret key (too short). Restore it from a backup.")
    return key


def sealing_keys(data: Path) -> SealingKeys:
    """The keys of POSTROOM_SECRET_KEYS_FILE, else of the data folder, made at the first call.

    The file is JSON, `{"current": ID, "keys": {ID: 32 bytes in base64}}`. DataFolderError when it is missing beside a
    database, named by the variable and missing, or damaged.
    """
    given = os.environ.get("POSTROOM_SECRET_KEYS_FILE")
    file = Path(given) if given else _sealing_keys_file(data)
    if not file.exists():
        if given:
            raise DataFolderError(f"POSTROOM_SECRET_KEYS_FILE names {file}, which does not exist.")
        _refuse_beside_database(data, file)
        key = base64.b64encode(secrets.token_bytes(SEALING_KEY_BYTES)).decode()
        first = f"key-{secrets.token_hex(4)}"
        _write_secret(file, json.dumps({"current": first, "keys": {first: key}}, indent=2))
    try:
        stored = json.loads(_read_secret(file))
        keys = {name: base64.b64decode(text, validate=True) for name, text in stored["keys"].items()}
        current = stored["current"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFolderError(f"{file} is damaged: {type(error).__name__}. Restore it from a backup.") from error
    if current not in keys or any(len(key) != SEALING_KEY_BYTES for key in keys.values()):
        raise DataFolderError(f"{file} is damaged: a key is missing or has a wrong length. Restore it from a backup.")
    return SealingKeys(current=current, keys=keys)


class DataFolder:
    """One data folder and, between `take()` and `release()`, the right to run it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or path()).absolute()
        self._lock: IO[bytes] | None = None

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def run_file(self) -> Path:
        return self.path / "run.json"

    def log(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    def prepare(self) -> None:
        """Make the folder, for us alone (0700). DataFolderError when it belongs to another user or is no folder."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "log").mkdir(mode=0o700, exist_ok=True)
            found = self.path.stat()
            if stat.S_IMODE(found.st_mode) & 0o077:
                self.path.chmod(0o700)
        except OSError as error:
            raise DataFolderError(f"The data folder {self.path} cannot be used: {error.strerror}.") from error
        if found.st_uid != os.geteuid():
            raise DataFolderError(f"The data folder {self.path} belongs to another user. Run Postroom as that user.")

    def make_secrets(self, *, database_is_new: bool = True) -> None:
        """Make the keys of a new folder, and read those of an old one: a damaged file is told at the start.

        `database_is_new` is False for a server of DATABASE_URL that holds our tables already: then the keys must be
        here, copied from the machine that made them (for the private server the folder itself shows it).
        """
        keys = Path(os.environ.get("POSTROOM_SECRET_KEYS_FILE") or _sealing_keys_file(self.path))
        for file in () if database_is_new else (_secret_key_file(self.path), keys):
            if not file.exists():
                raise DataFolderError(
                    f"{file} is missing, but the database of DATABASE_URL was made with it."
                    " Copy the file from a backup, or from the machine that runs Postroom already."
                )
        secret_key(self.path)
        sealing_keys(self.path)

    def take(self, wait_seconds: float = 0.5) -> None:
        """Hold the folder until `release()` or our end. DataFolderInUse when another process has it.

        The short wait covers `running()` of another command, which tries the lock for a moment.
        """
        lock = open(os.open(self.path / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "wb")  # noqa: SIM115  until release()
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                lock.close()
                raise DataFolderInUse(self.path, self._read_run_file())
            time.sleep(LOCK_RETRY_SECONDS)
        self._lock = lock
        self.run_file.unlink(missing_ok=True)  # of a process that was killed

    def release(self) -> None:
        if self._lock is not None:
            self.run_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def announce(self, running: Running) -> None:
        """Tell other commands what runs. The database's address may hold a password, so the file is ours alone."""
        fresh = self.run_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        _write_secret(fresh, json.dumps(asdict(running)))
        fresh.replace(self.run_file)

    def running(self) -> Running | None:
        """What runs this folder now; None when nothing does, or when it has not yet told."""
        said = self._read_run_file()
        if said is None:
            return None
        with open(self.path / "lock", "ab") as lock:
            return None if _try_lock(lock, fcntl.LOCK_SH) else said

    def _read_run_file(self) -> Running | None:
        try:
            said = json.loads(self.run_file.read_text())
            return Running(pid=int(said["pid"]), database_url=str(said["database_url"]), url=said["url"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _secret_key_file(data: Path) -> Path:
    return data / "secret" / "django-secret-key"


def _sealing_keys_file(data: Path) -> Path:
    return data / "secret" / "sealing-keys.json"


def _try_lock(lock: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse_beside_database(data: Path, file: Path) -> None:
    if (data / "postgres" / "cluster").exists():
        raise DataFolderError(
            f"{file} is missing, but {data} holds a database that was made with it. Restore the file from a backup."
        )


def _write_secret(file: Path, text: str) -> None:
    """Write a new file that only we may read; another process that was faster keeps its own."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    try:
        os.link(unfinished, file)  # fails where the name exists, so two first starts agree on one key
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()


def _read_secret(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise DataFolderError(f"{file} cannot be read: {error.strerror}.") from error
