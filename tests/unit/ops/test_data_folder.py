"""The data folder's rights, keys and lock."""

import base64
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from postroom.ops import data_folder
from postroom.ops.data_folder import DataFolder, DataFolderError, DataFolderInUse, Running


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.prepare()
    return made


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def pretend_database(folder: DataFolder) -> None:
    (folder.postgres / "cluster").mkdir(parents=True)


def test_the_folder_is_for_its_user_alone(folder: DataFolder) -> None:
    assert mode(folder.path) == 0o700


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    DataFolder(tmp_path).prepare()
    assert mode(tmp_path) == 0o700


def test_a_file_in_the_folders_place_is_an_error_with_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataFolderError, match="cannot be used"):
        DataFolder(tmp_path / "data").prepare()


def test_postroom_data_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    assert data_folder.path() == tmp_path


def test_without_postroom_data_the_folder_is_in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSTROOM_DATA")
    assert data_folder.path() == Path(__file__).resolve().parents[3] / "var" / "data"


def test_keys_are_made_once_and_stay(folder: DataFolder) -> None:
    folder.make_secrets()
    first = data_folder.secret_key(folder.path), data_folder.sealing_keys(folder.path)
    folder.make_secrets()
    assert (data_folder.secret_key(folder.path), data_folder.sealing_keys(folder.path)) == first
    assert [mode(file) for file in (folder.path / "secret").iterdir()] == [0o600, 0o600]


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    assert data_folder.secret_key(tmp_path / "a") != data_folder.secret_key(tmp_path / "b")
    first, second = data_folder.sealing_keys(tmp_path / "a"), data_folder.sealing_keys(tmp_path / "b")
    assert set(first.keys.values()).isdisjoint(second.keys.values())


def test_keys_do_not_show_in_a_repr(folder: DataFolder) -> None:
    keys = data_folder.sealing_keys(folder.path)
    assert repr(keys) == f"SealingKeys(current={keys.current!r})"


@pytest.mark.parametrize("name", ["django-secret-key", "sealing-keys.json"])
def test_a_key_that_is_missing_beside_a_database_is_never_replaced(folder: DataFolder, name: str) -> None:
    folder.make_secrets()
    pretend_database(folder)
    (folder.path / "secret" / name).unlink()
    with pytest.raises(DataFolderError, match=f"{name} is missing"):
        folder.make_secrets()
    assert not (folder.path / "secret" / name).exists()


def test_a_new_host_on_a_filled_database_needs_the_old_keys(folder: DataFolder) -> None:
    with pytest.raises(DataFolderError, match="Copy the file"):
        folder.make_secrets(database_is_new=False)
    assert not (folder.path / "secret").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"current": "a", "keys": {}}',
        '{"current": "a", "keys": {"a": "not base64!"}}',
        json.dumps({"current": "a", "keys": {"a": base64.b64encode(b"short").decode()}}),
    ],
)
def test_a_damaged_key_file_is_told_and_kept(folder: DataFolder, content: str) -> None:
    file = folder.path / "secret" / "sealing-keys.json"
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(DataFolderError, match="damaged"):
        data_folder.sealing_keys(folder.path)
    assert file.read_text() == content


def test_a_key_file_named_by_the_environment_is_read(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"current": "k", "keys": {"k": base64.b64encode(bytes(range(32))).decode()}}))
    monkeypatch.setenv("POSTROOM_SECRET_KEYS_FILE", str(file))
    assert data_folder.sealing_keys(folder.path).keys == {"k": bytes(range(32))}


def test_a_key_file_named_by_the_environment_is_not_made(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_SECRET_KEYS_FILE", str(tmp_path / "typo.json"))
    with pytest.raises(DataFolderError, match="does not exist"):
        data_folder.sealing_keys(folder.path)


def test_one_folder_is_run_by_one_process(folder: DataFolder) -> None:
    folder.take()
    with pytest.raises(DataFolderInUse):
        DataFolder(folder.path).take(wait_seconds=0)
    folder.release()
    other = DataFolder(folder.path)
    other.take(wait_seconds=0)
    other.release()


def test_others_see_what_runs_until_it_ends(folder: DataFolder) -> None:
    running = Running(pid=1, database_url="postgresql://u:secret@h/d", url="http://localhost:8000")
    other = DataFolder(folder.path)
    assert other.running() is None
    folder.take()
    folder.announce(running)
    assert other.running() == running
    assert mode(folder.run_file) == 0o600
    with pytest.raises(DataFolderInUse) as refused:
        other.take(wait_seconds=0)
    assert refused.value.running == running
    folder.release()
    assert other.running() is None


def test_what_a_killed_process_said_is_not_believed(folder: DataFolder) -> None:
    killed = """
import os, sys
from pathlib import Path
from postroom.ops.data_folder import DataFolder, Running
folder = DataFolder(Path(sys.argv[1])); folder.take(); folder.announce(Running(os.getpid(), "x", "http://y"))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", killed, str(folder.path)]).returncode == -9
    assert folder.run_file.exists()
    assert folder.running() is None
    folder.take(wait_seconds=0)
    assert not folder.run_file.exists()
    folder.release()
