"""The tests' Dovecot over one Maildir. Its disk is never synced: it stands for a server far away."""

from __future__ import annotations

import imaplib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.certs import make_certificates
from tests.servers.dovecot import PASSWORD, Dovecot

__all__ = ["PASSWORD", "USER", "Dovecot", "dovecot"]

USER = "bench"


@contextmanager
def dovecot(maildir: Path) -> Iterator[Dovecot]:
    """Serve the Maildir (to any user name), with its index built. From here on SIGTERM leaves all blocks in order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # else Dovecot would outlive us
    _give_away(maildir)
    folder = Path(tempfile.mkdtemp(prefix="postroom-dovecot-"))
    folder.chmod(0o755)
    try:
        (folder / "certificates").mkdir()
        certificates = make_certificates(folder / "certificates")
        server = Dovecot(folder / "server", certificates, mail_location=f"maildir:{maildir}:INBOX={maildir}").start()
        try:
            _warm_up(server.imap)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give_away(maildir: Path) -> None:
    """To the user that Dovecot reads mail as, which is never root."""
    maildir.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and maildir.owner() != "nobody":
        subprocess.run(["chown", "-R", "nobody:nogroup", os.fspath(maildir)], check=True)


def _warm_up(port: int) -> None:
    """The first fetch of a header makes Dovecot build its index (3 s for 20,000 messages); every later one is quick."""
    with imaplib.IMAP4("127.0.0.1", port) as client:
        client.login(USER, PASSWORD)
        for folder in ("INBOX", "Sent"):
            _, (count, *_) = client.select(folder, readonly=True)
            if count not in (None, b"0"):
                client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
