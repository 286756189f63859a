"""Mutate recorded IMAP answers: only ProtocolViolation may come out, and memory must stay bounded.

    bench/imap_fuzz.py [--seconds 60] [--seed 1] [--corpora FOLDER] [--json]

Ends with one JSON object {runs, events, violations, failures, slowest_ms, rss_mb}.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.wire import Limits, Wire

GRAMMAR = [
    b"(",
    b")",
    b'"',
    b"\\",
    b"{5}\r\n",
    b"{99999999999}\r\n",
    b"~{3}\r\n",
    b"\r\n",
    b"\n",
    b"\0",
    b"[",
    b"]",
    b"NIL",
    b"* 1 FETCH (",
    b"4294967296",
    b"((((((((((",
    b" ",
    b"\xff",
    b"BODY[",
    b"* VANISHED 1:4294967295\r\n",
]


def mutate(octets: bytes, chance: random.Random) -> bytes:
    mutated = bytearray(octets)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(mutated) + 1)
        way = chance.randrange(5)
        if way == 0:
            del mutated[at : at + chance.randint(1, 50)]
        elif way == 1:
            mutated[at:at] = chance.choice(GRAMMAR) * chance.choice((1, 1, 1, 300))
        elif way == 2 and mutated:
            mutated[at % len(mutated)] = chance.randrange(256)
        elif way == 3:
            mutated[at:at] = mutated[at // 2 : at // 2 + chance.randint(1, 200)]
        else:
            del mutated[at:]
    return bytes(mutated)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpora", type=Path, default=Path("/work/shared/corpora"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    chance = random.Random(options.seed)
    folder = options.corpora / "imap-mailkit"
    files = [path for path in folder.rglob("*.txt") if "smtp" not in path.parts]
    # Big bodies only slow the mutations down: what matters is the grammar around them.
    seeds = [path.read_bytes().replace(b"\n", b"\r\n") for path in files if path.stat().st_size < 20_000]
    limits = Limits(line_bytes=64 * 1024, literal_bytes=1024 * 1024)
    runs = events = violations = 0
    slowest, failures = 0.0, []
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        octets = mutate(chance.choice(seeds), chance)
        started, wire = time.perf_counter(), Wire(limits)
        try:
            step = chance.choice((1, 7, 100, 65536))
            for at in range(0, len(octets), step):
                wire.receive_data(octets[at : at + step])
                while wire.next_event() is not None:
                    events += 1
        except ProtocolViolation:
            violations += 1
        except Exception as error:  # noqa: BLE001  the point of the exercise: name whatever else escapes
            failures.append(f"{type(error).__name__}: {error} on {octets[:300]!r}")
        slowest = max(slowest, time.perf_counter() - started)
        runs += 1
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result = {"runs": runs, "events": events, "violations": violations, "failures": failures[:5]}
    print(json.dumps(result | {"slowest_ms": round(slowest * 1000, 1), "rss_mb": rss_mb}))
    sys.exit(bool(failures) or rss_mb > 200)


if __name__ == "__main__":
    main()
