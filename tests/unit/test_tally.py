"""Counting a mailbox's mail by whom it is with: groups, conversations, copies."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from postroom.filing.tally import Group, People, Tally
from postroom.mail.threading import ThreadFacts

KATRIN = UUID(int=1)
PEOPLE = People(
    contacts={"katrin@lagerhaus.example": KATRIN, "info@tidewater.example": UUID(int=2)},
    own_keys=frozenset({"sales@tidewater.example", "info@tidewater.example", "owner@private.example"}),
    own_domains=frozenset({"tidewater.example"}),
    private_domains=frozenset({"private.example"}),
)


def ref(number: int) -> UUID:
    return UUID(int=1000 + number)


def message(number: int, *refs: int) -> ThreadFacts:
    return ThreadFacts(ref(number), tuple(ref(one) for one in refs))


def test_a_message_with_a_contact_is_known_whoever_else_takes_part() -> None:
    assert PEOPLE.group_of({"katrin@lagerhaus.example", "x@private.example", "bob@tidewater.example"}) == "known"
    assert PEOPLE.contacts_among({"katrin@lagerhaus.example"}) == {KATRIN}


def test_the_workspaces_own_address_makes_nobody_known_though_a_contact_has_it() -> None:
    assert PEOPLE.group_of({"info@tidewater.example", "bob@tidewater.example"}) == "colleagues"
    assert PEOPLE.contacts_among({"info@tidewater.example"}) == frozenset()


def test_colleagues_are_those_of_own_domains_and_own_addresses_elsewhere() -> None:
    assert PEOPLE.group_of({"alice@tidewater.example", "owner@private.example"}) == "colleagues"


def test_one_company_among_private_persons_is_no_private_mail() -> None:
    assert PEOPLE.group_of({"x@private.example", "sales@tidewater.example"}) == "private"
    assert PEOPLE.group_of({"x@private.example", "y@company.example"}) == "unknown"


def test_a_reply_from_an_unknown_address_is_known_by_its_conversation_even_when_it_was_seen_first() -> None:
    tally = Tally()
    tally.add(message(2, 1), "unknown")
    assert tally.counts()["unknown"] == 1
    tally.add(message(1), "known", [KATRIN])
    assert tally.counts() == {"known": 2, "colleagues": 0, "private": 0, "unknown": 0}
    assert tally.contacts(5) == [(KATRIN, 1)]


def test_a_conversation_that_stands_on_a_record_already_is_known() -> None:
    tally = Tally()
    tally.add(message(2, 1), "private")
    tally.note_record(ref(1))
    tally.add(message(3, 2), "unknown")
    assert tally.counts()["known"] == 2


def test_a_second_copy_counts_once() -> None:
    tally = Tally()
    tally.add(message(1), "known", [KATRIN])
    tally.add(message(1), "known", [KATRIN])
    assert tally.seen == 1 and tally.contacts(5) == [(KATRIN, 1)]


groups: st.SearchStrategy[Group] = st.sampled_from(("known", "colleagues", "private", "unknown"))
mailbox = st.dictionaries(
    st.integers(0, 12), st.tuples(groups, st.lists(st.integers(0, 12), max_size=3)), min_size=1, max_size=12
)


@given(mailbox, st.randoms(use_true_random=False), st.sets(st.integers(0, 12), max_size=2))
def test_the_numbers_do_not_depend_on_the_order_and_add_up(
    messages: dict[int, tuple[Group, list[int]]], chance: object, on_record: set[int]
) -> None:
    counted = []
    for _ in range(2):
        order = list(messages.items())
        chance.shuffle(order)  # type: ignore[attr-defined]
        tally = Tally()
        late = sorted(on_record)
        chance.shuffle(late)  # type: ignore[attr-defined]
        for number, (group, refs) in order:
            if late and number % 2:
                tally.note_record(ref(late.pop()))
            tally.add(message(number, *refs), group)
        for one in late:
            tally.note_record(ref(one))
        assert sum(tally.counts().values()) == tally.seen == len(messages)
        counted.append(tally.counts())
    assert counted[0] == counted[1]
    assert counted[0]["known"] == len(_known(messages, on_record))


def _known(messages: dict[int, tuple[Group, list[int]]], on_record: set[int]) -> set[int]:
    """By the plain definition: whatever hangs together with a known message or a record's conversation."""
    reached = {number for number, (group, _) in messages.items() if group == "known"} | on_record
    while True:
        more = {one for number, (_, refs) in messages.items() if {number, *refs} & reached for one in (number, *refs)}
        if more <= reached:
            return reached & messages.keys()
        reached |= more
