"""By what words of a server each cause is known: the tables of all providers, turned round."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from postroom.providers.gmail.errors import CAUSES as GMAIL_CAUSES
from postroom.providers.imap.causes import CAUSES as MAIL_SERVER_CAUSES
from postroom.providers.outlook.errors import CAUSES as GRAPH_CAUSES
from postroom.providers.outlook.reasons import REASONS

_LEAST_LETTERS = 5  # a shorter fragment, such as the number of a reply, tells people nothing


@dataclass(frozen=True, slots=True)
class KnownWords:
    """A fragment in lower or any letter case, and the ends of the host names that it counts at (none: any)."""

    fragment: str
    hosts: tuple[str, ...] = ()


@cache
def known_words() -> dict[str, tuple[KnownWords, ...]]:
    """Code of the catalogue -> words, each once, in the order of the tables."""
    found: dict[str, dict[KnownWords, None]] = {}
    told = [(cause.code, KnownWords(cause.fragment, cause.hosts)) for cause in MAIL_SERVER_CAUSES]
    told += [(cause.code, KnownWords(cause.reason)) for cause in GMAIL_CAUSES]
    told += [(cause.code, KnownWords(cause.graph_code)) for cause in GRAPH_CAUSES]
    told += [(code, KnownWords(reason)) for reason, code in REASONS.items()]
    for code, words in told:
        if len(words.fragment.strip()) >= _LEAST_LETTERS:
            found.setdefault(code, {})[words] = None
    return {code: tuple(words) for code, words in found.items()}
