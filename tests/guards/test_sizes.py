"""Files stay small enough to be held in mind. STYLE.md: look again at 400 lines."""

from pathlib import Path

from tests.guards.checkout import ROOT, files

LIMIT = 400
KINDS = {".py", ".css", ".js", ".html", ".sh"}

# File -> why it is right as it is, after a second look.
LONGER: dict[str, str] = {}


def lines(file: Path) -> int:
    return len((ROOT / file).read_text().splitlines())


def test_no_file_is_too_long() -> None:
    ours = [file for file in files() if file.suffix in KINDS and "migrations" not in file.parts]
    assert len(ours) > 50
    too_long = {str(file): lines(file) for file in ours if str(file) not in LONGER and lines(file) > LIMIT}
    assert too_long == {}


def test_the_list_of_longer_files_is_not_longer_than_needed() -> None:
    assert [file for file in LONGER if not (ROOT / file).exists() or lines(Path(file)) <= LIMIT] == []
