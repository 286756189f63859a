"""How long the first import of a mailbox takes, beside mbsync on the same server in the same minutes.

Rounds are interleaved and medians compared, because the machine is never quiet: mbsync onto tmpfs (its real speed),
then Postroom into a new database, and at the end mbsync as it is shipped (a Maildir on disk, fsync). A round counts
only if every message was kept, filed and threaded as the corpus says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from statistics import median

from bench import corpus
from bench.corpus import CACHE, Corpus, Person
from bench.dovecot import Dovecot, dovecot
from bench.mbsync import TMPFS, MbsyncRun, run_mbsync
from bench.rig import DATABASES, ImportRun, postroom

IMPORTERS = 2
SHORT_MESSAGES, SHORT_ROUNDS = 2_000, 1


class WrongImport(Exception):
    """Rows are missing or too many: the time of this round means nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    mailbox = corpus.cached(options.messages)
    people, belonging = mailbox.belonging(options.belong)
    peer: list[MbsyncRun] = []
    ours: dict[str, list[ImportRun]] = {kind: [] for kind in options.databases}
    with dovecot(mailbox.maildir) as server:
        for number in range(options.rounds):
            if not options.alone:
                peer.append(run_mbsync(server.imap, options.messages, within=TMPFS, fsync=False))
                print(f"round {number + 1}  {_described_peer('onto tmpfs', peer[-1])}")
            for kind, runs in ours.items():
                runs.append(_import(kind, server, mailbox, people, belonging, keeps_all=options.belong >= 1))
                print(f"round {number + 1}  {_described(kind, runs[-1])}")
        shipped = None if options.alone else run_mbsync(server.imap, options.messages, within=CACHE, fsync=True)
    if shipped is not None:
        print(f"once     {_described_peer('as shipped', shipped)}")
    results = {kind: _result(mailbox, runs, peer, shipped) for kind, runs in ours.items()}
    for kind, result in results.items():
        print(f"{kind}: " + ", ".join(f"{name} {value}" for name, value in result.items()))
    if options.json:
        first, *others = results
        more = {"databases": results} if others else {}
        print(json.dumps({**results[first], "database": first, "belong": options.belong, **more}))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/first_import", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--belong", type=float, default=1.0, help="share of the messages that belong to records")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="embedded")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without mbsync, for mailboxes larger than a tmpfs")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_MESSAGES} messages, {SHORT_ROUNDS} round")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on the last line")
    options = parser.parse_args(arguments)
    options.databases = DATABASES if options.database == "both" else (options.database,)
    if options.short:
        options.messages, options.rounds = SHORT_MESSAGES, SHORT_ROUNDS
    return options


def _import(
    kind: str, server: Dovecot, mailbox: Corpus, people: Sequence[Person], belonging: int, *, keeps_all: bool
) -> ImportRun:
    keep = "everything" if keeps_all else "records"
    with postroom(kind) as installation, installation.seeding(people, imap_port=server.imap, keep=keep) as seeding:
        installation.start("worker", *["importer"] * IMPORTERS)
        timeout_seconds = 60 + mailbox.messages / 100
        run = installation.import_mailbox(seeding, kept=belonging, timeout_seconds=timeout_seconds)
    threads = len(mailbox.threads) if keeps_all else run.threads
    wanted = (mailbox.messages, belonging, belonging, threads)
    if (run.listed, run.kept, run.filed, run.threads) != wanted:
        raise WrongImport(f"listed, kept, filed, threads should be {wanted}: {run}")
    return run


def _described_peer(how: str, run: MbsyncRun) -> str:
    return f"mbsync {how}  {run.seconds:6.2f} s  CPU {run.cpu_seconds:.2f} s"


def _described(kind: str, run: ImportRun) -> str:
    return (
        f"Postroom, {kind:<9}{run.seconds:6.2f} s  CPU {run.cpu_seconds:.2f} s ("
        + ", ".join(f"{part} {seconds:.2f}" for part, seconds in run.cpu.items())
        + ")"
        f"  importer {run.importer_rss_mb:.0f} MB, worker {run.worker_rss_mb:.0f} MB"
        f"  kept {run.kept}, filed {run.filed}, threads {run.threads}"
    )


def _result(
    mailbox: Corpus, runs: Sequence[ImportRun], peer: Sequence[MbsyncRun], shipped: MbsyncRun | None
) -> dict[str, float]:
    """The keys of DESIGN.md 12. A ratio is the peer's time divided by ours."""
    ours = median(run.seconds for run in runs)
    result = {
        "messages": mailbox.messages,
        "kept": runs[-1].kept,
        "filed": runs[-1].filed,
        "postroom_s": round(ours, 2),
        "cpu_s_per_1000": round(median(run.cpu_seconds for run in runs) * 1000 / mailbox.messages, 3),
        "rss_mb": round(max(max(run.importer_rss_mb, run.worker_rss_mb) for run in runs)),
    }
    if shipped is not None:
        tmpfs = median(run.seconds for run in peer)
        result |= {
            "mbsync_tmpfs_s": round(tmpfs, 2),
            "ratio_mbsync_tmpfs": round(tmpfs / ours, 3),
            "mbsync_shipped_s": round(shipped.seconds, 2),
            "ratio_mbsync_shipped": round(shipped.seconds / ours, 3),
        }
    return result


if __name__ == "__main__":
    sys.exit(main())
