"""Log files of child processes, kept below a size while the children go on writing.

Children write to the file themselves, opened for appending: no pipe that could fill or break with the supervisor.
So a full file is copied and cut, not renamed; a line written between the two is lost, which a log can bear.
"""

import os
import shutil
from pathlib import Path
from typing import IO, Final

ROTATE_BYTES: Final = 10_000_000
KEPT: Final = 3


def open_log(log: Path) -> IO[bytes]:
    """Open for appending, 0600: a log names people's addresses."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600))


def rotate_when_full(log: Path, limit_bytes: int = ROTATE_BYTES) -> bool:
    """Copy a log of more than `limit_bytes` to NAME.1 (older ones to .2 and .3) and cut it. Tells whether it did."""
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return False
    for number in range(KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copy2(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, indented, for a terminal."""
    try:
        with open(log, "rb") as opened:
            opened.seek(max(0, log.stat().st_size - 20_000))
            ending = opened.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in ending)
