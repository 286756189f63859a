"""The short way of a second start is taken only when nothing changed."""

from pathlib import Path

import psycopg
import pytest

from postroom.ops import prepared
from postroom.ops.data_folder import DataFolder


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.prepare()
    (made.path / "static").mkdir()
    return made


def test_a_new_folder_is_not_prepared(folder: DataFolder, database_url: str) -> None:
    assert not prepared.is_prepared(folder, database_url)


def test_what_was_remembered_is_prepared(folder: DataFolder, database_url: str) -> None:
    prepared.remember(folder, database_url)
    assert prepared.is_prepared(folder, database_url)


def test_lost_static_files_are_made_again(folder: DataFolder, database_url: str) -> None:
    prepared.remember(folder, database_url)
    (folder.path / "static").rmdir()
    assert not prepared.is_prepared(folder, database_url)


def test_a_database_with_other_migrations_is_not_prepared(folder: DataFolder, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('web', '0099_x', now())")
        connection.commit()
        prepared.remember(folder, database_url)
        assert prepared.is_prepared(folder, database_url)
        connection.execute("DELETE FROM django_migrations WHERE name = '0099_x'")
        connection.commit()
    assert not prepared.is_prepared(folder, database_url)


def test_a_database_without_tables_is_not_prepared(folder: DataFolder, database_url: str, database_server: str) -> None:
    prepared.remember(folder, database_url)
    assert not prepared.is_prepared(folder, database_server)
