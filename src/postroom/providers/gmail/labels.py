"""Labels as folders. No I/O.

Gmail has no folders: a message wears labels, several at once, and none when it is archived. What people look for is
there nevertheless: each label is a folder, and `ARCHIVE` holds the messages that no other folder shows. Labels that are
marks (UNREAD, STARRED, DRAFT) are flags.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from postroom.providers.base import RemoteFolder, Role
from postroom.providers.errors import ProtocolViolation

INBOX: Final = "INBOX"
SENT: Final = "SENT"
DRAFT: Final = "DRAFT"
TRASH: Final = "TRASH"
SPAM: Final = "SPAM"
UNREAD: Final = "UNREAD"
STARRED: Final = "STARRED"
CHAT: Final = "CHAT"
ARCHIVE: Final = "@archive"  # no label: what wears none that is a place

# What the search finds of ARCHIVE (support.google.com/mail/answer/7190); trash and spam are never in a search that
# does not ask for them.
ARCHIVE_QUERY: Final = "has:nouserlabels -in:inbox -in:sent -in:drafts -in:chats"

HIDDEN: Final = frozenset({TRASH, SPAM})  # listed only with includeSpamTrash
_ROLES: Final[Mapping[str, Role]] = {INBOX: "inbox", SENT: "sent", DRAFT: "drafts", TRASH: "trash", SPAM: "junk"}
_NAMES: Final[Mapping[str, str]] = {
    INBOX: "Inbox",
    SENT: "Sent",
    DRAFT: "Drafts",
    TRASH: "Trash",
    SPAM: "Spam",
    ARCHIVE: "Archive",
    "CATEGORY_PERSONAL": "Primary",
    "CATEGORY_SOCIAL": "Social",
    "CATEGORY_PROMOTIONS": "Promotions",
    "CATEGORY_UPDATES": "Updates",
    "CATEGORY_FORUMS": "Forums",
}
_SORTING: Final = "CATEGORY_"
_PLACES: Final = frozenset({INBOX, SENT, DRAFT, TRASH, SPAM, CHAT})


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a mailbox: names of those that are folders by id, which of them its owner made, and the others.

    `unlisted` were worn by messages and not listed: deleted meanwhile, or Google's own.
    """

    names: Mapping[str, str]
    users: frozenset[str]
    marks: frozenset[str]
    unlisted: frozenset[str] = frozenset()

    def folders(self) -> list[RemoteFolder]:
        """Every label that is a folder, and ARCHIVE."""
        found = [_folder(label, name) for label, name in self.names.items()]
        return [*found, RemoteFolder(ARCHIVE, _NAMES[ARCHIVE], "archive", identity=ARCHIVE, is_label=True)]

    def folder_names(self) -> list[str]:
        """The remote names of all folders."""
        return [*self.names, ARCHIVE]

    def with_unlisted(self, worn: Collection[str]) -> Labels:
        """The same, and that those of these labels that were not listed are not to be looked for again."""
        known = self.names.keys() | self.marks
        return replace(self, unlisted=frozenset(label for label in worn if label not in known))

    def has(self, remote_name: str) -> bool:
        """Whether there is such a folder."""
        return remote_name == ARCHIVE or remote_name in self.names

    def knows(self, worn: Collection[str]) -> bool:
        """Whether every one of these labels was listed, or looked for in vain."""
        return all(label in self.names or label in self.marks or label in self.unlisted for label in worn)

    def holds(self, remote_name: str, worn: Collection[str]) -> bool:
        """Whether a message with these labels is in that folder. What is in trash or spam is listed nowhere else."""
        if remote_name in HIDDEN:
            return remote_name in worn
        if not HIDDEN.isdisjoint(worn):
            return False
        if remote_name != ARCHIVE:
            return remote_name in worn
        return _PLACES.isdisjoint(worn) and self.users.isdisjoint(worn)

    def moves(self, remote_name: str, changed: Collection[str]) -> bool:
        """Whether a message may be in that folder or not by these labels."""
        if remote_name in changed or not HIDDEN.isdisjoint(changed):
            return True
        # One that is not listed may have been its owner's until a moment ago.
        return remote_name == ARCHIVE and any(
            label in _PLACES or not (label in self.marks or label.startswith(_SORTING)) for label in changed
        )


def labels_of(answer: Mapping[str, Any]) -> Labels:
    """The answer of labels.list; raise ProtocolViolation for one that is none."""
    told = answer.get("labels", [])
    names: dict[str, str] = {}
    users: set[str] = set()
    marks: set[str] = set()
    for one in told if isinstance(told, list) else [None]:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise ProtocolViolation("unexpected_answer")
        label, name = one["id"], one.get("name")
        if one.get("type") == "user":
            users.add(label)
            names[label] = name if isinstance(name, str) and name else label
        elif label in _ROLES or label.startswith(_SORTING):
            names[label] = _NAMES.get(label, label.removeprefix(_SORTING).capitalize())
        else:
            marks.add(label)
    return Labels(names, frozenset(users), frozenset(marks))


def flags_of(worn: Collection[str]) -> tuple[str, ...]:
    """The flags of a message with these labels (RFC 3501 section 2.3.2)."""
    flags = (("\\Seen", UNREAD not in worn), ("\\Flagged", STARRED in worn), ("\\Draft", DRAFT in worn))
    return tuple(flag for flag, is_set in flags if is_set)


def worn_with(remote_name: str, flags: Sequence[str]) -> list[str]:
    """The labels of a message that is put into a folder with these flags."""
    worn = [] if remote_name == ARCHIVE else [remote_name]
    if "\\Seen" not in flags:
        worn.append(UNREAD)
    if "\\Flagged" in flags:
        worn.append(STARRED)
    return worn


def _folder(label: str, name: str) -> RemoteFolder:
    return RemoteFolder(
        label, name, _ROLES.get(label, ""), identity=label, is_label=True, sorts_inbox=label.startswith(_SORTING)
    )
