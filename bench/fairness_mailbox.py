"""Connect the small mailbox of bench/fairness: `python -m bench.fairness_mailbox JSON`, after bench.seed."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from postroom.mailboxes.connect import ConnectRequest, store_mailbox
    from postroom.workspaces.members import find_member
    from postroom.workspaces.models import User

    member = find_member(User.objects.get())
    assert member is not None
    wanted = json.loads(sys.argv[1])
    store_mailbox(member, ConnectRequest("imap", wanted["address"], "shared", secrets=wanted["secrets"]))


if __name__ == "__main__":
    main()
