"""`doctor` names what needs a person."""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from procrastinate.contrib.django import app

from postroom.correspondence.models import Message, Placement
from postroom.mailboxes.models import Folder, Grant, ImportSlice, Mailbox, OAuthApp, Worker
from postroom.mailboxes.sealing import seal_secrets
from postroom.ops.commands.doctor import doctor
from postroom.ops.findings import disk, machine
from postroom.ops.output import Output
from postroom.outbox.models import State, Submission
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox
from tests.contract.store_contract import NOON
from tests.integration.sign_in_place import connected, fake_google
from tests.servers.dns import Dnsmasq


def findings() -> dict[str, dict[str, Any]]:
    stdout = io.StringIO()
    code = doctor(argparse.Namespace(), Output(as_json=True, stdout=stdout, stderr=stdout))
    answer = json.loads(stdout.getvalue())
    found = {finding["name"]: finding for finding in answer["findings"]}
    assert code == (0 if answer["ok"] else 1) and answer["ok"] is all(one["ok"] for one in found.values())
    return found


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


def test_each_mailbox_is_told_with_who_has_to_act(cast: Cast) -> None:
    Worker.objects.create(kind="sessions")
    refused, slow, quiet, paused, forgotten = (
        make_mailbox(cast.bob, f"{name}@own.example") for name in ("refused", "slow", "quiet", "paused", "forgotten")
    )
    ago = timezone.now() - timedelta(hours=3, minutes=1)
    told = {"error_facts": {"host": "imap.own.example", "username": "bob"}, "error_at": ago}
    change: dict[Mailbox, dict[str, Any]] = {
        refused: {"error_code": "sign_in_refused", "needs_reconnect": True, **told},
        slow: {"error_code": "unreachable", **told},
        quiet: {"last_synced_at": timezone.now()},
        paused: {"paused_at": ago},
        forgotten: {"last_synced_at": ago},
    }
    for mailbox, values in change.items():
        Mailbox.objects.filter(pk=mailbox.pk).update(**values)
    found = findings()
    assert {one["mailbox"]: (one["ok"], one["meaning"]) for one in found.values() if "mailbox" in one} == {
        str(refused.pk): (False, "reconnect"),
        str(slow.pk): (False, "slow"),
        str(quiet.pk): (True, None),
        str(paused.pk): (True, None),
        str(forgotten.pk): (False, None),
    }
    said = found["mailbox refused@own.example"]
    assert said["what"].startswith("sign-in for 3 hours: imap.own.example refused") and "Reconnect" in said["what"]
    assert "app password" in said["fix"] and said["owner"] == "bob@tidewater.example"
    assert found["mailbox forgotten@own.example"]["what"] == "nobody has looked at it for 3 hours"


def test_names_that_cannot_be_looked_up_are_told(cast: Cast) -> None:
    assert findings()["dns"]["ok"]
    mailbox = make_mailbox(cast.alice, "a@own.example")
    servers = {"imap": {"host": "127.0.0.1"}, "smtp": {"host": "no such host.invalid"}}
    Grant.objects.filter(mailbox=mailbox).update(sealed=seal_secrets(servers, mailbox.pk, mailbox.workspace_id))
    found = findings()["dns"]
    assert not found["ok"] and found["what"] == "not found: no such host.invalid" and "name is wrong" in found["fix"]


def test_a_name_server_that_is_silent_is_told_apart_from_a_wrong_name(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = make_mailbox(cast.alice, "a@own.example")
    sealed = seal_secrets({"imap": {"host": "imap.example.test"}}, mailbox.pk, mailbox.workspace_id)
    Grant.objects.filter(mailbox=mailbox).update(sealed=sealed)
    monkeypatch.setattr(machine, "LOOK_UP_SECONDS", 1.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("POSTROOM_NAME_SERVER", f"127.0.0.1:{silent.getsockname()[1]}")
        found = findings()["dns"]
    assert not found["ok"] and found["what"] == "the name server gives no answer for imap.example.test"
    assert "POSTROOM_NAME_SERVER" in found["fix"]


def test_names_are_looked_up_where_mail_connections_look_them_up(
    cast: Cast, dnsmasq: Dnsmasq, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = make_mailbox(cast.alice, "a@own.example")
    servers = {"imap": {"host": "imap.example.test"}, "smtp": {"host": "127.0.0.1"}}  # only dnsmasq knows it
    Grant.objects.filter(mailbox=mailbox).update(sealed=seal_secrets(servers, mailbox.pk, mailbox.workspace_id))
    monkeypatch.setenv("POSTROOM_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("POSTROOM_NAME_SERVER", f"127.0.0.1:{dnsmasq.port}")
    assert findings()["dns"]["ok"]


def test_keys_that_open_nothing_are_told(cast: Cast) -> None:
    mailbox = make_mailbox(cast.alice, "a@own.example")
    assert findings()["keys"]["ok"]
    other = seal_secrets({}, new_id(), mailbox.workspace_id)
    Grant.objects.filter(mailbox=mailbox).update(sealed=other)
    assert "1 mailbox(es) cannot be opened" in findings()["keys"]["what"]


@pytest.mark.parametrize(("minutes", "is_right"), [(-30, True), (1, True), (10, False)])
def test_mail_from_the_future_says_that_the_clock_is_behind(cast: Cast, minutes: int, is_right: bool) -> None:
    for number in range(3):
        Placement.objects.create(
            workspace_id=cast.alice.workspace_id,
            mailbox_id=new_id(),
            folder_id=new_id(),
            message_id=new_id(),
            remote_id=str(number),
            flags=[],
            received_at=timezone.now() + timedelta(minutes=minutes),
        )
    found = findings()["clock"]
    assert found["ok"] is is_right
    assert is_right or found["what"] == "10 minutes behind the mail servers'"


def test_a_clock_that_differs_from_the_databases_is_told(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: wrong)
    assert findings()["clock"]["what"] == "60 seconds ahead of the database's"


@pytest.mark.parametrize(("minutes", "words"), [(0, "and Google's"), (20, "20 minutes behind Google's")])
def test_a_clock_that_differs_from_a_providers_is_told(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, minutes: int, words: str
) -> None:
    date = formatdate(time.time() + minutes * 60, usegmt=True)
    monkeypatch.setattr("tests.fakes.served.formatdate", lambda **how: date)
    with fake_google(monkeypatch) as google:
        google.mailbox("ann@own.example")
        connected(cast.bob, "ann@own.example", provider="gmail", refresh_token="r", client_id="c")
        found = findings()["clock"]
    assert words in found["what"] and found["ok"] is not bool(minutes)


def test_a_provider_that_does_not_answer_is_no_finding(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_google(monkeypatch):
        connected(cast.bob, "ann@own.example", provider="gmail", refresh_token="r", client_id="c")
        monkeypatch.setenv("POSTROOM_GOOGLE_KEYS_URL", "http://127.0.0.1:1/")
        found = findings()["clock"]
    assert found["ok"] and "Google" not in found["what"]


def test_a_full_disk_is_told(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LEAST_FREE_BYTES", 10**18)
    assert not findings()["disk"]["ok"]


def test_what_should_have_left_is_told(cast: Cast) -> None:
    mailbox, ago = make_mailbox(cast.alice, "a@own.example"), timezone.now() - timedelta(minutes=11)
    Submission.objects.create(
        workspace=mailbox.workspace, mailbox=mailbox, state=State.QUEUED, from_address="a", mime=b"", send_at=ago
    )
    assert findings()["sending"]["what"] == "1 message(s) should have left long ago"


def test_jobs_that_nobody_takes_are_told(cast: Cast) -> None:
    job = app.configure_task("note_health", schedule_at=timezone.now() - timedelta(minutes=11), queue="light")
    job.defer(timestamp=0)
    assert findings()["jobs"]["what"] == "1 wait for more than ten minutes"


def test_a_registration_that_ends_is_told(cast: Cast) -> None:
    OAuthApp.objects.create(
        workspace=cast.alice.workspace, provider="outlook", secret_expires_on=timezone.now().date() + timedelta(days=9)
    )
    found = findings()["registrations"]
    assert not found["ok"] and "Tidewater Bikes at Microsoft has a secret that ends on" in found["what"]


@pytest.mark.parametrize(
    ("environment", "name", "said"),
    [
        ({"DATABASE_URL": "secret-nonsense"}, "settings", "DATABASE_URL is not an address"),
        ({"POSTROOM_NAME_SERVER": "dns.example"}, "settings", "POSTROOM_NAME_SERVER"),
        ({"POSTROOM_SECRET_KEYS_FILE": "/nowhere/keys.json"}, "data folder", "/nowhere/keys.json"),
    ],
)
def test_what_keeps_it_from_looking_is_a_finding_too(
    tmp_path: Path, environment: dict[str, str], name: str, said: str
) -> None:
    whole = os.environ | {"POSTROOM_DATA": str(tmp_path), "DATABASE_URL": "postgresql://u@127.0.0.1:1/x"} | environment
    command = [sys.executable, "-m", "postroom.ops.cli", "doctor", "--json"]
    ended = subprocess.run(command, env=whole, capture_output=True, text=True, timeout=60)
    told = json.loads(ended.stdout)["findings"]
    assert ended.returncode == 1 and [(one["name"], one["ok"]) for one in told] == [(name, False), ("disk", True)]
    assert said in told[0]["what"] and told[0]["fix"] and "secret-nonsense" not in ended.stdout + ended.stderr


def test_without_a_database_it_says_so_and_looks_at_the_disk(tmp_path: Path) -> None:
    environment = {"POSTROOM_DATA": str(tmp_path), "DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}
    command = [sys.executable, "-m", "postroom.ops.cli", "doctor", "--json"]
    ended = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    found = json.loads(ended.stdout)
    assert ended.returncode == 1 and found["ok"] is False
    assert [(one["name"], one["ok"]) for one in found["findings"]] == [("database", False), ("disk", True)]
    assert "Connection refused" in found["findings"][0]["what"] and "DATABASE_URL" in found["findings"][0]["fix"]
