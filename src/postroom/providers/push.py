"""How a provider calls us when mail arrives, as values and one protocol. A call is a hint: it says "look", no more.

Calls may be lost, repeated, late and forged, so nothing but a look hangs on one, and polls go on without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from postroom.providers.base import Credentials

MOST_OCTETS = 256 * 1024  # of one call

# changed: look at the mailbox. renew: the watch has to be renewed now. removed: it is gone. missed: calls were lost.
Event = Literal["changed", "renew", "removed", "missed"]


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """What is asked for: `resource` of a mailbox, told to `address`. Calls repeat `secret`, where the provider can."""

    resource: str
    address: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Watched:
    """A provider's promise to call. Calls name `remote_id`; it ends at `expires_at`, and is renewed at `renew_at`."""

    remote_id: str
    expires_at: datetime
    renew_at: datetime


@dataclass(frozen=True, slots=True)
class PushCall:
    """One request to our address. Names of headers are in lower case; `address` is the one the provider was given."""

    address: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a call says about one watch. Without `is_proven` it is believed only with the watch's secret."""

    remote_id: str
    event: Event
    secret: str = field(default="", repr=False)
    is_proven: bool = False


class Push(Protocol):
    """Watches at one provider. All but `greeting` and `resources` raise the tree of errors."""

    def resources(self, address: str, sign_in_user: str, topic: str) -> Sequence[str]:
        """What is watched of that mailbox, each by a watch of its own; none where it cannot be. `topic` as the
        operator set it (AppSettings.push_topic), "" for none."""
        ...

    async def watch(self, credentials: Credentials, order: WatchOrder) -> Watched:
        """Ask for calls."""
        ...

    async def renew(self, credentials: Credentials, remote_id: str, order: WatchOrder) -> Watched | None:
        """Ask for more time; None where the provider knows the watch no more. The order's secret is not used."""
        ...

    async def unwatch(self, credentials: Credentials, remote_id: str) -> None:
        """Ask for calls no more; a watch that is gone is no error."""
        ...

    def greeting(self, call: PushCall) -> str | None:
        """What has to be answered, as text/plain, to prove that the address is ours; None for an ordinary call."""
        ...

    async def read(self, call: PushCall) -> Sequence[Notice]:
        """What a call says; nothing for one that is forged or cannot be read."""
        ...
