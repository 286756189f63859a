"""The command line: what it prints where, how it ends, and that it needs no running server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postroom import __version__
from postroom.api.auth import find_member_of
from postroom.mailboxes.models import Mailbox
from postroom.ops import cli
from postroom.workspaces.models import Membership, User, Workspace
from tests.cast import Cast, make_mailbox

PASSWORD = "correct horse battery staple"
SERVERS = ["--imap-host", "127.0.0.1", "--imap-port", "1", "--smtp-host", "127.0.0.1", "--smtp-port", "1"]

Ran = tuple[int, str, str]
Run = Callable[..., Ran]


@pytest.fixture
def run(db: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: (exit code, stdout, stderr)."""

    def command(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        options = cli.parser().parse_args(arguments)
        # Not main(): it would set up and close the database of the test.
        code = cli.answer(options.run, options, cli.Output(as_json=options.json))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def document(ran: Ran) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran[1])
    return found


def test_init_makes_the_workspace_once(run: Run) -> None:
    words = ["init", "--workspace", "Tidewater", "--email", "Alice@Tidewater.example", "--password-stdin"]
    code, out, _ = run(*words, stdin=f"{PASSWORD}\n")
    assert (code, "Tidewater" in out) == (0, True)
    assert Membership.objects.get().role == "owner"
    assert User.objects.get().check_password(PASSWORD)
    code, out, err = run(*words, stdin=f"{PASSWORD}\n")
    assert (code, out) == (1, "")
    assert "user create" in err
    assert Workspace.objects.count() == 1


@pytest.mark.parametrize("stdin", ["", "\n", "short\n", "with\0nul and length\n"])
def test_a_password_that_cannot_be_used_makes_nothing(stdin: str, run: Run) -> None:
    code, out, err = run("init", "--workspace", "T", "--email", "a@b.example", "--password-stdin", stdin=stdin)
    assert (code, out, bool(err)) == (1, "", True)
    assert not User.objects.exists()


def test_a_member_is_added(run: Run, cast: Cast) -> None:
    words = ["user", "create", "--email", "dora@tidewater.example", "--role", "admin", "--password-stdin", "--json"]
    code, _, err = run(*words, stdin=f"{PASSWORD}\n")
    assert (code, "--workspace" in err) == (1, True)  # the cast has two workspaces
    ran = run(*words, "--workspace", "Tidewater Bikes", stdin=f"{PASSWORD}\n")
    assert document(ran)["role"] == "admin"
    again = run(*words, "--workspace", "Tidewater Bikes", stdin=f"{PASSWORD}\n")
    assert (again[0], document(again)["ok"]) == (1, False)


def test_a_token_is_printed_alone_and_works(run: Run, cast: Cast) -> None:
    code, out, err = run("token", "create", "--email", "bob@tidewater.example")
    assert (code, err, out.count("\n")) == (0, "", 1)
    found = find_member_of(out.strip())
    assert found is not None
    assert found.user == cast.bob.user
    code, out, err = run("token", "create", "--email", "nobody@tidewater.example")
    assert (code, out, "nobody@" in err) == (1, "", True)


def test_a_failed_check_says_what_to_do_and_stores_nothing(run: Run, cast: Cast) -> None:
    words = ["--address", "sales@tidewater.example", *SERVERS, "--password-stdin"]
    code, out, err = run("mailbox", "check", *words, stdin="hunter2-secret\n")
    assert code == 1
    assert "FAIL imap" in out and "Who can fix it: " in out and "/help/" in out
    assert "hunter2" not in out + err
    ran = run("mailbox", "connect", *words, "--owner", "alice@tidewater.example", "--json", stdin="hunter2-secret\n")
    assert (ran[0], document(ran)["ok"]) == (1, False)
    failed = [step for step in document(ran)["steps"] if not step["ok"]]
    assert failed and all(step["fix"] and step["who"] for step in failed)
    assert all(step["docs"].endswith(f"/help/{step['code']}/") for step in failed)
    assert not Mailbox.objects.exists()


def test_mailboxes_are_listed(run: Run, cast: Cast) -> None:
    make_mailbox(cast.alice, "alice@tidewater.example", kind="personal")
    make_mailbox(cast.alice, "sales@tidewater.example")
    assert [one["address"] for one in document(run("mailbox", "list", "--json"))["mailboxes"]] == [
        "alice@tidewater.example",
        "sales@tidewater.example",
    ]
    assert "connecting" in run("mailbox", "list")[1]
    only = document(run("mailbox", "list", "--json", "--email", "bob@tidewater.example"))
    assert [one["address"] for one in only["mailboxes"]] == ["sales@tidewater.example"]


def test_sync_refuses_a_mailbox_that_is_not_there(run: Run, cast: Cast) -> None:
    code, out, err = run("sync", "--once", "--mailbox", "nobody@tidewater.example")
    assert (code, out, "nobody@" in err) == (1, "", True)


def test_doctor_finds_the_missing_worker(run: Run) -> None:
    ran = run("doctor", "--json")
    findings = {one["name"]: one["ok"] for one in document(ran)["findings"]}
    assert ran[0] == 1
    assert (findings["database"], findings["worker"], findings["keys"]) == (True, False, True)


@pytest.mark.parametrize(
    "words", [[], ["nothing"], ["init"], ["sync"], ["mailbox", "connect", "--address", "a@b.example", "--days", "366"]]
)
def test_wrong_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_version_needs_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_a_command_runs_alone_on_a_new_data_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"POSTROOM_DATA": str(tmp_path / "data"), "PYTHONPATH": "src"}

    def postroom(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "postroom.ops.cli", *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment, timeout=120)

    made = postroom(
        "init", "--workspace", "T", "--email", "a@b.example", "--password-stdin", "--json", stdin=f"{PASSWORD}\n"
    )
    assert (made.returncode, json.loads(made.stdout)["ok"]) == (0, True), made.stderr
    token = postroom("token", "create", "--email", "a@b.example")
    assert (token.returncode, token.stdout.startswith("postroom_")) == (0, True), token.stderr
