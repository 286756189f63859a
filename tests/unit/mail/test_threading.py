"""Threads are the connected components of the reference graph, in whatever order mail comes."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.message import ParsedMessage
from postroom.mail.mime import identity, parse, reference_key
from postroom.mail.threading import ThreadFacts, ThreadPlan, assign_threads, facts_of


def key(number: int) -> UUID:
    return UUID(int=number)


class Table:
    """What the database would hold: references and messages with their thread."""

    def __init__(self) -> None:
        self.thread_of_ref: dict[UUID, UUID] = {}
        self.thread_of_message: dict[int, UUID] = {}
        self.count = 0

    def new_id(self) -> UUID:
        self.count += 1
        return key(10**6 + self.count)

    def write(self, page: list[tuple[int, ThreadFacts]]) -> ThreadPlan:
        asked = {ref for _, facts in page for ref in (facts.key, *facts.refs)}
        known = {ref: self.thread_of_ref[ref] for ref in asked if ref in self.thread_of_ref}
        plan = assign_threads([facts for _, facts in page], known, self.new_id)
        for losing, winning in plan.merges.items():
            for rows in (self.thread_of_ref, self.thread_of_message):
                rows.update({row: winning for row, thread in rows.items() if thread == losing})
        for ref, thread in plan.new_refs:
            assert ref not in self.thread_of_ref
            self.thread_of_ref[ref] = thread
        self.thread_of_message.update({number: plan.thread_of[at] for at, (number, _) in enumerate(page)})
        return plan

    def partition(self) -> set[frozenset[int]]:
        groups: dict[UUID, set[int]] = {}
        for message, thread in self.thread_of_message.items():
            groups.setdefault(thread, set()).add(message)
        return {frozenset(group) for group in groups.values()}


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[ThreadFacts], list[list[int]]]:
    count = draw(st.integers(1, 14))
    refs = st.lists(st.integers(0, 20), max_size=3)
    facts = [ThreadFacts(key(draw(st.integers(0, 16))), tuple(map(key, draw(refs)))) for _ in range(count)]
    order = draw(st.permutations(range(count)))
    cuts = sorted(draw(st.sets(st.integers(0, count), max_size=count)) | {0, count})
    return facts, [list(order[a:b]) for a, b in pairwise(cuts)]


@given(arrivals())
def test_any_order_in_any_pages_gives_the_same_threads(case: tuple[list[ThreadFacts], list[list[int]]]) -> None:
    facts, pages = case
    at_once, by_pages = Table(), Table()
    at_once.write(list(enumerate(facts)))
    for page in pages:
        by_pages.write([(number, facts[number]) for number in page])
    assert by_pages.partition() == at_once.partition()
    assert set(by_pages.thread_of_message.values()) <= set(by_pages.thread_of_ref.values())


def test_a_reply_that_comes_before_its_parent_is_joined_by_it() -> None:
    table = Table()
    table.write([(1, ThreadFacts(key(1), (key(2),)))])
    plan = table.write([(2, ThreadFacts(key(2)))])
    assert plan.new_threads == []
    assert table.partition() == {frozenset({1, 2})}


def test_of_two_threads_that_meet_the_smaller_id_wins() -> None:
    known = {key(1): key(20), key(2): key(10)}
    plan = assign_threads([ThreadFacts(key(3), (key(1), key(2)))], known, lambda: key(99))
    assert plan == ThreadPlan([key(10)], [], [(key(3), key(10))], {key(20): key(10)})


def test_a_chain_of_twenty_thousand_needs_no_recursion() -> None:
    chain = [ThreadFacts(key(n), (key(n + 1),)) for n in range(20_000)]
    assert len(set(assign_threads(chain, {}, lambda: key(7)).thread_of)) == 1


def test_a_message_refers_to_each_other_message_once_and_never_to_itself() -> None:
    message = ParsedMessage(internet_message_id="<a@b>", in_reply_to=("<c@d>",), references=("<e@f>", "<c@d>", "<a@b>"))
    expected = ThreadFacts(reference_key("<a@b>"), (reference_key("<e@f>"), reference_key("<c@d>")))
    assert facts_of(message, key(1)) == expected
    assert facts_of(ParsedMessage(), key(1)) == ThreadFacts(key(1))


@pytest.mark.parametrize(
    "own", ["<a@b.c@d>", "<plain>", "<a@[::1]>", "<@>", "<a$b%40c@d;e=f>", "<" + "a@" * 400 + "b>"]
)
@pytest.mark.parametrize("named_by", ["In-Reply-To", "References"])
def test_whatever_stands_in_the_brackets_of_an_id_its_replies_join_it(own: str, named_by: str) -> None:
    """Raw bytes: EmailMessage of the standard library shortens "<a@b.c@d>" to "<a@b.c>" when it writes."""
    first = parse(f"Message-ID: {own}\r\nFrom: a@b.example\r\n\r\nHello".encode())
    reply = parse(f"Message-ID: <r@b.example>\r\n{named_by}:\r\n {own}\r\n\r\nYes".encode())
    assert first.internet_message_id == own
    plan = assign_threads([facts_of(first, key(1)), facts_of(reply, key(2))], {}, lambda: key(7))
    assert plan.thread_of == [key(7), key(7)] and len(plan.new_threads) == 1


# (Message-ID, References, In-Reply-To) of each message, and who is in one conversation with whom. The cases are those
# of notmuch's and imaptest's mail (bench/thread_exam.py), with words of our own.
CONVERSATIONS = {
    "two that answer each other": ([("a", "", "b"), ("b", "", "a")], [{0, 1}]),
    "a ring of three": ([("a", "", ""), ("b", "a c", ""), ("c", "b", "")], [{0, 1, 2}]),
    "two that name one nobody has": ([("a", "gone", ""), ("b", "", "gone")], [{0, 1}]),
    "two without an id that name the same": ([("", "gone", ""), ("", "gone", "")], [{0, 1}]),
    "References and In-Reply-To that name different ones": (
        [("a", "", ""), ("b", "typo", "a"), ("c", "b", "typo"), ("d", "", "")],
        [{0, 1, 2}, {3}],
    ),
    "a message that names a later one as its own parent's child": (
        [("root", "", ""), ("false", "root child nobody", "nobody"), ("child", "root", "root")],
        [{0, 1, 2}],
    ),
    "the same id twice, each answering another": (
        [("x", "a", ""), ("x", "b", ""), ("a", "", ""), ("b", "", "")],
        [{0, 1, 2, 3}],
    ),
    "one subject and nothing else": ([("a", "", ""), ("b", "", "")], [{0}, {1}]),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("is_newest_first", [False, True])
def test_conversations(name: str, is_newest_first: bool) -> None:
    headers, expected = CONVERSATIONS[name]
    table = Table()
    numbered = list(enumerate(headers))
    for number, (own, references, answered) in reversed(numbered) if is_newest_first else numbered:
        raw = f"Subject: Re: letter\r\nX-Number: {number}\r\n"
        for field, ids in (("Message-ID", own), ("References", references), ("In-Reply-To", answered)):
            raw += f"{field}: {' '.join(f'<{one}@x.example>' for one in ids.split())}\r\n" if ids else ""
        raw += f"\r\nText {number}\r\n"
        parsed = parse(raw.encode())
        table.write([(number, facts_of(parsed, identity(parsed, raw.encode())))])
    groups: dict[UUID, set[int]] = {}
    for number, thread in table.thread_of_message.items():
        groups.setdefault(thread, set()).add(number)
    assert sorted(groups.values(), key=min) == expected
