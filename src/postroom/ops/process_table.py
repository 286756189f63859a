"""Questions about other processes of this machine: /proc on Linux, `ps` elsewhere."""

import os
import subprocess
import sys
from pathlib import Path


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def command_line(pid: int) -> str:
    """The command line of a living process; empty for a zombie and for a pid nobody has."""
    if sys.platform.startswith("linux"):
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="surrogateescape")
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True)
    return listed.stdout


def processes_in(folder: Path) -> list[int]:
    """The processes whose working folder it is: the server and all its backends (Linux; elsewhere none are seen)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(entry) == os.path.realpath(folder):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found
