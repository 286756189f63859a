"""mbsync (isync), the peer: it drains a mailbox into a Maildir, one file a message."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.dovecot import PASSWORD, USER

TMPFS = Path("/dev/shm")

_CONFIGURATION = """
FSync {fsync}

IMAPAccount bench
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account bench

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel bench
Far :far:
Near :near:
Patterns INBOX Sent
Create Near
Sync Pull
SyncState *
CopyArrivalDate yes
"""


@dataclass(frozen=True, slots=True)
class MbsyncRun:
    seconds: float
    cpu_seconds: float


def run_mbsync(imap_port: int, messages: int, *, within: Path, fsync: bool) -> MbsyncRun:
    """Drain the mailbox into a new folder within `within`; RuntimeError when a message is missing."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-mbsync-", dir=within))
    try:
        (folder / "mail").mkdir()
        configuration = folder / "mbsyncrc"
        configuration.write_text(
            _CONFIGURATION.format(
                fsync="yes" if fsync else "no", port=imap_port, user=USER, password=PASSWORD, folder=folder
            )
        )
        os.sync()  # what earlier rounds wrote must not be charged to this one
        started, before = time.perf_counter(), os.times()
        subprocess.run(
            ["mbsync", "-q", "-c", os.fspath(configuration), "bench"],
            check=True,
            capture_output=True,  # it warns of the unencrypted password
            env={**os.environ, "HOME": os.fspath(folder)},
        )
        seconds, after = time.perf_counter() - started, os.times()
        found = sum(len(files) for path, _, files in os.walk(folder / "mail") if path.endswith(("/cur", "/new")))
        if found != messages:
            raise RuntimeError(f"mbsync left {found} of {messages} messages")
    finally:
        shutil.rmtree(folder)
    cpu_before, cpu_after = (times.children_user + times.children_system for times in (before, after))
    return MbsyncRun(seconds, cpu_after - cpu_before)
