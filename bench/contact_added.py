"""How long after a contact is added its history is on the timeline, of a mailbox that keeps only records' mail.

All of Postroom runs on a Dovecot mailbox of which nothing was kept: every message was sighted. Then some of its people
become one contact by the API. `seconds` is the time from the request until every message of theirs and of their threads
is filed and the timeline's page has been loaded; `answered_s` is how long the API took to answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import corpus
from bench.corpus import PEOPLE, Corpus
from bench.dovecot import dovecot
from bench.rig import DATABASES, Postroom, Seeded, postroom
from tests.servers import free_ports

WITHIN_SECONDS = 60.0
SHORT_MESSAGES = 100
MAILBOX = 4  # messages in the mailbox for each of the contact's
MOST_ADDRESSES = 50  # a contact may have (filing/people.py)


@dataclass(frozen=True, slots=True)
class Added:
    """One run: messages of the contact, and seconds until the API answered and until all were on the timeline."""

    messages: int
    answered: float
    filed: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench/contact_added", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=500, help="messages of the contact and of its threads, about")
    parser.add_argument("--database", choices=DATABASES, default="embedded")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_MESSAGES} messages, one round")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    options = parser.parse_args(arguments)
    if options.short:
        options.messages, options.rounds = SHORT_MESSAGES, 1
    mailbox = corpus.cached(options.messages * MAILBOX)
    addresses, count = _choose(mailbox, options.messages)
    runs = []
    with dovecot(mailbox.maildir) as server:
        for _ in range(options.rounds):
            runs.append(_run(server.imap, mailbox, addresses, count, options.database))
            print(f"{count} messages: answered after {runs[-1].answered:.2f} s, filed after {runs[-1].filed:.2f} s")
    seconds, answered = median(run.filed for run in runs), median(run.answered for run in runs)
    if options.json:
        print(json.dumps({"messages": count, "seconds": round(seconds, 3), "answered_s": round(answered, 3)}))
    return 0


def _choose(mailbox: Corpus, most: int) -> tuple[list[str], int]:
    """Addresses, and how many messages their threads hold: those who write most first, `most` at most."""
    threads_of: dict[int, set[int]] = {}
    for at, thread in enumerate(mailbox.threads):
        for person in thread.people:
            threads_of.setdefault(person, set()).add(at)
    chosen: list[str] = []
    threads: set[int] = set()
    for person in sorted(threads_of, key=lambda person: -len(threads_of[person])):
        grown = threads | threads_of[person]
        if sum(mailbox.threads[at].messages for at in grown) <= most and len(chosen) < MOST_ADDRESSES:
            chosen.append(PEOPLE[person].address)
            threads = grown
    return chosen, sum(mailbox.threads[at].messages for at in threads)


def _run(imap_port: int, mailbox: Corpus, addresses: Sequence[str], count: int, database: str) -> Added:
    [web_port] = free_ports(1)
    with postroom(database) as installation:
        with installation.seeding([], imap_port=imap_port, keep="records") as seeding:
            installation.start("worker", "importer", "importer", "web", web_port=web_port)
            seeded = seeding.connect_mailbox()
        installation.wait_until(
            "SELECT import_finished_at IS NOT NULL AND last_synced_at IS NOT NULL"
            " AND (SELECT count(*) FROM correspondence_sighting) = %s FROM mailboxes_mailbox",
            [mailbox.messages],
            WITHIN_SECONDS + mailbox.messages / 100,
        )
        return _add(installation, web_port, seeded, addresses, count)


def _add(installation: Postroom, port: int, seeded: Seeded, addresses: Sequence[str], count: int) -> Added:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_SECONDS)
    _ask(client, "GET", "/api/v1/contacts", seeded)  # the first request of a process loads what it needs
    started = time.perf_counter()
    contact = _ask(client, "POST", "/api/v1/contacts", seeded, {"name": "Added", "addresses": addresses})
    answered = time.perf_counter() - started
    installation.wait_until(
        "SELECT count(*) = %s FROM filing_filing WHERE record_id = %s", [count, contact["id"]], WITHIN_SECONDS
    )
    _ask(client, "GET", f"/api/v1/contacts/{contact['id']}/timeline", seeded)
    filed = time.perf_counter() - started
    client.close()
    return Added(count, answered, filed)


def _ask(client: http.client.HTTPConnection, method: str, path: str, seeded: Seeded, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {seeded.token}", "Content-Type": "application/json"}
    client.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = client.getresponse()
    told = response.read().decode()
    if response.status not in (http.client.OK, http.client.CREATED):
        raise RuntimeError(f"{method} {path}: {response.status} {told[:300]}")
    return json.loads(told)


if __name__ == "__main__":
    sys.exit(main())
