"""Forks processes that ask for a mailbox's access token at the same moment: MAILBOX_ID HOW_MANY. Prints each answer."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from uuid import UUID

import django


def main() -> None:
    django.setup()
    from postroom.mailboxes.credentials import load_credentials
    from postroom.mailboxes.models import Mailbox

    mailbox_id, racers = UUID(sys.argv[1]), int(sys.argv[2])
    starts_at = time.monotonic() + 1.0
    for _ in range(racers):
        if os.fork() == 0:  # from a clean state: no thread, no connection yet
            try:
                tokens = load_credentials(Mailbox.objects.get(pk=mailbox_id)).tokens
                assert tokens is not None
                time.sleep(max(0.0, starts_at - time.monotonic()))
                os.write(1, asyncio.run(tokens.access_token()).encode() + b"\n")
            finally:
                os._exit(0)
    for _ in range(racers):
        os.wait()


if __name__ == "__main__":
    main()
