"""Files leave piece by piece, by ASGI too."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path

import pytest
from django.http import FileResponse

from postroom.correspondence.streamed_file import StreamedFile


async def pieces_by_asgi(response: FileResponse) -> list[bytes]:
    return [piece async for piece in response]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(range(256)) * 4_000)
    return path


def test_a_file_leaves_in_pieces_by_asgi(file: Path) -> None:
    opened = file.open("rb")
    response = StreamedFile(opened, as_attachment=True, filename="film.mp4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Django warns when it has read all of a file first
        pieces = asyncio.run(pieces_by_asgi(response))
    assert b"".join(pieces) == file.read_bytes()
    assert max(map(len, pieces)) == StreamedFile.block_size
    assert response["Content-Length"] == str(file.stat().st_size)
    response.close()
    assert opened.closed


def test_a_file_leaves_in_pieces_by_wsgi(file: Path) -> None:
    response = StreamedFile(file.open("rb"))
    assert b"".join(response) == file.read_bytes()
    response.close()
