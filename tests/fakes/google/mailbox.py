"""One person's Gmail: messages with labels, drafts, send-as addresses, and the history of it all."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.google.history import Change, History, Kind
from tests.fakes.google.letters import Letter
from tests.fakes.google.search import search_name

SYSTEM_LABELS = (
    "CHAT",
    "SENT",
    "INBOX",
    "IMPORTANT",
    "TRASH",
    "DRAFT",
    "SPAM",
    "CATEGORY_FORUMS",
    "CATEGORY_UPDATES",
    "CATEGORY_PERSONAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_SOCIAL",
    "STARRED",
    "UNREAD",
)
_CHANGE_NO_LABELS = {"SENT", "DRAFT", "CHAT"}  # cannot be put on or taken off by hand


class Refusal(Exception):
    """What a mailbox cannot do: `reason` and `status` as Google's body has them."""

    def __init__(self, status: int, reason: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.reason = reason


def not_found() -> Refusal:
    """Google's words for every id it does not know."""
    return Refusal(404, "notFound", "Requested entity was not found.")


@dataclass
class SendAs:
    """An address one may send as; only `accepted` ones are used."""

    address: str
    name: str = ""
    reply_to: str = ""
    signature: str = ""
    is_primary: bool = False
    is_default: bool = False
    verification: str = "accepted"

    def shape(self) -> dict[str, Any]:
        """A SendAs of the API. The primary address has no verificationStatus."""
        told: dict[str, Any] = {
            "sendAsEmail": self.address,
            "displayName": self.name,
            "replyToAddress": self.reply_to,
            "signature": self.signature,
        }
        if self.is_primary:
            return {**told, "isPrimary": True, **({"isDefault": True} if self.is_default else {})}
        told |= {"treatAsAlias": True, "verificationStatus": self.verification}
        return {**told, **({"isDefault": True} if self.is_default else {})}


@dataclass
class Watch:
    """What users.watch asked for."""

    topic: str
    labels: frozenset[str]
    expires_ms: int

    def covers(self, labels: frozenset[str]) -> bool:
        """Whether a change of a message with these labels is told; none at all: the first notification."""
        is_asked_for = not labels or not self.labels or bool(labels & self.labels)
        return is_asked_for and self.expires_ms > time.time() * 1000


@dataclass
class GoogleMailbox:
    """All methods take the lock, so a test may call them while the server answers. Ids are sixteen hex digits."""

    address: str
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    messages: dict[str, Letter] = field(default_factory=dict, repr=False)
    drafts: dict[str, str] = field(default_factory=dict, repr=False)  # draft id → message id
    labels: dict[str, str] = field(default_factory=dict)  # the user's own: id → name
    send_as: list[SendAs] = field(default_factory=list)
    history: History = field(default_factory=History, repr=False)
    watch: Watch | None = None
    sent: Counter[str] = field(default_factory=Counter, repr=False)  # by Message-ID, as given and as it left
    changed: Callable[[GoogleMailbox, frozenset[str]], None] | None = field(default=None, repr=False)
    version: int = 0  # rises with each change: searches are kept until then
    _next: int = 0x19A0000000000000
    _threads: dict[str, str] = field(default_factory=dict, repr=False)  # Message-ID → thread
    _members: dict[str, list[str]] = field(default_factory=dict, repr=False)  # thread → messages
    _labels_made: int = 0

    def __post_init__(self) -> None:
        self.send_as.append(SendAs(self.address, is_primary=True, is_default=True))

    # What tests do, as another of the person's devices would.

    def deliver(
        self,
        raw: bytes,
        labels: Iterable[str] = ("INBOX", "UNREAD"),
        at: datetime | None = None,
        thread_id: str = "",
    ) -> str:
        """Put a message in and return its id. `at` is when it arrived (default: now)."""
        with self.lock:
            moment = int((at.timestamp() if at else time.time()) * 1000)
            letter = Letter(self._new_id(), "", raw, set(labels), moment, self.history.next_id(), time.monotonic())
            letter.thread_id = thread_id or self.thread_of(letter) or letter.remote_id
            self.messages[letter.remote_id] = letter
            self._members.setdefault(letter.thread_id, []).append(letter.remote_id)
            if letter.internet_message_id:
                self._threads.setdefault(letter.internet_message_id, letter.thread_id)
            self._tell("messageAdded", letter)
            return letter.remote_id

    def set_labels(self, remote_id: str, labels: Iterable[str]) -> None:
        """Let a message wear exactly these labels."""
        with self.lock:
            letter = self.get(remote_id)
            wanted = set(labels)
            self.modify(remote_id, wanted - letter.labels, letter.labels - wanted, by_hand=False)

    def delete(self, remote_id: str) -> None:
        """Delete a message for good."""
        with self.lock:
            letter = self.get(remote_id)
            letter.history_id = self.history.next_id()
            del self.messages[remote_id]
            self.drafts = {draft: one for draft, one in self.drafts.items() if one != remote_id}
            self._tell("messageDeleted", letter)

    def make_label(self, name: str) -> str:
        """Make a label and return its id; "A/B" lies in "A". Raises Refusal for a name that is taken."""
        with self.lock:
            if name.lower() in {one.lower() for one in (*self.labels.values(), *SYSTEM_LABELS)} or not name:
                raise Refusal(409 if name else 400, "aborted", "Label name exists or conflicts")
            self._labels_made += 1
            label_id = f"Label_{self._labels_made}"
            self.labels[label_id] = name
            self.version += 1
            return label_id

    def rename_label(self, label_id: str, name: str) -> None:
        """Give a label another name."""
        with self.lock:
            if label_id not in self.labels:
                raise not_found()
            self.labels[label_id] = name
            self.version += 1

    def delete_label(self, label_id: str) -> None:
        """Delete a label; its messages stay."""
        with self.lock:
            if label_id not in self.labels:
                raise not_found()
            for letter in [one for one in self.messages.values() if label_id in one.labels]:
                self.modify(letter.remote_id, set(), {label_id})
            del self.labels[label_id]
            self.version += 1

    def add_send_as(self, address: str, name: str = "", verification: str = "accepted", **more: Any) -> None:
        """Give the person another address to send as."""
        with self.lock:
            self.send_as.append(SendAs(address, name, verification=verification, **more))

    def sent_count(self, internet_message_id: str) -> int:
        """How often a message with this Message-ID left, whether Google replaced it or not."""
        with self.lock:
            return self.sent[internet_message_id]

    # What the API does.

    def get(self, remote_id: str) -> Letter:
        """That message. Raises Refusal."""
        if remote_id not in self.messages:
            if not re.fullmatch(r"[0-9a-f]{1,16}", remote_id):
                raise Refusal(400, "invalidArgument", "Invalid id value")
            raise not_found()
        return self.messages[remote_id]

    def modify(self, remote_id: str, add: set[str], remove: set[str], by_hand: bool = True) -> Letter:
        """Put labels on a message and take others off. Raises Refusal."""
        letter = self.get(remote_id)
        known = {*SYSTEM_LABELS, *self.labels}
        for label in sorted(add | remove):
            if label not in known or (by_hand and label in _CHANGE_NO_LABELS):
                raise Refusal(400, "invalidArgument", f"Invalid label: {label}")
        added, removed = add - letter.labels, remove & letter.labels
        for kind, labels in (("labelAdded", added), ("labelRemoved", removed)):
            if labels:
                letter.labels = letter.labels | labels if kind == "labelAdded" else letter.labels - labels
                letter.history_id = self.history.next_id()
                self._tell(kind, letter, labels)  # type: ignore[arg-type]
        return letter

    def thread_of(self, letter: Letter) -> str:
        """The thread it belongs to by its own references and subject, "" for a new one."""
        for reference in letter.references:
            thread = self._threads.get(reference, "")
            if thread and self.subject_of(thread) == letter.subject_core:
                return thread
        return ""

    def thread(self, thread_id: str) -> list[Letter]:
        """The messages of a thread, oldest first."""
        found = [self.messages[one] for one in self._members.get(thread_id, ()) if one in self.messages]
        return sorted(found, key=lambda letter: (letter.at_ms, letter.remote_id))

    def subject_of(self, thread_id: str) -> str | None:
        """The subject a thread goes by."""
        letters = self.thread(thread_id)
        return letters[0].subject_core if letters else None

    def joins(self, letter: Letter, thread_id: str) -> bool:
        """Gmail's rule for a threadId that came along: References or In-Reply-To into it, and the same subject."""
        known = {one.internet_message_id for one in self.thread(thread_id)}
        return bool(known & letter.references) and self.subject_of(thread_id) == letter.subject_core

    def remember_id(self, internet_message_id: str, thread_id: str) -> None:
        """Let replies to that Message-ID find the thread."""
        self._threads.setdefault(internet_message_id, thread_id)

    def label_shape(self, label_id: str, counts: bool = False) -> dict[str, Any]:
        """A Label of the API; users.labels.list tells no counts."""
        if label_id in self.labels:
            told: dict[str, Any] = {"id": label_id, "name": self.labels[label_id], "type": "user"}
            told |= {"messageListVisibility": "show", "labelListVisibility": "labelShow"}
        elif label_id in SYSTEM_LABELS:
            told = {"id": label_id, "name": label_id, "type": "system"}
        else:
            raise not_found()
        if counts:
            worn = [one for one in self.messages.values() if label_id in one.labels]
            unread = [one for one in worn if "UNREAD" in one.labels]
            told |= {"messagesTotal": len(worn), "messagesUnread": len(unread)}
            told |= {"threadsTotal": len({one.thread_id for one in worn})}
            told |= {"threadsUnread": len({one.thread_id for one in unread})}
        return told

    def search_names(self) -> Mapping[str, str]:
        """The user's labels by the name that a search uses."""
        return {search_name(name): label_id for label_id, name in self.labels.items()}

    def _new_id(self) -> str:
        self._next += 0x10001
        return f"{self._next:016x}"

    def _tell(self, kind: Kind, letter: Letter, labels: Iterable[str] = ()) -> None:
        self.version += 1
        worn = tuple(sorted(letter.labels))
        self.history.add(
            Change(letter.history_id, kind, letter.remote_id, letter.thread_id, worn, tuple(sorted(labels)))
        )
        if self.changed is not None:
            self.changed(self, frozenset({*worn, *labels}))
