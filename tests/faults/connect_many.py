"""Connect mailboxes of one Dovecot in a running Postroom: HOST PORT ADDRESS… ; everybody's password is "pass"."""

from __future__ import annotations

import sys

import django


def main() -> None:
    django.setup()
    from postroom.mailboxes.connect import ConnectRequest, store_mailbox
    from postroom.workspaces.setup import create_workspace

    host, port, *addresses = sys.argv[1:]
    member = create_workspace("Faults", "owner@example.test", "Owner", "correct horse battery staple")
    for address in addresses:
        login = {"host": host, "port": int(port), "security": "tls", "username": address, "password": "pass"}
        secrets = {"imap": login, "smtp": login}
        store_mailbox(member, ConnectRequest("imap", address, "shared", secrets=secrets))


if __name__ == "__main__":
    main()
