"""The memory server's mail in a folder on disk, so that the demo's web and worker processes see the same mail.

FOLDER/lock
FOLDER/mail/ADDRESS/NAME/folder.json    numbers, flags and dates of the folder, replaced whole
FOLDER/mail/ADDRESS/NAME/UID.eml        a message, written before folder.json names it
FOLDER/due/NUMBER.json, NUMBER.eml      mail that arrives later
FOLDER/people.json                      who answers: server.Person's fields, each a list entry
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from postroom.providers.memory.shelf import STANDARD_FOLDERS, DueMail, KeptFolder, KeptMessage, Outline


class DiskShelf:
    """See shelf.Shelf."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        (folder / "mail").mkdir(parents=True, exist_ok=True)
        (folder / "due").mkdir(exist_ok=True)

    def addresses(self) -> list[str]:
        return sorted(unquote(path.name) for path in (self._root / "mail").iterdir())

    def folders(self, address: str) -> list[Outline]:
        self._make_standard(address)
        found = []
        for path in sorted(self._place(address).iterdir()):
            with suppress(FileNotFoundError):
                told = json.loads((path / "folder.json").read_text())
                numbers = (told["uid_validity"], told["uid_next"], told["change"])
                found.append(Outline(unquote(path.name), told["role"], told.get("identity", ""), *numbers))
        return found

    def rename_folder(self, address: str, name: str, new_name: str) -> None:
        with self._locked():
            self._place(address, name).rename(self._place(address, new_name))

    def remove_folder(self, address: str, name: str) -> None:
        with self._locked():
            shutil.rmtree(self._place(address, name))

    @contextmanager
    def changing(self, address: str, name: str) -> Iterator[KeptFolder]:
        self._make_standard(address)
        with self._locked():
            folder = self._load(address, name) or KeptFolder(name)
            before = set(folder.messages)
            yield folder
            self._save(address, folder, before)

    def read(self, address: str, name: str) -> KeptFolder | None:
        self._make_standard(address)
        with self._locked():
            return self._load(address, name)

    def put_due(self, mail: DueMail) -> None:
        number = f"{mail.due_at:.6f}-{os.getpid()}-{os.urandom(4).hex()}"
        _replace(self._root / "due" / f"{number}.eml", mail.raw)
        told = {"due_at": mail.due_at, "address": mail.address}
        _replace(self._root / "due" / f"{number}.json", json.dumps(told).encode())

    def take_due(self, now: float) -> list[DueMail]:
        due = []
        with self._locked():
            for path in sorted((self._root / "due").glob("*.json")):
                told = json.loads(path.read_text())
                if told["due_at"] <= now:
                    due.append(DueMail(told["due_at"], told["address"], path.with_suffix(".eml").read_bytes()))
                    path.unlink()
                    path.with_suffix(".eml").unlink()
        return due

    def state(self, address: str, name: str) -> int:
        try:
            return (self._place(address, name) / "folder.json").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _place(self, address: str, name: str | None = None) -> Path:
        place = self._root / "mail" / quote(address.lower(), safe="@+-_")
        return place / quote(name, safe=" ") if name is not None else place

    def _make_standard(self, address: str) -> None:
        if not self._place(address).exists():
            with self._locked():
                for name, role in STANDARD_FOLDERS:
                    self._save(address, KeptFolder(name, role), set())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self, address: str, name: str) -> KeptFolder | None:
        place = self._place(address, name)
        try:
            told: dict[str, Any] = json.loads((place / "folder.json").read_text())
        except FileNotFoundError:
            return None
        messages = {
            int(uid): KeptMessage(
                int(uid),
                (place / f"{uid}.eml").read_bytes(),
                datetime.fromisoformat(one["received_at"]),
                tuple(one["flags"]),
                one["change"],
            )
            for uid, one in told.pop("messages").items()
        }
        removed = [(change, uid) for change, uid in told.pop("removed")]
        told |= {"name": name, "identity": told.get("identity", "")}  # the place's name counts, also after renaming
        return KeptFolder(**told, messages=messages, removed=removed)

    def _save(self, address: str, folder: KeptFolder, before: set[int]) -> None:
        place = self._place(address, folder.name)
        place.mkdir(parents=True, exist_ok=True)
        for uid, message in folder.messages.items():
            path = place / f"{uid}.eml"
            if uid not in before or path.read_bytes() != message.raw:
                _replace(path, message.raw)
        told = {
            "name": folder.name,
            "role": folder.role,
            "identity": folder.identity,
            "uid_validity": folder.uid_validity,
            "uid_next": folder.uid_next,
            "change": folder.change,
            "removed": folder.removed,
            "messages": {
                uid: {"received_at": one.received_at.isoformat(), "flags": one.flags, "change": one.change}
                for uid, one in folder.messages.items()
            },
        }
        _replace(place / "folder.json", json.dumps(told).encode())
        for uid in before - set(folder.messages):
            (place / f"{uid}.eml").unlink(missing_ok=True)


def read_people(folder: Path) -> list[dict[str, Any]]:
    """The people of a shared server; none when nobody was written down."""
    try:
        people: list[dict[str, Any]] = json.loads((folder / "people.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return people


def write_people(folder: Path, people: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "people.json", json.dumps(people).encode())


def _replace(path: Path, octets: bytes) -> None:
    """Write a file that is either old or new, never half."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
    Path(name).replace(path)
