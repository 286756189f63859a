"""The private PostgreSQL: starts again after every way of dying, closed to everybody else, gone with its parent."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from postroom.ops.data_folder import DataFolder, Running
from postroom.ops.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, ensure_running

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(tmp_path / "postgres", settings=FAST)
    yield made
    made.stop(timeout_seconds=1)


def ask(server: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(server.dsn) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def wait_for(is_so: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Ended; perhaps a zombie that init has not yet reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_was_written_is_there_after_a_restart(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE letter AS SELECT 'Grüße' AS text")
    server.stop()
    assert not server.is_running
    server.start()
    assert ask(server, "SELECT text FROM letter") == "Grüße"


def test_case_is_folded_without_a_locale_of_the_system(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.none")
    monkeypatch.setenv("LANG", "C")
    server.start()
    assert ask(server, "SELECT lower('ÄÖÜ')") == "äöü"


def test_the_extensions_of_the_search_are_there(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent")
        assert connection.execute("SELECT unaccent('é')").fetchone() == ("e",)


def test_no_port_is_open_and_nobody_else_may_enter(server: EmbeddedPostgres) -> None:
    server.start()
    assert ask(server, "SHOW listen_addresses") == ""
    for folder in (server.home, server.cluster, server.socket_folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in server.home.rglob("*"):
        assert file.stat().st_uid == os.geteuid()
        assert file.is_symlink() or not stat.S_IMODE(file.stat().st_mode) & 0o077, file


def test_no_folder_above_is_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed" / "more"
    closed.mkdir(parents=True)
    closed.chmod(0o700)
    closed.parent.chmod(0o700)
    with EmbeddedPostgres(closed / "postgres", settings=FAST) as server:
        assert ask(server, "SELECT 1") == 1
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (closed, closed.parent)] == [0o700, 0o700]


def test_pgport_in_the_environment_changes_nothing(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_deep_folder_gets_a_short_private_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = tmp_path / ("a folder, with spaces and a comma " * 3).strip() / "postgres"
    with EmbeddedPostgres(deep, settings=FAST) as server:
        assert ask(server, "SELECT 1") == 1
        assert server.socket_folder.parent == tmp_path
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700


def test_a_socket_folder_that_somebody_laid_out_for_us_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    server = EmbeddedPostgres(tmp_path / ("deep" * 30) / "postgres", settings=FAST)
    (tmp_path / "elsewhere").mkdir()
    server.socket_folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmbeddedPostgresError, match="not a folder of this user"):
        server.start()


def test_a_comma_in_the_path_is_no_second_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with EmbeddedPostgres(tmp_path / 'a, "b"', settings=FAST) as server:
        assert ask(server, "SELECT 1") == 1


def test_a_second_server_on_the_folder_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    with pytest.raises(EmbeddedPostgresError, match="Another process runs the database"):
        EmbeddedPostgres(server.home).start()
    assert ask(server, "SELECT 1") == 1


def test_a_killed_server_starts_again(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: not server.is_running)
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_pid_file_with_somebody_elses_pid_is_removed(server: EmbeddedPostgres) -> None:
    server.start()
    pid_file = server.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        server.start()
        assert ask(server, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_creation_starts_over(server: EmbeddedPostgres) -> None:
    unfinished = server.home / "cluster.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_database_of_another_version_is_told_and_left_alone(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match="written by PostgreSQL 17"):
        server.start()
    assert (server.cluster / "base").exists()


def test_a_server_that_cannot_start_shows_its_log(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    broken = EmbeddedPostgres(server.home, settings={"no_such_setting": "1"})
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        broken.start()
    server.start()  # the failed one gave the lock back
    assert ask(server, "SELECT 1") == 1


RUNS_A_SERVER = """
import sys, time
from pathlib import Path
from postroom.ops.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"})
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_the_server_ends_cleanly_when_its_parent_is_killed(server: EmbeddedPostgres) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNS_A_SERVER, str(server.home)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
    if sys.platform.startswith("linux"):  # elsewhere the next start ends the orphan
        wait_for(lambda: is_gone(pid))
        assert "database system is shut down" in server.log.read_text()
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_an_orphan_is_ended_by_the_next_start(server: EmbeddedPostgres) -> None:
    server.start()
    orphan = server._process
    assert orphan is not None
    server._process = None  # as if we were another run, on a system without PR_SET_PDEATHSIG
    server.start()
    assert orphan.wait(1) == 0
    assert ask(server, "SELECT 1") == 1


def test_a_command_starts_the_database_for_its_own_duration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    folder = DataFolder(tmp_path / "data")
    with ensure_running(folder) as dsn, psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    folder.take(wait_seconds=0)
    folder.release()


def test_a_command_uses_the_database_that_runs(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    up = DataFolder(tmp_path / "data")
    up.prepare()
    up.take()
    up.announce(Running(os.getpid(), "postgresql://running"))
    with ensure_running(DataFolder(up.path)) as dsn:
        assert dsn == "postgresql://running"
    up.release()


def test_database_url_wins_over_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    with ensure_running(DataFolder(tmp_path / "data")) as dsn:
        assert dsn == "postgresql://elsewhere"
    assert not (tmp_path / "data").exists()
