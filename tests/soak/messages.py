"""Faults 24, 25, 28 and 29: copies of one message, two messages of one id, poison and giants."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence

from tests.soak.hand import UP_TO_DATE
from tests.soak.letters import Letter, mark_of, write_letter
from tests.soak.results import Result
from tests.soak.rig import FOLDERS, Rig, each
from tests.soak.truth import POISON

MOST_RSS_MB = 512.0
GIANT_OCTETS = (2_000_000, 9_000_000)


def copies_of_one(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """The same letter in several folders of three teammates, with other Received lines: one message."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place("anna", "ben", "cleo")
        letters = [write_letter(chance, f"same-{seed}-{n}") for n in range(4)]
        place.letters += letters
        for number, address in enumerate(place.mailboxes):
            with rig.client(place, address) as client:
                for name in FOLDERS:
                    client.create(name)
                for letter in letters:
                    raw = letter.raw.replace(b"Received: from mx", b"Received: from mx%d" % number, 1)
                    for name in chance.sample(FOLDERS, chance.randint(1, 4)):
                        client.append(name, raw)
        result = rig.settle(24, seed, place)
        stored = rig.count("correspondence_message", place)
        notes = (f"{stored} messages are stored of {len(letters)}",) if stored != len(letters) else ()
        return Result(24, seed, result.lost, result.doubled, result.seconds, (*result.notes, *notes))

    return each(rig, 24, seeds, one)


def one_id_twice(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """An attacker takes the Message-ID of another's letter, before or after it: both are kept, and marked."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place("anna", "ben")
        first, second = place.mailboxes
        honest = [write_letter(chance, f"honest-{seed}-{n}") for n in range(3)]
        forged = [write_letter(chance, f"forged-{seed}", internet_message_id=one.internet_message_id) for one in honest]
        place.letters += honest + forged
        with rig.client(place, first) as client, rig.client(place, second) as other:
            for letter in honest:
                client.append("INBOX", letter.raw)
            if seed % 2:
                rig.sync(first)
            for letter in forged:
                (other if seed % 3 else client).append("INBOX", letter.raw)
        result = rig.settle(25, seed, place)
        marked = rig.count("correspondence_message", place, "has_twin")
        notes = (f"{marked} of 6 are marked",) if marked != len(place.letters) else ()
        return Result(25, seed, result.lost, result.doubled, result.seconds, (*result.notes, *notes))

    return each(rig, 25, seeds, one)


def poison(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """A message that hurts parsers lies among letters: it is kept, and the letters after it come in the same pass."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        name, brew = POISONS[seed % len(POISONS)]
        raw = b"From: <x@customer.test>\r\nMessage-ID: %s-%d@x>\r\n" % (POISON.encode(), seed) + brew(chance)
        place.letters.append(Letter(f"{POISON}-{seed}@x>", mark_of(""), raw))
        with rig.client(place) as client:
            client.append("INBOX", raw)
        rig.fill(place, chance, 3, ["INBOX"])
        ended = rig.sync(place.address)
        notes = [f"{name}: the pass ended with {ended.code}"] if ended.code != UP_TO_DATE else []
        if ended.rss_mb > MOST_RSS_MB:
            notes.append(f"{name}: {ended.rss_mb:.0f} MB")
        return rig.settle(28, seed, place, notes=notes)

    return each(rig, 28, seeds, one)


Brew = Callable[[random.Random], bytes]


def _nested(chance: random.Random) -> bytes:
    """Multiparts in multiparts, some thousand deep."""
    depth = chance.randint(500, 3000)
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(depth)
    )
    return opening + b"Content-Type: text/plain\r\n\r\nend\r\n"


def _many_parts(chance: random.Random) -> bytes:
    part = b"--edge\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    return (
        b"Content-Type: multipart/mixed; boundary=edge\r\n\r\n" + part * chance.randint(5_000, 10_000) + b"--edge--\r\n"
    )


def _many_headers(chance: random.Random) -> bytes:
    return b"Received: by mx.customer.test; Mon, 23 Nov 2026 10:00:00 +0000\r\n" * 100_000 + b"\r\ntext\r\n"


def _long_header(chance: random.Random) -> bytes:
    return b"Subject: " + b"=?utf-8?q?a?= " * chance.randint(50_000, 200_000) + b"\r\n\r\ntext\r\n"


def _references(chance: random.Random) -> bytes:
    return b"References: " + b" ".join(b"<%d@x>" % n for n in range(50_000)) + b"\r\n\r\ntext\r\n"


def _zeros(chance: random.Random) -> bytes:
    return b"Subject: \x00\x00\r\nX-\xff\xfe: \x00\r\n\r\n" + b"\x00" * 10_000


def _addresses(chance: random.Random) -> bytes:
    return b"To: " + b"(" * 50_000 + b",".join(b"a%d@x.test" % n for n in range(20_000)) + b"\r\n\r\ntext\r\n"


def _bomb(chance: random.Random) -> bytes:
    """A small file that unpacks to a large one: nobody is to unpack it."""
    packed = zlib.compress(bytes(50_000_000))
    return (
        b"Content-Type: application/zip; name=a.zip\r\n\r\n"
        + packed.replace(b"\n", b" ").replace(b"\r", b" ")
        + b"\r\n"
    )


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(5_000).replace(b"\x00", b"0").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _date(chance: random.Random) -> bytes:
    return b"Date: Fri, 99 Foo 99999 99:99:99 +9999\r\nContent-Type: text/plain; charset=nothing\r\n\r\n\x81\x82\r\n"


POISONS: tuple[tuple[str, Brew], ...] = (
    ("nested parts", _nested),
    ("many parts", _many_parts),
    ("many headers", _many_headers),
    ("a long header", _long_header),
    ("many references", _references),
    ("zeros", _zeros),
    ("addresses", _addresses),
    ("a bomb", _bomb),
    ("noise", _noise),
    ("an impossible date", _date),
)


def giants(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """Large messages among small ones, killed half-way: what was committed is not fetched again."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 4, ["INBOX"])
        octets = chance.randint(*GIANT_OCTETS)
        giant = write_letter(chance, f"giant-{seed}", words=octets // 7)
        place.letters.append(giant)
        with rig.client(place) as client:
            client.append("INBOX", giant.raw)
        rig.sync(place.address, fail=f"{chance.choice(['after_fetch', 'before_commit', 'after_save'])}:kill:1")
        rig.let_time_pass()
        ended = rig.sync(place.address)
        notes = (f"{ended.rss_mb:.0f} MB",) if ended.rss_mb > MOST_RSS_MB else ()
        return rig.settle(29, seed, place, notes=notes)

    return each(rig, 29, seeds, one)
