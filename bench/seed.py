"""Fill an empty database for a benchmark: `python -m bench.seed`, a child of the rig, so that settings are read afresh.

stdin, first line: {"people": [[name, address], …], "mailbox": {ConnectRequest's arguments}}. It migrates, makes the
workspace and the contacts, and prints {"ready": true}. On an empty second line it stores the mailbox, which starts the
import, and prints {"mailbox": id, "contacts": {address: id}, "cookie": the cookie of a session that is signed in,
"token": for the API}.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import django

EMAIL, PASSWORD = "alice@bench.example", "correct horse battery staple"


def main() -> int:
    wanted = json.loads(sys.stdin.readline())
    django.setup()
    from django.conf import settings
    from django.test import Client

    from postroom.mailboxes.connect import ConnectRequest, store_mailbox
    from postroom.ops import prepare
    from postroom.ops.migrations import ensure_migrated
    from postroom.workspaces.models import ApiToken
    from postroom.workspaces.setup import create_workspace

    with redirect_stdout(None):
        ensure_migrated()
        prepare.collect_static(Path(settings.STATIC_ROOT))
    member = create_workspace("Bench", EMAIL, "Alice", PASSWORD)
    contacts = _make_contacts(member.workspace, wanted["people"])
    _tell(ready=True)
    sys.stdin.readline()
    mailbox = store_mailbox(member, ConnectRequest(**wanted["mailbox"]))
    browser = Client()
    browser.force_login(member.user, settings.AUTHENTICATION_BACKENDS[0])
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    _, token = ApiToken.issue(member.membership, "bench")
    _tell(mailbox=str(mailbox.pk), contacts=contacts, cookie=cookie, token=token)
    return 0


def _make_contacts(workspace: Any, people: list[tuple[str, str]]) -> dict[str, str]:
    from postroom.mail.address import address_key
    from postroom.records.models import Contact, ContactAddress

    contacts = [Contact(workspace=workspace, name=name) for name, _ in people]
    Contact.objects.bulk_create(contacts)
    ContactAddress.objects.bulk_create(
        ContactAddress(workspace=workspace, contact=contact, address=address, key=address_key(address))
        for contact, (_, address) in zip(contacts, people, strict=True)
    )
    return {address: str(contact.pk) for contact, (_, address) in zip(contacts, people, strict=True)}


def _tell(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    sys.exit(main())
