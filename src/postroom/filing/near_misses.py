"""Addresses near a contact: seen on mail that the member may read, saved on nobody, and of the same name or domain.

Of mail that was passed over no address is stored (correspondence/sightings.py), so it can only be found by one that is
added. What is near is decided by pure functions; the database only offers who has been seen.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import connection

from postroom.filing.access import known_participants, visible_messages
from postroom.filing.models import Filing
from postroom.filing.refile import own_keys
from postroom.providers.private_domains import PRIVATE_DOMAINS
from postroom.records.models import Contact, RecordType
from postroom.workspaces.members import Member

Nearness = Literal["name and domain", "name", "domain"]
_CLOSEST_FIRST: tuple[Nearness, ...] = ("name and domain", "name", "domain")

MOST_SHOWN = 10
MOST_CANDIDATES = 200
MOST_ROWS = 5_000  # participants that are looked at; of an address on more mail than that the number is a floor
SHORTEST_NAME = 3  # letters of a family name that says something by itself

_MARKS = str.maketrans("", "", ".-_")  # what people put between the parts of a name

# One walk through who was ever on a message, by patterns that a plain comparison settles at once. It offers too many;
# how_near decides. Those of the name first: a large company has more addresses than are looked at.
_CANDIDATES = """
    SELECT key FROM correspondence_participant seen
    WHERE workspace_id = %(workspace)s AND key <> ''
      AND (key LIKE ANY(%(domains)s::text[]) OR key LIKE ANY(%(locals)s::text[]) OR name = ANY(%(names)s::text[]))
      AND NOT EXISTS (SELECT FROM records_contactaddress saved
                      WHERE saved.workspace_id = %(workspace)s AND saved.key = seen.key)
    GROUP BY key
    ORDER BY bool_or(key LIKE ANY(%(locals)s::text[]) OR name = ANY(%(names)s::text[])) DESC, count(*) DESC
    LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An address that is not the contact's and may be: `messages` with it that the member sees, `last_at` the newest.

    `new` of them are not on the contact yet.
    """

    address: str
    name: str
    nearness: Nearness
    messages: int
    new: int
    last_at: datetime

    @property
    def reason(self) -> str:
        """Why it is near, after the address: "same name and domain"."""
        return f"same {self.nearness}"


@dataclass(slots=True)
class _Seen:
    """What messages that the member may see say of one address: the names beside it, and when each was sent."""

    address: str
    names: Counter[str] = field(default_factory=Counter)
    times: dict[UUID, datetime] = field(default_factory=dict)


def near_misses(member: Member, contact: Contact) -> list[NearMiss]:
    """Addresses near the contact, the closest first, then those on most mail. Takes about a second at 1,000,000
    messages: ask for it when somebody wants to know."""
    keys = set(contact.addresses.values_list("key", flat=True))
    own = own_keys(member.workspace_id)
    domains = frozenset(domain_of(key) for key in keys) - {domain_of(key) for key in own}
    domains = frozenset(domain for domain in domains if domain and domain not in PRIVATE_DOMAINS)
    seen = _gather(member, _candidates(member.workspace_id, contact.name, domains) - own)
    return _closest_first(member, contact, domains, seen)


def _closest_first(member: Member, contact: Contact, domains: frozenset[str], seen: dict[str, _Seen]) -> list[NearMiss]:
    ids = {message_id for one in seen.values() for message_id in one.times}
    on_contact = set(
        Filing.objects.filter(
            workspace_id=member.workspace_id,
            record_type=RecordType.CONTACT,
            record_id=contact.pk,
            removed_by_id=None,
            message_id__in=ids,
        ).values_list("message_id", flat=True)
    )
    found = []
    for key, one in seen.items():
        nearness = how_near(contact.name, domains, key, one.names)
        if nearness:
            name = one.names.most_common(1)[0][0] if one.names else ""
            new = len(one.times.keys() - on_contact)
            found.append(NearMiss(one.address, name, nearness, len(one.times), new, max(one.times.values())))
    found.sort(key=lambda one: (_CLOSEST_FIRST.index(one.nearness), -one.messages, one.address))
    return found[:MOST_SHOWN]


def how_near(contact_name: str, domains: Collection[str], key: str, names: Iterable[str]) -> Nearness | None:
    """How near an address is to a contact; None when it is not."""
    is_name = key.partition("@")[0].translate(_MARKS) in local_parts(contact_name) or any(
        same_name(contact_name, name) for name in names
    )
    is_domain = domain_of(key) in domains
    if is_name:
        return "name and domain" if is_domain else "name"
    return "domain" if is_domain else None


def same_name(one: str, other: str) -> bool:
    """Whether two display names are one person's: the same words in any order, two at least."""
    words = set(_words(one))
    return len(words) > 1 and words == set(_words(other))


def local_parts(name: str) -> frozenset[str]:
    """Local parts that people of this name have, without marks between: katrinvoss, kvoss, vosskatrin, vossk."""
    words = _words(name)
    if len(words) < 2 or len(words[-1]) < SHORTEST_NAME:
        return frozenset()
    first, family = words[0], words[-1]
    return frozenset({first + family, first[0] + family, family + first, family + first[0]})


def domain_of(key: str) -> str:
    return key.rpartition("@")[2]


def _words(name: str) -> list[str]:
    """The words of a name in its usual order, in lower case and plain letters: "Voss, Käthe" → kathe, voss."""
    family, comma, rest = name.partition(",")
    plain = unicodedata.normalize("NFKD", f"{rest} {family}" if comma else name)
    letters = "".join(letter if letter.isalnum() else " " for letter in plain if not unicodedata.combining(letter))
    return letters.casefold().split()


def _candidates(workspace_id: UUID, name: str, domains: Collection[str]) -> set[str]:
    names = _spellings(name)
    if not (domains or names):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            _CANDIDATES,
            {
                "workspace": workspace_id,
                "domains": [f"%@{domain}" for domain in sorted(domains)],
                "locals": _local_patterns(name),
                "names": names,
                "limit": MOST_CANDIDATES,
            },
        )
        return {key for (key,) in cursor.fetchall()}


def _local_patterns(name: str) -> list[str]:
    """Patterns of LIKE for the local parts of a name; "_" stands for whatever mark is between."""
    words = _words(name)
    if not local_parts(name):
        return []
    first, family = words[0], words[-1]
    pairs = [(first, family), (first[0], family), (family, first), (family, first[0])]
    return [f"{one}{mark}{other}@%" for one, other in pairs for mark in ("", "_")]


def _spellings(name: str) -> list[str]:
    """How programs write a name of several words: as it is, its family name first, in capitals or small letters."""
    words = name.replace(",", " ").split()
    if len(words) < 2:
        return []
    usual, turned = " ".join(words), f"{words[-1]}, {' '.join(words[:-1])}"
    return sorted({spelt for one in (usual, turned) for spelt in (one, one.lower(), one.upper(), one.title())})


def _gather(member: Member, keys: Collection[str]) -> dict[str, _Seen]:
    """What the newest mail says of these keys; not even a name of mail that the member may not see."""
    newest = known_participants(member).filter(key__in=keys).order_by("-message_id")
    rows = list(newest.values_list("key", "address", "name", "message_id")[:MOST_ROWS])
    ids = {message_id for *_, message_id in rows}
    times = dict(visible_messages(member).filter(pk__in=ids).values_list("pk", "at"))
    seen: dict[str, _Seen] = {}
    for key, address, name, message_id in rows:
        if message_id not in times:
            continue
        one = seen.setdefault(key, _Seen(address))
        one.times[message_id] = times[message_id]
        if name:
            one.names[name] += 1
    return seen
