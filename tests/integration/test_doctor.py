"""`doctor` names what needs a person."""

from __future__ import annotations

import argparse
import io
import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from postroom.correspondence.models import Message
from postroom.mailboxes.models import Folder, ImportSlice, Mailbox, Worker
from postroom.ops.commands.doctor import doctor
from postroom.ops.output import Output
from tests.cast import Cast, make_mailbox
from tests.contract.store_contract import NOON


def findings() -> dict[str, dict[str, Any]]:
    stdout = io.StringIO()
    doctor(argparse.Namespace(), Output(as_json=True, stdout=stdout, stderr=stdout))
    return {found["name"]: found for found in json.loads(stdout.getvalue())["findings"]}


def plan_slice(mailbox: Mailbox, folder: Folder, **values: Any) -> ImportSlice:
    return ImportSlice.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, folder=folder, position=0, remote_ids=["1"], sizes=[1], **values
    )


def test_a_quiet_installation_needs_nobody(cast: Cast) -> None:
    Worker.objects.create(kind="sessions")
    make_mailbox(cast.alice, "a@own.example")
    found = findings()
    assert [name for name, finding in found.items() if not finding["ok"]] == []
    assert found["imports"]["what"] == "0 importers, 0 open slices"
    assert found["messages"]["what"] == "all could be read"


def test_it_names_what_failed_and_what_asks(cast: Cast) -> None:
    mailbox = make_mailbox(cast.alice, "a@own.example")
    since = timezone.now() - timedelta(hours=25, minutes=1)
    Mailbox.objects.filter(pk=mailbox.pk).update(error_code="unreachable", failing_since=since)
    folder = Folder.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, remote_name="INBOX", name="Inbox", held_code="mass_deletion"
    )
    plan_slice(mailbox, folder)
    found = findings()
    assert found["worker"]["ok"] is False
    assert found["mailboxes"]["what"] == "a@own.example (unreachable for 25 hours)"
    assert found["questions"]["what"] == "Inbox of a@own.example (mass_deletion)"
    assert found["imports"] == {
        "name": "imports",
        "ok": False,
        "what": "0 importers, 1 open slices, the oldest for 0 seconds",
        "fix": "Start Postroom with bin/up.",
    }
    Worker.objects.create(kind="imports")
    assert findings()["imports"]["ok"]
    plan_slice(mailbox, folder, failures=3)
    assert not findings()["imports"]["ok"] and "1 of them broken" in findings()["imports"]["what"]


def test_messages_without_their_text_are_counted(cast: Cast) -> None:
    texts = dict.fromkeys(("internet_message_id", "from_name", "from_address", "subject", "snippet"), "")
    own = cast.alice.workspace_id
    ids = {"workspace_id": own, "thread_id": own, "identity": own, "ref": own}
    Message.objects.create(
        **ids, **texts, direction=1, at=NOON, size=1, attachment_count=0, is_readable=False, problem="unreadable"
    )
    assert findings()["messages"] == {"name": "messages", "ok": True, "what": "1 kept without their text"}
