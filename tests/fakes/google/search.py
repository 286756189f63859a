"""Gmail's search language, as far as a client asks in it: "from:a -in:trash {to:b cc:b} after:1760000000".

Source: support.google.com/mail/answer/7190. An unknown word raises: a typing error must not look like an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from tests.fakes.google.letters import Letter

Matches = Callable[[Letter], bool]

_TOKEN = re.compile(r'\s*(?:([(){}])|(-?(?:\w+:)?"[^"]*")|(-?\w+:\()|(-(?=[({]))|([^\s(){}]+))')
_SIZES = {"k": 1024, "m": 1024**2, "g": 1024**3}
_DAYS = {"d": 1, "m": 30, "y": 365}
_PACIFIC = timezone(timedelta(hours=-8))  # "dates are interpreted as midnight in the PST timezone" (guides/filtering)
_PLACES = {"inbox": "INBOX", "sent": "SENT", "draft": "DRAFT", "drafts": "DRAFT", "trash": "TRASH", "spam": "SPAM"}
_PLACES |= {"chats": "CHAT", "chat": "CHAT"}
_STATES = {"unread": "UNREAD", "starred": "STARRED", "important": "IMPORTANT"}
_PEOPLE = ("from", "to", "cc", "bcc")


class BadQuery(Exception):
    """Words this fake does not know."""


@dataclass(frozen=True, slots=True)
class World:
    """What a query is asked in: the user's labels by search name, today, and how far rfc822msgid: lags behind."""

    labels: Mapping[str, str]
    now: datetime
    seen_before: float  # of Letter.kept_at: younger ones are not found by Message-ID yet


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood. `looks_everywhere`: it names spam or trash itself."""

    matches: Matches
    looks_everywhere: bool


def understand(text: str, world: World) -> Query:
    """Read a query. Raises BadQuery."""
    reader = _Reader(_tokens(text), world)
    matches = _all(reader.terms(""))
    words = set(re.findall(r"(?<![-\w])in:(\w+)", text.lower()))
    return Query(matches, bool(words & {"trash", "spam", "anywhere"}))


def search_name(label: str) -> str:
    """A label's name as `label:` wants it."""
    return re.sub(r"[\s/&()|\"]", "-", label.lower())


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    text = text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise BadQuery(text[place:])
        found.append(match.group(0).strip())
        place = match.end()
    return found


class _Reader:
    """Goes through the tokens of one query."""

    def __init__(self, tokens: list[str], world: World) -> None:
        self._tokens = tokens
        self._world = world

    def terms(self, end: str) -> list[Matches]:
        """What stands up to that bracket ("" for the end of the query). OR binds its two neighbours."""
        found: list[Matches] = []
        joins = False
        while self._tokens:
            token = self._tokens.pop(0)
            if token == end:
                break
            if token == "OR":
                joins = True
                continue
            if token == "AND":
                continue
            one = self._term(token)
            if joins:
                found.append(_any([found.pop(), one]))
                joins = False
            else:
                found.append(one)
        return found

    def _term(self, token: str) -> Matches:
        if token == "(":
            return _all(self.terms(")"))
        if token == "{":
            return _any(self.terms("}"))
        if token.startswith("-") and len(token) > 1:
            return _not(self._term(token[1:]))
        if token == "-":
            return _not(self._term(self._tokens.pop(0)))
        if token.endswith(":("):
            return self._grouped(token[:-2])
        key, colon, value = token.partition(":")
        if not colon or not key.isidentifier():
            return _has_word(token.strip('"').lower())
        return _matcher(key.lower(), value.strip('"'), self._world)

    def _grouped(self, key: str) -> Matches:
        """key:(a b OR c)"""
        inner: list[str] = []
        while self._tokens and (token := self._tokens.pop(0)) != ")":
            inner.append(token if token in ("OR", "AND") else f"{key}:{token}")
        return _all(_Reader(inner, self._world).terms(""))


def _matcher(key: str, value: str, world: World) -> Matches:
    if key in _PEOPLE:
        return _has_person(key, value.lower())
    if key in ("after", "newer"):
        moment = _moment(value)
        return lambda letter: letter.at_ms >= moment
    if key in ("before", "older"):
        moment = _moment(value)
        return lambda letter: letter.at_ms < moment
    if key in ("newer_than", "older_than"):
        moment = int((world.now - timedelta(days=int(value[:-1]) * _DAYS[value[-1]])).timestamp() * 1000)
        return (
            (lambda letter: letter.at_ms >= moment) if key == "newer_than" else (lambda letter: letter.at_ms < moment)
        )
    if key in ("larger", "smaller", "size"):
        octets = _size(value)
        return (
            (lambda letter: len(letter.raw) < octets) if key == "smaller" else (lambda letter: len(letter.raw) > octets)
        )
    if key == "subject":
        return lambda letter: value.lower() in letter.header("Subject").lower()
    if key == "rfc822msgid":
        wanted = value.strip("<>")
        return lambda one: one.kept_at <= world.seen_before and one.internet_message_id.strip("<>") == wanted
    return _matches_label(key, value.lower(), world)


def _matches_label(key: str, value: str, world: World) -> Matches:
    if key == "is" and value == "read":
        return lambda letter: "UNREAD" not in letter.labels
    if key == "is" and value in _STATES:
        return _wears(_STATES[value])
    if key == "in" and value == "anywhere":
        return lambda letter: True
    if key == "in" and value in _PLACES:
        return _wears(_PLACES[value])
    if key == "category":
        return _wears(f"CATEGORY_{'PERSONAL' if value == 'primary' else value.upper()}")
    if key in ("label", "in"):
        system = _PLACES.get(value) or _STATES.get(value)
        return _wears(system or world.labels.get(search_name(value), "none such"))
    if key == "has" and value in ("nouserlabels", "userlabels"):
        users = frozenset(world.labels.values())
        return lambda letter: users.isdisjoint(letter.labels) == (value == "nouserlabels")
    if key == "has" and value == "attachment":
        return lambda letter: any(part.get_filename() for part in letter.body.walk())
    raise BadQuery(f"{key}:{value}")


def _has_person(name: str, value: str) -> Matches:
    """Whole addresses, whole domains (with those below), and words of names; never parts of words."""
    wanted = value.removeprefix("@")
    if "@" in wanted:
        return lambda letter: wanted in letter.addresses(name)

    def matches(letter: Letter) -> bool:
        for who, address in letter.people(name):
            local, _, domain = address.partition("@")
            if domain == wanted or domain.endswith(f".{wanted}"):
                return True
            if not value.startswith("@") and (wanted in re.split(r"\W+", who) or wanted == local):
                return True
        return False

    return matches


def _wears(label: str) -> Matches:
    return lambda letter: label in letter.labels


def _has_word(word: str) -> Matches:
    return lambda letter: word in letter.header("Subject").lower() or word in letter.text.lower()


def _all(terms: Iterable[Matches]) -> Matches:
    kept = list(terms)
    return lambda letter: all(term(letter) for term in kept)


def _any(terms: Iterable[Matches]) -> Matches:
    kept = list(terms)
    return lambda letter: any(term(letter) for term in kept)


def _not(term: Matches) -> Matches:
    return lambda letter: not term(letter)


def _moment(value: str) -> int:
    """Milliseconds: of epoch seconds, or of the midnight of a day in California."""
    if value.isdigit():
        return int(value) * 1000
    try:
        day = datetime.strptime(value.replace("-", "/"), "%Y/%m/%d").replace(tzinfo=_PACIFIC)
    except ValueError:
        raise BadQuery(value) from None
    return int(day.timestamp() * 1000)


def _size(value: str) -> int:
    value = value.lower().removesuffix("b")
    if value[-1:] in _SIZES:
        return int(value[:-1]) * _SIZES[value[-1]]
    return int(value)
