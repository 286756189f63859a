"""Fault 30: a server that sends garbage, floods, lies about lengths, and never ends its line."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

from tests.fakes.imap_proxy import FAIR, Weather
from tests.soak.hand import BROKE
from tests.soak.results import Result
from tests.soak.rig import Place, Rig, each

MOST_RSS_MB = 256.0
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
MEGABYTE = 1_000_000


def _at(line: int, said: bytes) -> Weather:
    return Weather(before=lambda number: said if number == line else b"")


def garbage(chance: random.Random, line: int) -> Weather:
    return _at(line, chance.randbytes(200).replace(b"\n", b"") + b"\r\n")


def endless_line(chance: random.Random, line: int) -> Weather:
    return _at(line, b"* OK " + b"x" * 20 * MEGABYTE)


def flood(chance: random.Random, line: int) -> Weather:
    return _at(line, b"* 1 EXISTS\r\n" * 500_000)


def unasked(chance: random.Random, line: int) -> Weather:
    """Answers about messages nobody asked for."""
    body = b"Subject: not yours\r\n\r\nnot yours\r\n"
    told = b"* 1 FETCH (UID 1 FLAGS () BODY[] {%d}\r\n%s)\r\n" % (len(body), body)
    return _at(line, told * chance.randint(1, 5))


def huge_literal(chance: random.Random, line: int) -> Weather:
    return _at(line, b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % chance.choice([2**31, 2**31 - 1, 2**63, 10**30]))


def longer_than_announced(chance: random.Random, line: int) -> Weather:
    less = chance.randint(1, 40)
    return Weather(
        from_server=lambda said: _LITERAL.sub(lambda found: b"{%d}\r\n" % max(0, int(found[1]) - less), said)
    )


def shorter_than_announced(chance: random.Random, line: int) -> Weather:
    more = chance.randint(1, 40)
    return Weather(from_server=lambda said: _LITERAL.sub(lambda found: b"{%d}\r\n" % (int(found[1]) + more), said))


def nested(chance: random.Random, line: int) -> Weather:
    return _at(line, b"* LIST " + b"(" * 30_000 + b"\r\n")


HOSTILE: tuple[Callable[[random.Random, int], Weather], ...] = (
    garbage,
    endless_line,
    flood,
    unasked,
    huge_literal,
    longer_than_announced,
    shorter_than_announced,
    nested,
)
# A literal that is too short leaves the client waiting for octets that never come.
IMPATIENT = {"silence_seconds": 0.5}


def talk_nonsense(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    places: list[Place] = []

    def one(seed: int, chance: random.Random) -> Result:
        places[:] = places if places and seed % 3 else [rig.place()]
        [place] = places
        rig.fill(place, chance, 6)
        kind = HOSTILE[seed % len(HOSTILE)]
        rig.proxy.weather = kind(chance, chance.choice([0, 1, 3, 6, 10, 15, 25]))
        ended = rig.sync(place.address, timeouts=IMPATIENT)
        notes = []
        if ended.rss_mb > MOST_RSS_MB:
            notes.append(f"{kind.__name__}: {ended.rss_mb:.0f} MB")
        if ended.code == BROKE:
            notes.append(f"{kind.__name__}: the engine broke: {rig.log_end()[-300:]}")
        rig.proxy.weather = FAIR
        return rig.settle(30, seed, place, notes=notes)

    return each(rig, 30, seeds, one)
