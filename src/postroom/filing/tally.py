"""What a mailbox holds, counted by whom the mail is with. Pure: headers in, numbers out; nothing else is kept.

A message belongs on a record when one of its addresses is a contact's, or when some message of its conversation does
(matching.py says why); so a conversation's messages are counted together, in whatever order they are seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

from postroom.mail.threading import ThreadFacts

Group = Literal["known", "colleagues", "private", "unknown"]
# A message is counted in the first group that fits.
GROUPS: Final[tuple[Group, ...]] = ("known", "colleagues", "private", "unknown")


@dataclass(frozen=True, slots=True)
class People:
    """Who is who, by address key. Addresses of `private_domains` say nothing about a company."""

    contacts: Mapping[str, UUID] = field(default_factory=dict)
    own_keys: frozenset[str] = frozenset()
    own_domains: frozenset[str] = frozenset()
    private_domains: frozenset[str] = frozenset()

    def contacts_among(self, keys: Iterable[str]) -> frozenset[UUID]:
        """The contacts who take part; the workspace's own addresses match nobody."""
        return frozenset(self.contacts[key] for key in keys if key in self.contacts and key not in self.own_keys)

    def group_of(self, keys: Collection[str]) -> Group:
        """The group of a message with these participants, taken by itself."""
        if self.contacts_among(keys):
            return "known"
        others = {_domain(key) for key in keys if key not in self.own_keys} - self.own_domains
        if not others:
            return "colleagues"
        return "private" if others <= self.private_domains else "unknown"


class Tally:
    """Counts messages one by one; a second copy of a message counts once."""

    def __init__(self) -> None:
        self._parent: dict[UUID, UUID] = {}
        self._groups: dict[UUID, Counter[Group]] = {}  # by the root of a conversation
        self._on_record: set[UUID] = set()  # roots of conversations that stand on a record
        self._seen: set[UUID] = set()
        self._contacts: Counter[UUID] = Counter()
        self._totals: Counter[Group] = Counter()

    @property
    def seen(self) -> int:
        return len(self._seen)

    def counts(self) -> dict[Group, int]:
        """How many messages each group has; together as many as were seen."""
        return {group: self._totals[group] for group in GROUPS}

    def contacts(self, most: int) -> list[tuple[UUID, int]]:
        """The contacts with most messages to or from them."""
        return self._contacts.most_common(most)

    def note_record(self, ref: UUID) -> None:
        """The conversation of this reference stands on a record already."""
        self._put_on_record(self._find(ref))

    def add(self, message: ThreadFacts, group: Group, contacts: Iterable[UUID] = ()) -> None:
        """Count one message, with the group that it has by itself and the contacts who take part."""
        root = self._find(message.key)
        for ref in message.refs:
            root = self._join(root, self._find(ref))
        if message.key in self._seen:
            return
        self._seen.add(message.key)
        self._contacts.update(contacts)
        if root in self._on_record:
            group = "known"
        self._groups.setdefault(root, Counter())[group] += 1
        self._totals[group] += 1
        if group == "known":
            self._put_on_record(root)

    def _find(self, ref: UUID) -> UUID:
        root = ref
        while (parent := self._parent.setdefault(root, root)) != root:
            root = parent
        while self._parent[ref] != root:
            self._parent[ref], ref = root, self._parent[ref]
        return root

    def _join(self, one: UUID, other: UUID) -> UUID:
        if one == other:
            return one
        self._parent[other] = one
        self._groups.setdefault(one, Counter()).update(self._groups.pop(other, {}))
        if one in self._on_record or other in self._on_record:
            self._on_record.discard(other)
            self._put_on_record(one)
        return one

    def _put_on_record(self, root: UUID) -> None:
        """What the conversation has counts as known from now on."""
        self._on_record.add(root)
        groups = self._groups.get(root, Counter())
        for group, count in list(groups.items()):
            if group != "known":
                self._totals[group] -= count
                self._totals["known"] += count
                groups["known"] += count
                del groups[group]


def _domain(key: str) -> str:
    return key.rpartition("@")[2]
