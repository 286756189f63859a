"""One request to Graph, taken apart, and what was heard of all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.fakes.microsoft.errors import access_denied, bad_request
from tests.fakes.microsoft.mailbox import FakeMailbox
from tests.fakes.microsoft.oauth import Access
from tests.fakes.microsoft.shapes import SIZE
from tests.fakes.served import Request

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft

_PLAIN = "/()'"  # of a path


@dataclass(slots=True)
class Heard:
    """A request that came, for tests to look at. `at` is time.monotonic(); parts of a $batch are told of as well.

    `mailbox` is the address whose mail was asked for, "" for all else. `is_early`: it came within a Retry-After.
    """

    at: float
    method: str
    path: str
    mailbox: str = ""
    status: int = 0
    immutable: bool = False
    in_batch: bool = False
    is_early: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a mailbox. `parts` is its path after /me or /users/{address}."""

    microsoft: FakeMicrosoft
    request: Request
    access: Access
    mailbox: FakeMailbox
    owner_path: str
    parts: tuple[str, ...]

    @property
    def immutable(self) -> bool:
        """Whether immutable ids were asked for. The value is case-sensitive (outlook-immutable-id.md)."""
        return bool(re.search(r'IdType\s*=\s*"ImmutableId"', self.request.headers.get("prefer", "")))

    @property
    def wants_text(self) -> bool:
        """Whether bodies are wanted as plain text."""
        return 'outlook.body-content-type="text"' in self.request.headers.get("prefer", "")

    @property
    def page_size(self) -> int | None:
        """Prefer: odata.maxpagesize."""
        found = re.search(r"odata\.maxpagesize\s*=\s*(\d+)", self.request.headers.get("prefer", ""))
        return int(found[1]) if found else None

    @property
    def select(self) -> tuple[str, ...]:
        """$select."""
        return tuple(name.strip() for name in self.request.query.get("$select", "").split(",") if name.strip())

    @property
    def wants_sizes(self) -> bool:
        """Whether the size property is expanded."""
        expand = self.request.query.get("$expand", "")
        if expand and not expand.startswith("singleValueExtendedProperties($filter=") and expand != "attachments":
            raise bad_request(f"Could not find a property named '{expand}' on type 'microsoft.graph.message'.")
        return bool(SIZE.search(expand))

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query."""
        value = self.request.query.get(name)
        if value is None:
            return default
        if not value.isdigit() or not 0 <= int(value) <= most:
            raise bad_request(f"Invalid value '{value}' for {name} query option found.", "ErrorInvalidUrlQuery")
        return int(value)

    def url(self, path: str, query: dict[str, Any]) -> str:
        """An address below this mailbox, as nextLink and deltaLink have it."""
        return f"{self.microsoft.api}{self.owner_path}{quote(path, safe=_PLAIN)}?{urlencode(query)}"

    def need(self, *scopes: str) -> None:
        """Raise unless one of these scopes was granted; in somebody else's mailbox its .Shared variant is needed."""
        foreign = self.access.address != self.mailbox.address
        wanted = {f"{scope}.Shared" for scope in scopes} if foreign else {*scopes, *(f"{one}.Shared" for one in scopes)}
        if not wanted & self.access.scopes:
            raise access_denied()
        if foreign and self.access.address not in self.mailbox.full_access:
            raise access_denied()

    def need_reading(self) -> None:
        """The scopes that let read."""
        self.need("Mail.Read", "Mail.ReadWrite")

    def need_writing(self) -> None:
        """The scope that lets drafts be made."""
        self.need("Mail.ReadWrite")
