"""Logs stay below a size while their writers go on."""

import stat
from pathlib import Path

from postroom.ops import log_files


def test_a_log_is_for_its_user_alone(tmp_path: Path) -> None:
    log_files.open_log(tmp_path / "log" / "web.log").close()
    assert stat.S_IMODE((tmp_path / "log" / "web.log").stat().st_mode) == 0o600


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("12345")
    assert not log_files.rotate_when_full(log, limit_bytes=5)
    assert log.read_text() == "12345"


def test_a_writer_goes_on_in_the_cut_file(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log_files.open_log(log) as writer:
        writer.write(b"before\n")
        writer.flush()
        assert log_files.rotate_when_full(log, limit_bytes=3)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert log.with_name("web.log.1").read_bytes() == b"before\n"


def test_the_oldest_log_goes(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for number in range(6):
        log.write_text(f"{number}" * 10)
        log_files.rotate_when_full(log, limit_bytes=3)
    kept = {file.name: file.read_text()[0] for file in tmp_path.iterdir() if file.stat().st_size}
    assert kept == {"web.log.1": "5", "web.log.2": "4", "web.log.3": "3"}


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert log_files.tail(log, lines=2) == "    line 98\n    line 99"
    assert log_files.tail(tmp_path / "none.log") == ""
