"""How fast mail that is in memory already becomes filed rows: parse and write, one process, no network.

    bench/from_memory.py --corpus MAILDIR [--messages 20000] [--page 300] [--records 300] [--json]

DATABASE_URL names a server whose user may create databases; the run has its own database and removes it. The corpus is
a Maildir, newest name first. Its most frequent addresses become contacts, so that mail is filed.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import re
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

OWN = "bench@example.org"
PAGE_OCTETS = 8_000_000
_ADDRESS = re.compile(rb"[A-Za-z0-9.+_-]+@[A-Za-z0-9.-]+")
_PEOPLE = re.compile(rb"^(?:From|To|Cc): (.*(?:\r?\n[ \t].*)*)", re.MULTILINE)


def main() -> None:
    options = read_options()
    server = os.environ.get("DATABASE_URL")
    if not server:
        raise SystemExit("DATABASE_URL is not set: name a PostgreSQL server (its user creates a database for the run)")
    data = tempfile.mkdtemp(prefix="postroom-bench-")
    try:
        with own_database(server) as url:
            os.environ |= {"DATABASE_URL": url, "POSTROOM_DATA": data}
            os.environ["DJANGO_SETTINGS_MODULE"] = "postroom.config.settings"
            outcome = run(options)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    if not options.json:
        for name, value in outcome.items():
            print(f"{name:>20} {value}")
    print(json.dumps(outcome))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--page", type=int, default=300, help="messages a page, of 8 MB at most")
    parser.add_argument("--records", type=int, default=300, help="contacts to file on")
    parser.add_argument("--keep", choices=["everything", "records"], default="everything")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    return parser.parse_args()


@contextmanager
def own_database(server: str) -> Iterator[str]:
    name = f"postroom_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_conninfo(server, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run(options: argparse.Namespace) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    raws = read_corpus(options.corpus, options.messages)
    mailbox_id, folder_id = prepare(raws, options.records, options.keep)
    pages = list(cut(raws, options.page))

    from postroom.correspondence.store import PostgresStore
    from postroom.filing.filer import RecordFiler

    store = PostgresStore(RecordFiler())
    store.load_mailbox(mailbox_id)  # opens the connection
    backend = store._opened.info.backend_pid  # type: ignore[union-attr]
    profile = cProfile.Profile() if options.profile else None
    started, client, server = time.perf_counter(), time.process_time(), cpu_of(backend)
    if profile:
        profile.enable()
    new, filed, parsing = write_all(store, mailbox_id, folder_id, pages)
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumtime").print_stats("postroom|postroom_mail", 60)
    seconds, client, server = time.perf_counter() - started, time.process_time() - client, cpu_of(backend) - server
    store.close()
    return {
        "messages": len(raws),
        "new": new,
        "filed": filed,
        "filings": count_filings(),
        "pages": len(pages),
        "seconds": round(seconds, 2),
        "msgs_per_s": round(len(raws) / seconds),
        "parse_cpu_s": round(parsing, 2),
        "client_cpu_s": round(client, 2),
        "server_cpu_s": round(server, 2),
        "cpu_s_per_1000": round((client + server) / len(raws) * 1000, 3),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
    }


def write_all(store: Any, mailbox_id: Any, folder_id: Any, pages: list[list[bytes]]) -> tuple[int, int, float]:
    from postroom.engine.driver import new_message
    from postroom.engine.importer import collect_garbage_seldom
    from postroom.engine.store import Page
    from postroom.providers.base import FetchedMessage

    collect_garbage_seldom()
    now = datetime.now(UTC)
    new = filed = number = 0
    parsing = 0.0
    for raws in pages:
        started = time.process_time()
        messages = []
        for raw in raws:
            number += 1
            received = now - timedelta(minutes=number)
            messages.append(new_message(FetchedMessage(str(number), raw, received)))
        parsing += time.process_time() - started
        saved = store.save_page(Page(mailbox_id, None, folder_id, tuple(messages)))
        new, filed = new + saved.new, filed + saved.filed
    return new, filed, parsing


def read_corpus(corpus: Path, count: int) -> list[bytes]:
    files = sorted(path for path in corpus.rglob("*") if path.is_file() and path.parent.name in ("cur", "new"))
    if not files:
        raise SystemExit(f"no messages in {corpus}: a Maildir has folders cur and new")
    return [path.read_bytes() for path in sorted(files, key=lambda path: path.name, reverse=True)[:count]]


def prepare(raws: list[bytes], records: int, keep: str) -> tuple[Any, Any]:
    """A workspace with a mailbox, a folder and as many contacts; (mailbox id, folder id)."""
    from postroom.mailboxes.models import Folder, Mailbox
    from postroom.records.models import Contact, ContactAddress
    from postroom.workspaces.models import User, Workspace

    workspace = Workspace.objects.create(name="Bench")
    owner = User.objects.create(email=OWN)
    mailbox = Mailbox.objects.create(
        workspace=workspace, address=OWN, kind="shared", provider="imap", keep=keep, owner=owner
    )
    folder = Folder.objects.create(workspace=workspace, mailbox=mailbox, remote_name="INBOX", name="Inbox")
    seen: Counter[str] = Counter()
    for raw in raws:
        for value in _PEOPLE.findall(raw[: raw.find(b"\r\n\r\n")]):
            seen.update(address.decode().lower() for address in _ADDRESS.findall(value))
    del seen[OWN]
    for address, _ in seen.most_common(records):
        contact = Contact.objects.create(workspace=workspace, name=address)
        ContactAddress.objects.create(workspace=workspace, contact=contact, address=address, key=address)
    return mailbox.pk, folder.pk


def cut(raws: list[bytes], count: int) -> Iterator[list[bytes]]:
    page: list[bytes] = []
    octets = 0
    for raw in raws:
        if page and (len(page) == count or octets + len(raw) > PAGE_OCTETS):
            yield page
            page, octets = [], 0
        page.append(raw)
        octets += len(raw)
    if page:
        yield page


def count_filings() -> int:
    from postroom.filing.models import Filing

    return Filing.objects.count()


def cpu_of(pid: int) -> float:
    """CPU seconds a process of this machine has used; 0 when the server is elsewhere."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
