"""A mailbox at the fake Google; the fake's own methods play the other mail program."""

from __future__ import annotations

import ipaddress
import uuid

from postroom.providers.base import Credentials
from postroom.providers.errors import NeedsReconnect
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.guard import NetworkPolicy
from tests.contract.provider_place import Place
from tests.fakes.google import FakeGoogle, GoogleMailbox

LOOPBACK = NetworkPolicy(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
_LABELS = {"\\Flagged": "STARRED", "\\Draft": "DRAFT"}


def letter(number: int, sender: str = "katrin@customer.test", to: str = "sales@example.test", **more: str) -> bytes:
    fields = {"Message_ID": f"<{number}.{uuid.uuid4().hex}@x.test>", **more}
    lines = [f"From: {sender}", f"To: {to}", f"Subject: Letter {number}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + f"\r\n\r\nHello {number}\r\n").encode()


class FixedTokens:
    """Tokens as mailboxes/tokens.py gives them: one, and another once it was refused."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.refused: list[str] = []

    async def access_token(self, refused: str = "") -> str:
        if refused:
            self.refused.append(refused)
            if len(self._tokens) > 1:
                self._tokens.pop(0)
        return self._tokens[0]


class GmailPlace(Place):
    inbox, sent, trash, junk = "INBOX", "SENT", "TRASH", "SPAM"
    nowhere = "Label_404"
    no_ids = ("77.1", "nonsense", "19a0ffffffffffff")
    tells_sizes = False
    names_stay = True
    pushes_others = True
    refusal = NeedsReconnect
    refusal_code = "needs_reconnect"

    def __init__(self, google: FakeGoogle, *, poll_seconds: float = 0.1) -> None:
        self.google = google
        self.address = f"u{uuid.uuid4().hex[:12]}@gmail.test"
        self.provider: GmailProvider = GmailProvider(LOOPBACK, endpoints=google.endpoints, poll_seconds=poll_seconds)
        self.credentials = Credentials(self.address, {}, tokens=FixedTokens(google.token_for(self.address)))

    @property
    def mailbox(self) -> GoogleMailbox:
        return self.google.mailbox(self.address)

    async def deliver(self, raw: bytes) -> None:
        self.mailbox.deliver(raw)

    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        seen = set() if "\\Seen" in flags else {"UNREAD"}
        self.mailbox.set_labels(remote_id, {"INBOX", *seen, *(_LABELS[flag] for flag in flags if flag in _LABELS)})

    async def remove(self, remote_id: str) -> None:
        self.mailbox.delete(remote_id)

    async def make_folder(self, name: str) -> None:
        self.mailbox.make_label(name)

    async def rename_folder(self, name: str, new_name: str) -> None:
        self.mailbox.rename_label(self._label(name), new_name)

    async def remove_folder(self, name: str) -> None:
        self.mailbox.delete_label(self._label(name))

    def wrong_credentials(self) -> Credentials:
        return Credentials(self.address, {}, tokens=FixedTokens("ya29.nobody"))

    def _label(self, name: str) -> str:
        return next(label for label, one in self.mailbox.labels.items() if one == name)
