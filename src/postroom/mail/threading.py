"""Which messages are one conversation, by the graph of Message-ID, In-Reply-To and References.

Every id a message names belongs to its thread, also of messages that were never seen. So a reply that comes before
its parent and the parent that comes after it find each other, and the outcome does not depend on the order of
arrival: the threads are the connected components of the graph, here kept up by union-find a page at a time (Galler
and Fischer 1964).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from postroom.mail.message import ParsedMessage
from postroom.mail.mime.identity import reference_key


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """What threading needs of a message: the keys (`reference_key`) of its own id and of those it refers to.

    A message without a Message-ID has a `key` that nothing refers to, such as its identity.
    """

    key: UUID
    refs: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """What to write for a page of messages.

    `thread_of` has the thread of each message, in their order. `new_refs` are the (ref, thread) rows to insert;
    `new_threads` those that are not in the database yet. `merges` says which known threads (losing: winning) turned
    out to be one: their messages and refs are to be moved to the winner. Every thread id in the plan is a winner,
    except the keys of `merges`.
    """

    thread_of: list[UUID] = field(default_factory=list)
    new_threads: list[UUID] = field(default_factory=list)
    new_refs: list[tuple[UUID, UUID]] = field(default_factory=list)
    merges: dict[UUID, UUID] = field(default_factory=dict)


def facts_of(message: ParsedMessage, identity: UUID) -> ThreadFacts:
    """The facts of a parsed message. `identity` stands for it when it has no Message-ID."""
    own = reference_key(message.internet_message_id) if message.internet_message_id else identity
    named = dict.fromkeys((*message.references, *message.in_reply_to))
    return ThreadFacts(own, tuple([reference_key(one) for one in named if one != message.internet_message_id]))


def refs_of(message: ParsedMessage) -> tuple[UUID, ...]:
    """The reference keys of a message of which only the header is known: its own first, where it has an id."""
    named = dict.fromkeys((message.internet_message_id, *message.references, *message.in_reply_to))
    return tuple([reference_key(one) for one in named if one])


def assign_threads(
    messages: Sequence[ThreadFacts], known: Mapping[UUID, UUID], new_id: Callable[[], UUID]
) -> ThreadPlan:
    """Joins a page of messages to threads.

    `known` holds, of the keys and refs of these messages, those that the database has, with their thread. Of several
    known threads that meet, the smallest UUID wins (with UUIDv7 the oldest), so that two writers decide alike.
    """
    # Nodes are numbered, and found by integers: to hash and compare a UUID costs more than all the rest of this.
    number_of: dict[int, int] = {}
    keys: list[UUID] = []
    known_threads = {key.int: thread for key, thread in known.items()}
    parent: list[int] = []
    thread_by_root: dict[int, UUID] = {}

    def find(node: int) -> int:
        root = node
        while parent[root] != root:
            root = parent[root]
        while parent[node] != root:
            parent[node], node = root, parent[node]
        return root

    plan = ThreadPlan()
    losing: dict[UUID, int] = {}  # thread: a node of the component that has it

    def add(key: UUID) -> int:
        number = key.int
        node = number_of.setdefault(number, len(parent))
        if node < len(parent):
            return find(node)
        parent.append(node)
        keys.append(key)
        thread = known_threads.get(number)
        if thread is not None:
            losing.setdefault(thread, node)
            thread_by_root[node] = thread
            return union(losing[thread], node)
        return node

    def union(one: int, other: int) -> int:
        winner, loser = find(one), find(other)
        if winner == loser:
            return winner
        parent[loser] = winner
        threads = [thread for root in (winner, loser) if (thread := thread_by_root.pop(root, None)) is not None]
        if threads:
            thread_by_root[winner] = min(threads)
        return winner

    own_nodes = []
    for message in messages:
        root = add(message.key)
        own_nodes.append(root)
        for ref in message.refs:
            root = union(root, add(ref))
    for node in own_nodes:
        root = find(node)
        if root not in thread_by_root:
            thread_by_root[root] = new_id()
            plan.new_threads.append(thread_by_root[root])
        plan.thread_of.append(thread_by_root[root])
    plan.new_refs.extend(
        (key, thread_by_root[find(node)]) for node, key in enumerate(keys) if key.int not in known_threads
    )
    for thread, node in losing.items():
        winner = thread_by_root[find(node)]
        if winner != thread:
            plan.merges[thread] = winner
    return plan
