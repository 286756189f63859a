"""Migrate an empty database and connect mailboxes of the memory provider: FOLDER ADDRESS…"""

from __future__ import annotations

import sys

import django


def main() -> None:
    django.setup()
    from postroom.mailboxes.connect import ConnectRequest, store_mailbox
    from postroom.ops.migrations import ensure_migrated
    from postroom.workspaces.setup import create_workspace

    folder, *addresses = sys.argv[1:]
    ensure_migrated()
    member = create_workspace("Faults", "owner@example.test", "Owner", "correct horse battery staple")
    for address in addresses:
        store_mailbox(member, ConnectRequest("memory", address, "shared", secrets={"folder": folder}))


if __name__ == "__main__":
    main()
