"""What a check that failed shows of the servers' own words."""

from __future__ import annotations

from postroom.providers.base import CheckStep
from postroom.web.check_words import Verdict, entry


def verdict(*said: tuple[str, str]) -> Verdict:
    steps = tuple(
        CheckStep(server, "sign_in", False, 0.1, code="sign_in_refused", server_words=words) for server, words in said
    )
    return Verdict(entry(steps[0]), steps)


def test_the_words_of_one_server_are_one_fold() -> None:
    twice = verdict(("imap", "NO [1]"), ("imap", "NO [2]"), ("imap", "NO [1]"))
    assert twice.server_words == [("", "NO [1]\nNO [2]")]


def test_two_servers_have_a_fold_each_and_what_both_say_has_one() -> None:
    assert verdict(("imap", "NO"), ("smtp", "535")).server_words == [("receiving", "NO"), ("sending", "535")]
    assert verdict(("imap", "NO"), ("smtp", "NO")).server_words == [("", "NO")]
