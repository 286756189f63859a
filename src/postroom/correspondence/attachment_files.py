"""The octets of attachments: a file for each content, named by its SHA-256 (aa/bb/aabb…), in the storage "attachments".

Files are written before the rows that name them are committed, and made durable once a page: `syncfs` after each 30
adds 0.1 s to 600 files, `fsync` of each file and folder 0.5 s. A crash in between leaves files that nobody names,
or short ones, which are written again because their size differs. What is too large for memory is written piece by
piece.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from postroom.mail.message import Attached

STORAGE = "attachments"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_UNFINISHED = ".unfinished"  # files that are being written
_LONGEST_WRITE_SECONDS = 3600
_IN_MEMORY = 32 * 1024 * 1024  # octets handed to a storage at once
_made_folders: set[str] = set()  # that this process made or found; 65,792 at most
_waiting_for_the_disk = ThreadPoolExecutor(4, thread_name_prefix="durable")


def name_of(sha256: bytes) -> str:
    """Where a content lies within the storage."""
    digest = bytes(sha256).hex()
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def save_contents(attachments: Iterable[tuple[bytes, Attached]]) -> None:
    """Save (SHA-256, attachment) pairs that are not there yet; when this returns they survive a power cut."""
    begin_saving(attachments).result()


def begin_saving(attachments: Iterable[tuple[bytes, Attached]]) -> Future[None]:
    """Write (SHA-256, attachment) pairs that are not there yet; once the future is done they survive a power cut.

    The disk takes as long as all else that is done to a page before its transaction, so the caller does that meanwhile.
    """
    storage = storages[STORAGE]
    if isinstance(storage, FileSystemStorage):
        root = os.path.abspath(storage.location)
        written = [path for sha256, one in attachments if (path := _save_file(root, name_of(sha256), one))]
        if written:
            return _waiting_for_the_disk.submit(_make_durable, root, written)
    else:
        _save_in_storage(storage, attachments)
    saved: Future[None] = Future()
    saved.set_result(None)
    return saved


def open_content(sha256: bytes) -> IO[Any]:
    """The content as an open binary file; raises FileNotFoundError."""
    return storages[STORAGE].open(name_of(sha256), "rb")


def _save_in_storage(storage: Storage, attachments: Iterable[tuple[bytes, Attached]]) -> None:
    for sha256, attachment in attachments:
        if storage.exists(name_of(sha256)):
            continue
        with tempfile.TemporaryFile() if attachment.size > _IN_MEMORY else io.BytesIO() as content:
            content.writelines(attachment.pieces())
            content.seek(0)
            storage.save(name_of(sha256), File(content))


def _save_file(root: str, name: str, attachment: Attached) -> str | None:
    """Write the file under another name, then give it its own; None when it is there whole.

    Paths are plain strings and no call is made that is not needed: with pathlib and tempfile a small file took twice as
    long, and folders that are looked for each time cost as much as the file.
    """
    path = f"{root}/{name}"
    try:
        if os.stat(path).st_size == attachment.size:
            return None
    except FileNotFoundError:
        pass
    try:
        _write_file(root, path, attachment)
    except FileNotFoundError:  # somebody took a folder away that we remember
        _made_folders.clear()
        _write_file(root, path, attachment)
    return path


def _write_file(root: str, path: str, attachment: Attached) -> None:
    for folder in (f"{root}/{_UNFINISHED}", os.path.dirname(path)):
        if folder not in _made_folders:
            _make_folder(folder)
    temporary = f"{root}/{_UNFINISHED}/{os.urandom(8).hex()}"
    handle = os.open(temporary, _NEW_FILE, _FILE_MODE)
    try:
        try:
            for piece in attachment.pieces():
                _write_all(handle, piece)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(handle: int, piece: bytes) -> None:
    """On a disk that gets full, one write takes a part without a word, and only the next one says why."""
    left = memoryview(piece)
    while left:
        left = left[os.write(handle, left) :]


def forget_unfinished() -> None:
    """Delete what processes that were killed left half written. One that is alive writes no file for an hour."""
    storage = storages[STORAGE]
    if not isinstance(storage, FileSystemStorage):
        return
    for left in Path(storage.location, _UNFINISHED).glob("*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _LONGEST_WRITE_SECONDS:
                left.unlink()


def _make_folder(folder: str) -> None:
    """mkdir -p, with 0700 for every folder made (os.makedirs gives parents the default mode)."""
    try:
        os.mkdir(folder, _FOLDER_MODE)
    except FileExistsError:
        pass
    except FileNotFoundError:
        _make_folder(os.path.dirname(folder))
        _make_folder(folder)
    _made_folders.add(folder)


def _make_durable(root: str, written: list[str]) -> None:
    if sys.platform == "linux":
        descriptor = os.open(root, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), "syncfs", root)
        finally:
            os.close(descriptor)
        return
    for path in {*written, *map(os.path.dirname, written)}:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
