"""Add mailboxes to a database for bench/idle: `python -m bench.idle_seed PORT FIRST COUNT`, as often as wanted.

They lie on a few hosts (127.0.0.1, 127.0.0.2 …): to one, a worker connects slowly (engine/limiter.py).
"""

from __future__ import annotations

import sys

import django

HOSTS = 6


def main() -> None:
    django.setup()
    from django.db import transaction

    from postroom.mailboxes.connect import ConnectRequest, announce_free_mailbox
    from postroom.mailboxes.credentials import store_credentials
    from postroom.mailboxes.models import Mailbox
    from postroom.ops.migrations import ensure_migrated
    from postroom.workspaces.models import User, Workspace
    from postroom.workspaces.setup import create_workspace

    port, first, count = map(int, sys.argv[1:])
    ensure_migrated()
    if not Workspace.objects.exists():
        create_workspace("Bench", "alice@bench.example", "Alice", "correct horse battery staple")
    workspace = Workspace.objects.get()
    with transaction.atomic():
        for number in range(first, first + count):
            address = f"m{number}@bench.example"
            host = f"127.0.0.{1 + number % HOSTS}"
            login = {"host": host, "port": port, "security": "tls", "username": address, "password": "pass"}
            request = ConnectRequest("imap", address, "shared", secrets={"imap": login, "smtp": login})
            mailbox = Mailbox.objects.create(
                workspace=workspace,
                owner=User.objects.get(),
                address=address,
                kind=request.kind,
                provider="imap",
                keep="everything",
            )
            store_credentials(mailbox, request.secrets, sign_in_user=address)
        announce_free_mailbox()


if __name__ == "__main__":
    main()
