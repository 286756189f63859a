"""Room on the disk. Needs neither Django nor the database: a full disk is what often keeps that from starting."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from postroom.ops.findings.finding import Finding

LEAST_FREE_BYTES: Final = 1_000_000_000


def room(folders: Iterable[Path]) -> Finding:
    """Of each disk that the folders lie on; the last folder of one names it."""
    by_disk = {folder.stat().st_dev: folder for folder in folders if folder.exists()}
    free = {folder: shutil.disk_usage(folder).free for folder in by_disk.values()}
    what = ", ".join(f"{octets / 1e9:.1f} GB free in {folder}" for folder, octets in free.items())
    is_roomy = all(octets >= LEAST_FREE_BYTES for octets in free.values())
    return Finding("disk", is_roomy, what, "Make room, or move the data folder (POSTROOM_DATA).")
