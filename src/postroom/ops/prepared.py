"""Whether prepare.py has anything to do, answered without Django: its import alone takes a second of each start.

The mark in the data folder holds a digest of everything that prepare.py depends on, and of the migrations that the
database says it has: another database, an older backup or a changed file of ours, and the digest differs.
"""

import hashlib
from pathlib import Path
from typing import Final

import psycopg

from postroom import __version__
from postroom.ops.data_folder import DataFolder

PACKAGE: Final = Path(__file__).resolve().parents[1]
LOCK_FILE: Final = PACKAGE.parents[1] / "requirements.lock"


def is_prepared(folder: DataFolder, database_url: str) -> bool:
    """Whether tables and static files are as this code needs them, and the set-up is done."""
    try:
        mark = _mark(folder).read_text()
    except FileNotFoundError:
        return False
    return (folder.path / "static").is_dir() and mark == _digest(database_url)


def remember(folder: DataFolder, database_url: str) -> None:
    """Call it after prepare.py, once there is no set-up link to show any more."""
    _mark(folder).write_text(_digest(database_url))


def files_digest(pattern: str) -> str:
    """Changes with the version, the installed packages and our files of the pattern (by size and time, not content)."""
    digest = hashlib.sha256(__version__.encode())
    digest.update(LOCK_FILE.read_bytes())
    for file in sorted(PACKAGE.glob(pattern)):
        if "__pycache__" not in file.parts:
            found = file.stat()
            digest.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _digest(database_url: str) -> str:
    digest = hashlib.sha256(files_digest("*/migrations/*.py").encode())
    digest.update(files_digest("*/static/**/*").encode())
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            applied = connection.execute(
                "SELECT app, name, applied::text FROM django_migrations ORDER BY id"
            ).fetchall()
    except psycopg.errors.UndefinedTable:
        applied = []
    digest.update(repr(applied).encode())
    return digest.hexdigest()


def _mark(folder: DataFolder) -> Path:
    return folder.path / "prepared"
