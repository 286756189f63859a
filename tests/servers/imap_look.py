"""A look into a mailbox with somebody else's client: what is really there."""

from __future__ import annotations

import imaplib
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from tests.servers.dovecot import Dovecot


def folder_contents(dovecot: Dovecot, address: str, folder: str, password: str = "pass") -> list[EmailMessage]:
    """Every message of a folder, oldest first; empty when the folder is missing."""
    with imaplib.IMAP4("127.0.0.1", dovecot.imap) as client:
        client.login(address, password)
        status, _ = client.select(folder, readonly=True)
        if status != "OK":
            return []
        _, [numbers] = client.search(None, "ALL")
        found = []
        for number in numbers.split():
            _, parts = client.fetch(number.decode(), "(BODY.PEEK[])")
            found += [message_from_bytes(part[1], policy=default) for part in parts if isinstance(part, tuple)]
        return found  # type: ignore[return-value]
