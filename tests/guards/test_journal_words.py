"""Every kind of journal entry has a sentence, whatever facts it has, and no sentence shows what it must not."""

from __future__ import annotations

import pytest

from postroom.engine.journal import Kind
from postroom.mailboxes.journal import sentence

FACTS = {
    "host": "imap.company.example",
    "messages": 1204,
    "kept": 300,
    "folder": "Archive",
    "was": "Old mail",
    "new": 12,
    "filed": 3,
    "removed": 2,
    "count": 5,
    "matched": 1204,
    "fetched": 3,
    "gone": 142,
    "known": 300,
    "repaired": 4,
    "code": "sign_in_refused",
    "seconds": 900,
    "days": 90,
    "added": 2,
    "left_out": 1,
    "answer": "remove",
    "by": "Alice Moreau",
    "to": "Bob Lindqvist",
}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("facts", [FACTS, {}, dict.fromkeys(FACTS, 0), dict.fromkeys(FACTS, "")], ids=len)
def test_every_kind_has_a_whole_sentence(kind: Kind, facts: dict[str, str | int]) -> None:
    said = sentence(kind, facts)
    assert len(said) > 12 and said.endswith(".") and not said.endswith("..")
    assert said[0].isupper() or said[0].isdigit(), said
    assert not {"None", "{", "}", "  "} & {piece for piece in ("None", "{", "}", "  ") if piece in said}, said


@pytest.mark.parametrize("kind", Kind)
def test_one_is_singular_and_many_have_their_thousands(kind: Kind) -> None:
    numbers = {name for name, value in FACTS.items() if isinstance(value, int)}
    one = sentence(kind, FACTS | dict.fromkeys(numbers, 1))
    for plural in (
        "1 messages",
        "1 new messages",
        "1 folders",
        "1 days",
        "1 differences",
        "1 seconds",
        "1 were",
        "1 are",
    ):
        assert plural not in one, one
    many = sentence(kind, FACTS | dict.fromkeys(numbers, 20_400))
    assert "20400" not in many


def test_a_kind_of_a_later_version_has_none() -> None:
    assert sentence("teleported", FACTS) == ""


def test_only_the_facts_of_a_sentence_are_said() -> None:
    secret = FACTS | {"password": "hunter2", "subject": "Private", "text": "Dear Katrin"}
    told = " ".join(sentence(kind, secret) for kind in Kind)
    assert not any(word in told for word in ("hunter2", "Private", "Dear Katrin"))
