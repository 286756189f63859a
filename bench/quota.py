"""What the import of a mailbox costs where each read counts: units of the provider's allowance, and minutes.

A fake Google charges what Gmail charges a new project. Postroom's own engine plans and imports a mailbox that keeps
only records' mail, under the real limit by the clock. `listing` is what it would cost to look at every header instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroom.ops.embedded_postgres import EmbeddedPostgres

UNITS_A_HEADER = 20  # messages.get, whatever of a message is read (research/providers.md 2.1)
UNITS_A_MINUTE = 6_000
SHORT = (400, 20)  # messages, customers' of them: within what may be used at once
CUSTOMERS = 25  # addresses


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one import: units and seconds, and how many messages were stored and were read besides."""

    units: int
    seconds: float
    stored: int
    headers: int
    calls: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench/quota", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=500, help="messages of them that belong to records")
    parser.add_argument("--short", action="store_true", help=f"{SHORT[0]} messages, {SHORT[1]} of customers")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    options = parser.parse_args(arguments)
    messages, customers = SHORT if options.short else (options.messages, options.customers)
    with _django():
        cost = _import(messages, customers)
    listing = messages * UNITS_A_HEADER
    told = {
        "messages": messages,
        "stored": cost.stored,
        "headers": cost.headers,
        "units": cost.units,
        "minutes": round(cost.seconds / 60, 2),
        "units_by_listing": listing,
        "minutes_by_listing": round(listing / UNITS_A_MINUTE, 2),
        "share": round(cost.units / listing, 4),
    }
    print(f"{cost.stored} of {messages} messages stored: {cost.units} units in {cost.seconds / 60:.2f} minutes")
    print(f"every header: {listing} units, {told['minutes_by_listing']} minutes at {UNITS_A_MINUTE} a minute")
    print(", ".join(f"{name} {count}" for name, count in sorted(cost.calls.items())))
    if options.json:
        print(json.dumps(told))
    return 0 if cost.stored == customers else 1


@contextmanager
def _django() -> Iterator[None]:
    """Postroom in this process, on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        folder = Path(name)
        database = EmbeddedPostgres(folder / "postgres")
        os.environ["DATABASE_URL"] = database.dsn
        os.environ["POSTROOM_DATA"] = str(folder / "data")
        os.environ["DJANGO_SETTINGS_MODULE"] = "postroom.config.settings"
        database.start()
        try:
            import django
            from django.core.management import call_command
            from django.db import connections

            django.setup()
            call_command("migrate", verbosity=0)
            yield
            connections.close_all()
        finally:
            database.stop()


def _import(messages: int, customers: int) -> Cost:
    from postroom.filing.people import add_contact
    from tests.cast import make_cast
    from tests.integration.google_place import GooglePlace, google_registered

    people = [f"person{number}@customer.example" for number in range(CUSTOMERS)]
    with google_registered() as google:
        cast = make_cast()
        for address in people:
            add_contact(cast.alice, address, [address])
        place = GooglePlace(google, cast.alice)
        every = messages // customers
        for number in range(messages):
            is_customers = number % every == 0 and number // every < customers
            sender = people[number // every % CUSTOMERS] if is_customers else f"friend{number % 400}@home.example"
            place.deliver(f"m{number}", sender, days=1 + number * 28 // messages)
        started = time.monotonic()
        asyncio.run(place.sync())
        seconds = time.monotonic() - started
        return Cost(place.units, seconds, len(place.subjects()), place.read()[0], _calls(place))


def _calls(place: Any) -> dict[str, int]:
    return dict(place.calls())


if __name__ == "__main__":
    sys.exit(main())
