"""Which addresses are near a contact."""

from __future__ import annotations

import pytest

from postroom.filing.near_misses import domain_of, how_near, local_parts, same_name

DOMAINS = {"lagerhaus.example"}


@pytest.mark.parametrize(
    ("key", "names", "nearness"),
    [
        ("k.voss@lagerhaus.example", [], "name and domain"),
        ("katrin_voss@home.example", [], "name"),
        ("kvoss@home.example", [], "name"),
        ("voss-katrin@home.example", [], "name"),
        ("bikes99@home.example", ["Katrin Voss"], "name"),
        ("bikes99@home.example", ["Voss, Katrin"], "name"),
        ("bikes99@lagerhaus.example", ["somebody", "KATRIN VOSS"], "name and domain"),
        ("info@lagerhaus.example", ["Lagerhaus"], "domain"),
        ("voss@home.example", ["Peter Voss"], None),
        ("katrin@home.example", ["Katrin"], None),
        ("info@sub.lagerhaus.example", [], None),
        ("x", [], None),
    ],
)
def test_an_address_is_near_by_its_name_and_by_its_domain(key: str, names: list[str], nearness: str | None) -> None:
    assert how_near("Katrin Voss", DOMAINS, key, names) == nearness


def test_a_name_is_compared_in_plain_letters_and_any_order() -> None:
    assert same_name("Käthe Müller", "MULLER, KATHE")
    assert same_name("Katrin Voss", "voss   katrin")
    assert not same_name("Katrin Voss", "Katrin Maria Voss")
    assert not same_name("Katrin", "Katrin"), "a first name alone says nothing"
    assert not same_name("", "")


def test_names_that_say_too_little_have_no_local_parts() -> None:
    assert local_parts("Katrin") == local_parts("Li Wu") == local_parts("") == frozenset()
    assert local_parts("Jürgen de Boer") == {"jurgenboer", "jboer", "boerjurgen", "boerj"}
    assert domain_of("nonsense") == "nonsense"
