"""Searches: in groups that fit an address line, and nothing that people wrote leaves its place."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.gmail.queries import MOST_LETTERS, between, by_addresses, by_message_id, joined, larger


def test_a_window_is_told_in_seconds() -> None:
    assert between(date(2026, 11, 1), date(2026, 11, 23)) == "after:1793491199 before:1795392000"
    assert between(None, None) == ""
    assert joined("", between(None, date(2026, 11, 23)), larger(5)) == "before:1795392000 larger:5"


def test_all_addresses_are_asked_in_groups_that_fit() -> None:
    addresses = [f"customer-{number}@company-{number}.example" for number in range(300)]
    queries = list(by_addresses([*addresses, addresses[0]], "after:1"))
    assert all(len(query) <= MOST_LETTERS + 10 and query.endswith("} after:1") for query in queries)
    for address in addresses:
        for field in ("from", "to", "cc"):
            assert sum(f" {field}:{address} " in query.replace("{", " ").replace("}", " ") for query in queries) == 1
    assert len(queries) < 40


def test_a_domain_is_asked_as_one() -> None:
    assert list(by_addresses(["@customer.test"], "")) == [
        "{from:@customer.test to:@customer.test cc:@customer.test bcc:@customer.test}"
    ]
    assert list(by_addresses([], "after:1")) == []


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_somebody_wrote_stays_one_word(address: str, message_id: str) -> None:
    for query in [*by_addresses([address], ""), by_message_id(message_id)]:
        words = query.removeprefix("{").removesuffix("}")
        outside = "".join(words.split('"')[::2])
        assert words.count('"') % 2 == 0
        assert not set(outside) & set("(){}\\\0\n\r")
        assert " or " not in outside.lower().replace("from:", "").replace(address.lower(), "")


def test_brackets_of_a_message_id_are_not_searched_for() -> None:
    assert by_message_id(" <a.b+c@customer.test>") == "rfc822msgid:a.b+c@customer.test"
    assert by_message_id('<a" OR in:sent @x>') == 'rfc822msgid:"a OR in:sent @x"'
