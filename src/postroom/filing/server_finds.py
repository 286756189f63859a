"""Why messages that a search found at a mailbox's server are not in Postroom, folder by folder.

Only headers come here, and nothing of them is stored. The mailbox must be one whose mail the member may read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args
from uuid import UUID

from django.utils import timezone

from postroom.correspondence.known import known_messages
from postroom.correspondence.models import Sighting
from postroom.engine.manners import manner_of
from postroom.filing.access import visible_messages
from postroom.filing.coverage import since
from postroom.filing.refile import own_keys
from postroom.mail.address import address_key
from postroom.mail.message import ParsedMessage
from postroom.mail.mime.identity import reference_key
from postroom.mail.mime.parsing import parse_headers
from postroom.mailboxes.completeness import count_month
from postroom.mailboxes.connect import MAX_BACKFILL_DAYS
from postroom.mailboxes.folder_choice import reason
from postroom.mailboxes.models import Folder, Keep, Mailbox
from postroom.providers import registry
from postroom.providers.base import FetchedHeader, RemoteFolder
from postroom.records.models import ContactAddress
from postroom.workspaces.database import orm_connection
from postroom.workspaces.members import Member

# Of two copies of one message in a mailbox the code that stands first here tells.
FoundCode = Literal[
    "here",
    "being_fetched",
    "missing",
    "not_kept",
    "before_window",
    "not_begun",
    "folder_not_read",
    "in_junk",
    "in_trash",
    "in_drafts",
]
CODES: Final[tuple[FoundCode, ...]] = get_args(FoundCode)
_BY_ROLE: Final[Mapping[str, FoundCode]] = {"junk": "in_junk", "trash": "in_trash", "drafts": "in_drafts"}


@dataclass(frozen=True, slots=True)
class Spot:
    """What a search found in one folder."""

    folder: RemoteFolder
    headers: Sequence[FetchedHeader]


@dataclass(frozen=True, slots=True)
class Found:
    """Messages of one folder that are here, or not here for one reason; first and last day in the viewer's zone.

    `folder` is None where Postroom does not know it yet. `days` would have to be imported to have the oldest, None
    where nobody can import as far back; `address` is the one that a record would have to have. `is_floor`: there are
    more in the folder than were looked at.
    """

    code: FoundCode
    mailbox: Mailbox
    folder_name: str
    folder: Folder | None
    count: int
    first_on: date
    last_on: date
    is_floor: bool = False
    days: int | None = None
    address: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Hit:
    """One message that a search found in one folder."""

    spot: Spot
    folder: Folder | None
    header: FetchedHeader
    parsed: ParsedMessage

    @property
    def name(self) -> str:
        """What its copies in other folders have too; without a Message-ID it has none."""
        return self.parsed.internet_message_id or f"{self.spot.folder.remote_name}\0{self.header.remote_id}"

    @property
    def received_on(self) -> date:
        return timezone.localtime(self.header.received_at).date()


def sort_out(member: Member, mailbox: Mailbox, spots: Sequence[Spot], *, most: int, address: str) -> list[Found]:
    """Each message once, by folder and reason, what is not here first. A gap is asked for at once.

    `most` messages of a folder were asked for, and `address` is the one that was asked for, if it was one.
    """
    folders = {folder.remote_name: folder for folder in Folder.objects.filter(mailbox=mailbox)}
    hits = [
        _Hit(spot, folders.get(spot.folder.remote_name), header, parse_headers(header.block))
        for spot in spots
        for header in spot.headers
    ]
    sorting = _Sorting(member, mailbox, hits, address)
    best: dict[str, tuple[int, _Hit]] = {}
    for hit in hits:
        rank = CODES.index(sorting.code_of(hit))
        if hit.name not in best or rank < best[hit.name][0]:
            best[hit.name] = (rank, hit)
    groups = defaultdict[tuple[str, FoundCode, str], list[_Hit]](list)
    for rank, hit in best.values():
        code = CODES[rank]
        groups[hit.spot.folder.remote_name, code, sorting.outside(hit) if code == "not_kept" else ""].append(hit)
    found = [sorting.found(code, group, outside, most) for (_, code, outside), group in groups.items()]
    for one in found:
        _ask_for(one)
    return sorted(found, key=lambda one: (one.code == "here", CODES.index(one.code), one.folder_name))


def _ask_for(found: Found) -> None:
    """Have what is missing of a folder that is read counted and fetched now."""
    if found.code == "missing" and found.folder is not None:
        for month in {found.first_on.replace(day=1), found.last_on.replace(day=1)}:
            count_month(found.folder, month)


class _Sorting:
    """What is stored about the found messages of one mailbox, loaded once."""

    def __init__(self, member: Member, mailbox: Mailbox, hits: Sequence[_Hit], address: str) -> None:
        self._mailbox = mailbox
        self._address = address
        self._own = own_keys(member.workspace_id)
        self._since = since(mailbox)
        capabilities = registry.provider(mailbox.provider).capabilities
        self._by_address = manner_of(capabilities, keeps_everything=mailbox.keep == Keep.EVERYTHING).by_address
        names = {hit.parsed.internet_message_id for hit in hits} - {""}
        stored = visible_messages(member).filter(ref__in=[reference_key(name) for name in names])
        self._stored = {message.internet_message_id for message in stored}
        ids = defaultdict[UUID, list[str]](list)
        for hit in hits:
            if hit.folder is not None:
                ids[hit.folder.pk].append(hit.header.remote_id)
        self._known = {
            folder_id: known_messages(orm_connection(), folder_id, for_matching=False, remote_ids=remote_ids)
            for folder_id, remote_ids in ids.items()
        }
        wanted = Sighting.objects.filter(folder_id__in=list(ids), is_wanted=True)
        wanted = wanted.filter(remote_id__in=[remote_id for remote_ids in ids.values() for remote_id in remote_ids])
        self._wanted = set(wanted.values_list("folder_id", "remote_id"))
        keys = {key for hit in hits for key in self._keys(hit)}
        self._record_keys = set(
            ContactAddress.objects.filter(workspace=member.workspace, key__in=keys).values_list("key", flat=True)
        )

    def code_of(self, hit: _Hit) -> FoundCode:
        folder, remote_id = hit.folder, hit.header.remote_id
        known = self._known.get(folder.pk) if folder else None
        if hit.name in self._stored or (known and any(stored.remote_id == remote_id for stored in known.messages)):
            return "here"
        if self._mailbox.awaits_start:
            return "not_begun"
        if folder is None or known is None or not folder.is_synced:
            return _BY_ROLE.get(folder.role if folder else hit.spot.folder.role, "folder_not_read")
        if remote_id in known.planned or (folder.pk, remote_id) in self._wanted:
            return "being_fetched"
        if remote_id in known.sighted:
            return "not_kept"
        if hit.received_on < (folder.listed_since or self._since):
            return "before_window"
        if not folder.cursor or self._mailbox.is_importing:
            return "being_fetched"
        return "not_kept" if self._by_address and not self._is_on_record(hit) else "missing"

    def found(self, code: FoundCode, hits: Sequence[_Hit], address: str, most: int) -> Found:
        """The group that these make, all of one folder and one outside address."""
        folder, spot = hits[0].folder, hits[0].spot
        days = sorted(hit.received_on for hit in hits)
        back = (timezone.localdate() - days[0]).days + 1
        return Found(
            code=code,
            mailbox=self._mailbox,
            folder_name=str(folder) if folder else spot.folder.name,
            folder=folder,
            count=len(hits),
            first_on=days[0],
            last_on=days[-1],
            is_floor=len(spot.headers) >= most,
            days=back if days[0] < self._since and back <= MAX_BACKFILL_DAYS else None,
            address=address,
            reason=reason(folder) if folder and not folder.is_synced else "",
        )

    def _is_on_record(self, hit: _Hit) -> bool:
        return not self._record_keys.isdisjoint(self._keys(hit))

    def _keys(self, hit: _Hit) -> Collection[str]:
        return {address_key(person.address) for _, person in hit.parsed.participants()} - self._own

    def outside(self, hit: _Hit) -> str:
        """The address that says whose message it is: that was asked for, or the first that is not the workspace's."""
        if self._address and address_key(self._address) not in self._own:
            return self._address
        people = (person.address for _, person in hit.parsed.participants())
        return next((address for address in people if address_key(address) not in self._own), "")
