"""The choice of the mailbox a message leaves from: the order of DESIGN.md 7, always within what is allowed."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from postroom.outbox.sender import Choice, NoChoice, Sendable, SenderFacts, choose

SALES, SUPPORT, OWN = (UUID(int=number) for number in (1, 2, 3))
STRANGER = UUID(int=9)
ALL = (
    Sendable(SALES, "sales@acme.example", "Acme Sales"),
    Sendable(SUPPORT, "support@acme.example"),
    Sendable(OWN, "alice@acme.example", "Alice", is_own=True),
)


def chosen(facts: SenderFacts) -> UUID:
    choice = choose(facts)
    assert isinstance(choice, Choice)
    return choice.mailbox_id


def test_a_reply_leaves_from_the_mailbox_the_thread_came_to() -> None:
    facts = SenderFacts(ALL, thread_mailbox_ids=(SUPPORT, SALES), member_default_id=OWN)
    choice = choose(facts)
    assert choice == Choice(SUPPORT, "support@acme.example", "", "The conversation came to support@acme.example.")


def test_a_reply_skips_a_mailbox_the_member_may_not_send_from() -> None:
    assert chosen(SenderFacts(ALL[:1], thread_mailbox_ids=(STRANGER, SALES))) == SALES


def test_the_defaults_come_in_their_order() -> None:
    facts = SenderFacts(ALL, record_default_id=SALES, member_default_id=OWN, workspace_default_id=SUPPORT)
    assert chosen(facts) == SALES
    facts = replace(facts, record_default_id=None)
    assert chosen(facts) == OWN
    assert chosen(replace(facts, member_default_id=None)) == SUPPORT


def test_the_only_mailbox_needs_no_default() -> None:
    assert chosen(SenderFacts(ALL[1:2])) == SUPPORT


def test_without_a_default_the_members_own_mailbox_is_taken() -> None:
    choice = choose(SenderFacts(ALL))
    assert isinstance(choice, Choice)
    assert (choice.mailbox_id, choice.reason) == (OWN, "alice@acme.example is your own mailbox.")


def test_two_shared_mailboxes_and_no_default_ask_the_member() -> None:
    choice = choose(SenderFacts(ALL[:2]))
    assert isinstance(choice, NoChoice)
    assert choice.code == "mailbox_not_chosen"


def test_what_was_chosen_by_hand_is_never_replaced_silently() -> None:
    assert chosen(SenderFacts(ALL, wanted_id=SALES, thread_mailbox_ids=(SUPPORT,))) == SALES
    refused = choose(SenderFacts(ALL, wanted_id=STRANGER, thread_mailbox_ids=(SUPPORT,)))
    assert isinstance(refused, NoChoice)
    assert refused.code == "mailbox_not_allowed"


def test_without_any_mailbox_the_reason_says_so() -> None:
    choice = choose(SenderFacts(()))
    assert isinstance(choice, NoChoice)
    assert choice.code == "no_mailbox"


ids = st.sampled_from([SALES, SUPPORT, OWN, STRANGER])


@given(
    st.builds(
        SenderFacts,
        sendable=st.lists(st.sampled_from(ALL), unique=True).map(tuple),
        wanted_id=st.none() | ids,
        thread_mailbox_ids=st.lists(ids).map(tuple),
        record_default_id=st.none() | ids,
        member_default_id=st.none() | ids,
        workspace_default_id=st.none() | ids,
    )
)
def test_no_choice_leaves_what_the_member_may_send_from(facts: SenderFacts) -> None:
    choice = choose(facts)
    if isinstance(choice, Choice):
        assert choice.mailbox_id in {one.mailbox_id for one in facts.sendable}
        assert choice.address in choice.reason


ALIASES = (
    *ALL,
    Sendable(SALES, "offers@acme.example", "Offers", is_alias=True, reply_to="desk@acme.example", signature="<p>O</p>"),
    Sendable(SALES, "info@acme.example", is_alias=True),
    Sendable(OWN, "sales@acme.example", is_own=True, is_alias=True),
)


def test_a_reply_leaves_from_the_alias_that_it_came_to_with_its_signature() -> None:
    facts = SenderFacts(ALIASES, thread_mailbox_ids=(SALES,), thread_keys=("x@y.example", "offers@acme.example"))
    assert choose(facts) == Choice(
        SALES,
        "offers@acme.example",
        "Offers",
        "The conversation came to offers@acme.example.",
        "desk@acme.example",
        "<p>O</p>",
    )


def test_a_thread_that_came_to_the_mailboxs_own_address_too_leaves_from_that() -> None:
    keys = ("offers@acme.example", "sales@acme.example")
    choice = choose(SenderFacts(ALIASES, thread_mailbox_ids=(SALES,), thread_keys=keys))
    assert isinstance(choice, Choice)
    assert choice.address == "sales@acme.example"


def test_of_several_aliases_that_it_came_to_the_first_named_answers() -> None:
    keys = ("info@acme.example", "offers@acme.example")
    choice = choose(SenderFacts(ALIASES, thread_mailbox_ids=(SALES,), thread_keys=keys))
    assert isinstance(choice, Choice)
    assert choice.address == "info@acme.example"


def test_an_address_chosen_by_hand_beats_the_thread_and_is_the_mailbox_own_before_an_alias() -> None:
    facts = SenderFacts(ALIASES, thread_mailbox_ids=(SUPPORT,), wanted_address="Sales@ACME.example")
    choice = choose(facts)
    assert isinstance(choice, Choice)
    assert (choice.mailbox_id, choice.reason) == (SALES, "You chose sales@acme.example.")
    assert chosen(replace(facts, wanted_id=OWN)) == OWN


def test_an_address_that_is_not_the_members_is_refused() -> None:
    for wanted_id in (None, SUPPORT):
        choice = choose(SenderFacts(ALIASES, wanted_id=wanted_id, wanted_address="boss@acme.example"))
        assert isinstance(choice, NoChoice)
        assert choice.code == "address_not_allowed"
    strange = choose(SenderFacts(ALIASES, wanted_id=SUPPORT, wanted_address="offers@acme.example"))
    assert isinstance(strange, NoChoice), "an address of another mailbox"


def test_aliases_do_not_make_one_mailbox_two() -> None:
    only = tuple(one for one in ALIASES if one.mailbox_id == SALES)
    choice = choose(SenderFacts(only))
    assert isinstance(choice, Choice)
    assert choice.address == "sales@acme.example"
