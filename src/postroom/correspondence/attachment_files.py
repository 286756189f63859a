"""The octets of attachments: a file for each content, named by its SHA-256 (aa/bb/aabb…), in the storage "attachments".

Files are written before the rows that name them are committed, and made durable once a page: `syncfs` after each 30
adds 0.1 s to 600 files, `fsync` of each file and folder 0.5 s. A crash in between leaves files that nobody names,
or short ones, which are written again because their size differs.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

STORAGE = "attachments"
_FOLDER_MODE = 0o700


def name_of(sha256: bytes) -> str:
    """Where a content lies within the storage."""
    digest = bytes(sha256).hex()
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def save_contents(contents: Iterable[tuple[bytes, bytes]]) -> None:
    """Save (SHA-256, content) pairs that are not there yet; when this returns they survive a power cut."""
    storage = storages[STORAGE]
    if isinstance(storage, FileSystemStorage):
        _save_in_folder(Path(storage.location), contents)
    else:
        _save_in_storage(storage, contents)


def open_content(sha256: bytes) -> IO[Any]:
    """The content as an open binary file; raises FileNotFoundError."""
    return storages[STORAGE].open(name_of(sha256), "rb")


def _save_in_storage(storage: Storage, contents: Iterable[tuple[bytes, bytes]]) -> None:
    for sha256, content in contents:
        if not storage.exists(name_of(sha256)):
            storage.save(name_of(sha256), ContentFile(content))


def _save_in_folder(root: Path, contents: Iterable[tuple[bytes, bytes]]) -> None:
    written = [path for sha256, content in contents if (path := _save_file(root / name_of(sha256), content))]
    if written:
        _make_durable(root, written)


def _save_file(path: Path, content: bytes) -> Path | None:
    """Write the file under another name, then give it its own; None when it is there whole."""
    try:
        if path.stat().st_size == len(content):
            return None
    except FileNotFoundError:
        _make_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    try:
        with open(handle, "wb", buffering=0) as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _make_folder(folder: Path) -> None:
    """mkdir -p, with 0700 for every folder made (Path.mkdir gives parents the default mode)."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def _make_durable(root: Path, written: list[Path]) -> None:
    if sys.platform == "linux":
        descriptor = os.open(root, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), "syncfs", str(root))
        finally:
            os.close(descriptor)
        return
    for path in {*written, *(path.parent for path in written)}:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
