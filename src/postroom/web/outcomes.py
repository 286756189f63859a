"""How a journey to a provider ended, in words, and the one next step that helps."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.mailboxes.oauth_apps import AppRefused
from postroom.providers import catalogue


@dataclass(frozen=True, slots=True)
class Verdict:
    """One entry of the catalogue, and what the provider said."""

    entry: catalogue.Entry
    words: str


def refusal(refused: AppRefused, owner: str) -> Verdict:
    """Why a registration was not saved."""
    return Verdict(catalogue.explain_check(refused.code, provider=owner, host=owner, owner=owner), refused.words)
