"""How fast whole messages come out of a Dovecot through session.fetch, in pages.

    bench/imap_drain.py [--messages 5000] [--page 500] [--generator FILE] [--json]

Starts a private Dovecot, fills a Maildir by the generator of realistic mail, and drains it three times on uvloop.
Ends with one JSON object {messages, mb, msgs_per_s, mb_per_s, cpu_s_per_1000, rss_mb}: the median of the rounds.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent / "src")]

import uvloop  # noqa: E402

from postroom.providers.base import Credentials  # noqa: E402
from postroom.providers.guard import NetworkPolicy  # noqa: E402
from postroom.providers.imap.provider import ImapProvider  # noqa: E402
from tests.servers.certs import make_certificates  # noqa: E402
from tests.servers.dovecot import Dovecot  # noqa: E402

ADDRESS = "bench@example.test"


async def drain(dovecot: Dovecot, page: int, security: str) -> dict[str, Any]:
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    provider = ImapProvider(NetworkPolicy(allowed=loopback, ca_file=dovecot.certificates.ca_file))
    port = dovecot.imaps if security == "tls" else dovecot.imap
    imap = {"host": "127.0.0.1", "port": port, "security": security, "username": ADDRESS, "password": "pass"}
    session = await provider.open(Credentials(ADDRESS, {"imap": imap}))
    messages = octets = 0
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    for folder in await session.list_folders():
        ids = [message.remote_id for message in (await session.list_window(folder.remote_name, None)).messages]
        for first in range(0, len(ids), page):
            for message in await session.fetch(folder.remote_name, ids[first : first + page]):
                messages += 1
                octets += len(message.raw)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    await session.close()
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {
        "messages": messages,
        "mb": round(octets / 1e6, 1),
        "msgs_per_s": round(messages / seconds),
        "mb_per_s": round(octets / 1e6 / seconds),
        "cpu_s_per_1000": round(cpu * 1000 / messages, 4),
        "rss_mb": after.ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--page", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--security", choices=("none", "tls"), default="none")
    parser.add_argument("--generator", type=Path, default=Path("/work/shared/bench/gen.py"))
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="prb-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "certs").mkdir()
    dovecot = Dovecot(
        folder / "dovecot", make_certificates(folder / "certs"), mail_location="maildir:~/Maildir:INBOX=~/Maildir"
    )
    try:
        dovecot.start()
        maildir = folder / "dovecot/mail" / ADDRESS / "Maildir"
        command = [sys.executable, str(options.generator), str(maildir), str(options.messages)]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["chown", "-R", "nobody:nogroup", str(maildir.parent)], check=True)
        uvloop.run(drain(dovecot, options.page, options.security))  # Dovecot writes its index in the first round
        rounds = [uvloop.run(drain(dovecot, options.page, options.security)) for _ in range(options.rounds)]
    finally:
        dovecot.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for one in rounds if not options.json else ():
        print(one)
    result = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
