"""A place on the fake Microsoft: its own hands play the other mail program."""

from __future__ import annotations

import uuid

from postroom.providers.base import Credentials
from postroom.providers.errors import NeedsReconnect
from postroom.providers.guard import NetworkPolicy
from postroom.providers.outlook.provider import OutlookProvider
from postroom.providers.outlook.requests import PAGE_ITEMS
from tests.contract.provider_place import Place
from tests.fakes.microsoft.calls import Heard
from tests.fakes.microsoft.server import FakeMicrosoft


class GivenTokens:
    """A grant with this token and no other: once refused it is dead. See base.Tokens."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.asked = 0

    async def access_token(self, refused: str = "") -> str:
        self.asked += 1
        if refused == self.token:
            raise NeedsReconnect
        return self.token


class OutlookPlace(Place):
    """A mailbox of its own, or one that is shared with a user of another address."""

    touches = True
    tells_sizes = False  # of what is small
    names_stay = True
    appends_drafts = True
    refusal = NeedsReconnect
    refusal_code = "needs_reconnect"

    def __init__(self, microsoft: FakeMicrosoft, *, is_shared: bool = False, page_items: int = PAGE_ITEMS) -> None:
        self.microsoft = microsoft
        name = uuid.uuid4().hex
        self.address, self.user = f"sales-{name}@example.test", f"jane-{name}@example.test" if is_shared else ""
        self.mailbox = microsoft.share(self.address, with_=self.user) if is_shared else microsoft.mailbox(self.address)
        self.provider = OutlookProvider(
            NetworkPolicy(), endpoints=microsoft.endpoints, poll_seconds=0.2, page_items=page_items
        )
        self.credentials = self.with_token(microsoft.token_for(self.user or self.address))
        self._heard_before = [0, 0]
        self.inbox, self.sent, self.trash, self.junk = (
            self.mailbox.folder_named(name) for name in ("inbox", "sentitems", "deleteditems", "junkemail")
        )

    def heard(self, *, in_batch: bool = False) -> list[Heard]:
        """The requests for this mailbox since they were forgotten: those of their own, or the parts of batches."""
        told = [one for address in {self.address, self.user} - {""} for one in self.microsoft.heard(mailbox=address)]
        return [one for one in told if one.in_batch == in_batch][self._heard_before[in_batch] :]

    def forget_heard(self) -> None:
        """Count requests anew."""
        self._heard_before = [0, 0]
        self._heard_before = [len(self.heard()), len(self.heard(in_batch=True))]

    def with_token(self, token: str) -> Credentials:
        return Credentials(self.address, {}, GivenTokens(token), sign_in_user=self.user)

    async def deliver(self, raw: bytes) -> None:
        self.mailbox.deliver(raw)

    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        is_flagged = "\\Flagged" in flags
        self.mailbox.update(remote_id, is_read="\\Seen" in flags, flag="flagged" if is_flagged else "notFlagged")

    async def remove(self, remote_id: str) -> None:
        self.mailbox.delete(remote_id)

    async def make_folder(self, name: str) -> None:
        self.mailbox.make_folder(name)

    async def rename_folder(self, name: str, new_name: str) -> None:
        self.mailbox.rename_folder(name, new_name)

    async def remove_folder(self, name: str) -> None:
        self.mailbox.delete_folder(name)

    def wrong_credentials(self) -> Credentials:
        return self.with_token("taken back")
