"""Somebody else's mail program: imaplib, in the words of the scenarios."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Sequence


class Client:
    """Signed in. Names are wire names without quotes; what a server refuses, because it is gone, counts as done."""

    def __init__(self, connection: imaplib.IMAP4) -> None:
        self.connection = connection

    def append(self, folder: str, raw: bytes, flags: str = "", days_ago: int = 0) -> bool:
        arrived = imaplib.Time2Internaldate(time.time() - days_ago * 86_400) if days_ago else ""
        status, _ = self.connection.append(f'"{folder}"', f"({flags})", arrived, raw)
        return status == "OK"

    def create(self, folder: str) -> bool:
        return self.connection.create(f'"{folder}"')[0] == "OK"

    def delete(self, folder: str) -> bool:
        if self.connection.state == "SELECTED":
            self.connection.unselect()  # a server ends the connection when the open folder goes
        return self.connection.delete(f'"{folder}"')[0] == "OK"

    def rename(self, folder: str, to: str) -> bool:
        return self.connection.rename(f'"{folder}"', f'"{to}"')[0] == "OK"

    def uids(self, folder: str) -> list[str]:
        """The folder is selected after it."""
        if self.connection.select(f'"{folder}"')[0] != "OK":
            return []
        _, [found] = self.connection.uid("SEARCH", "ALL")
        return [uid.decode() for uid in (found or b"").split()]

    def flag(self, uids: Sequence[str], change: str) -> None:
        """In the selected folder: `+FLAGS (\\Seen)` and the like."""
        if uids:
            operation, _, flags = change.partition(" ")
            self.connection.uid("STORE", ",".join(uids), f"{operation}.SILENT", flags)

    def copy(self, uids: Sequence[str], to: str) -> None:
        if uids:
            self.connection.uid("COPY", ",".join(uids), f'"{to}"')

    def move(self, uids: Sequence[str], to: str) -> None:
        if uids:
            self.connection.uid("MOVE", ",".join(uids), f'"{to}"')

    def expunge(self, uids: Sequence[str]) -> None:
        if uids:
            self.flag(uids, "+FLAGS (\\Deleted)")
            self.connection.uid("EXPUNGE", ",".join(uids))
