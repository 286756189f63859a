"""What was handed over and waits in Drafts until it is sent, as at providers with an API."""

from __future__ import annotations

from postroom.mail.headers import split_message
from postroom.mail.mime.parsing import parse_headers
from postroom.providers.errors import InDoubt
from postroom.providers.memory.server import MemoryServer

DRAFTS = "Drafts"


class Uploads:
    """The waiting messages of one mailbox. An upload's name is its remote id in Drafts."""

    def __init__(self, server: MemoryServer, address: str) -> None:
        self._server = server
        self._address = address.lower()

    def waiting(self) -> dict[str, bytes]:
        """By name."""
        folder = self._server.shelf.read(self._address, DRAFTS)
        if folder is None:
            return {}
        return {f"{folder.uid_validity}.{uid}": kept.raw for uid, kept in folder.messages.items()}

    def take_up(self, mime: bytes, upload: str, *, was_tried: bool) -> str:
        """The name of what is to be sent. Raises InDoubt when `upload` waits no more."""
        waiting = self.waiting()
        if upload:
            if upload not in waiting:
                raise InDoubt("upload_gone", host="memory")
            return upload
        if was_tried:
            own_id = _own_id(mime)
            for name, raw in waiting.items():
                if _own_id(raw) == own_id:
                    return name
        return self._server.deliver(self._address, mime, folder=DRAFTS, flags=("\\Draft",))

    def let_go(self, upload: str) -> None:
        """Take it out of Drafts, which succeeds once. Raises InDoubt when it is not there."""
        try:
            self._server.remove(self._address, DRAFTS, upload)
        except KeyError:
            raise InDoubt("upload_gone", host="memory") from None

    def drop(self, internet_message_id: str, keep: str) -> None:
        for name, raw in self.waiting().items():
            if name != keep and _own_id(raw) == internet_message_id:
                self._server.remove(self._address, DRAFTS, name)


def _own_id(raw: bytes) -> str:
    return parse_headers(split_message(raw)[0]).internet_message_id
