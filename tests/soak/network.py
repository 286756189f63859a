"""Faults 6 to 10: cut, slow, silent, unreachable and false servers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.fakes.false_imap import TRICKS, false_server
from tests.fakes.imap_proxy import FAIR, Weather
from tests.servers import free_ports
from tests.soak.hand import REFUSED, UP_TO_DATE
from tests.soak.results import Result
from tests.soak.rig import Place, Rig, each

WHOLE_PASS = 20_000  # octets of an import of ten letters, about
# How long a server may say nothing, in a pass that meets a silent one.
IMPATIENT = {"greeting_seconds": 0.5, "silence_seconds": 0.5}


def cut_the_connection(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """After so many octets, in the middle of a literal mostly; three passes are cut, each elsewhere."""
    places: list[Place] = []

    def one(seed: int, chance: random.Random) -> Result:
        places[:] = places if places and seed % 3 else [rig.place()]
        [place] = places
        rig.fill(place, chance, 10)
        for _ in range(2):
            rig.proxy.weather = Weather(cut_after=chance.randint(1, WHOLE_PASS), is_reset=chance.random() < 0.5)
            rig.sync(place.address)
            rig.let_time_pass()
        rig.proxy.weather = FAIR
        return rig.settle(6, seed, place)

    return each(rig, 6, seeds, one)


def slow_the_connection(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """Latency on every chunk and little bandwidth; the first seed has 1 kB/s. Each page is committed on its own."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        is_slowest = seed == 0
        rig.fill(place, chance, 3 if is_slowest else 6, ["INBOX"])
        speed = 1_000 if is_slowest else chance.randint(40_000, 200_000)
        rig.proxy.weather = Weather(octets_per_second=speed, delay_seconds=chance.uniform(0, 0.01))
        ended = rig.sync(place.address)
        notes = () if ended.code == UP_TO_DATE else (f"the pass ended with {ended.code}",)
        rig.proxy.weather = FAIR
        return rig.settle(7, seed, place, notes=notes)

    return each(rig, 7, seeds, one)


def fall_silent(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """The peer is gone and nobody says so: the engine gives up by its own patience."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 8)
        rig.proxy.weather = Weather(silent_after=chance.randint(1, WHOLE_PASS // 2))
        ended = rig.sync(place.address, timeouts=IMPATIENT)
        notes = () if ended.code in (UP_TO_DATE, REFUSED) else (f"the pass ended with {ended.code}",)
        rig.proxy.weather = FAIR
        rig.proxy.speak()
        return rig.settle(8, seed, place, notes=notes)

    return each(rig, 8, seeds, one)


def lose_the_name(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """The name is not found, or nobody listens there; then the server is back."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 4)
        if seed % 2:
            rig.sync(place.address)
            rig.fill(place, chance, 3)
        [closed] = free_ports(1)
        notes = []
        for where in ({"host": "nowhere.invalid"}, {"port": closed}, {"host": "localhost", "port": closed}):
            rig.point(place, **where)
            rig.let_time_pass()
            if (ended := rig.sync(place.address)).code != REFUSED:
                notes.append(f"{where}: the pass ended with {ended.code}")
        rig.point(place)
        return rig.settle(9, seed, place, notes=notes)

    return each(rig, 9, seeds, one)


def meet_a_false_server(rig: Rig, seeds: Sequence[int]) -> Iterator[Result]:
    """Certificates that do not fit, STARTTLS stripped, words smuggled in before encryption: no secret on the wire."""

    def one(seed: int, chance: random.Random) -> Result:
        place = rig.place()
        rig.fill(place, chance, 3)
        trick = TRICKS[seed % len(TRICKS)]
        with false_server(trick, rig.dovecot.certificates) as server:
            security = "starttls" if "starttls" in trick else "tls"
            rig.point(place, host="localhost", port=server.port, security=security)
            ended = rig.sync(place.address)
        notes = [] if ended.code == REFUSED else [f"{trick}: the pass ended with {ended.code}"]
        if server.heard_a_secret("pass", place.address):
            notes.append(f"{trick}: the server heard {bytes(server.heard)[:80]!r}")
        rig.point(place, host="localhost", port=rig.dovecot.imaps, security="tls")
        return rig.settle(10, seed, place, notes=notes)

    return each(rig, 10, seeds, one)
