"""What cannot be used is said before anything is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", [["postroom.ops.up"], ["postroom.ops.cli", "doctor"]])
@pytest.mark.parametrize("setting", [("POSTROOM_ALLOWED_NETWORKS", "banana"), ("POSTROOM_CA_FILE", "/nope")])
def test_an_unfit_setting_is_one_sentence_and_exit_1(
    tmp_path: Path, command: list[str], setting: tuple[str, str]
) -> None:
    environment = {**os.environ, setting[0]: setting[1], "POSTROOM_DATA": str(tmp_path / "data")}
    run = subprocess.run([sys.executable, "-m", *command], env=environment, capture_output=True, text=True, timeout=20)
    said = run.stdout + run.stderr
    assert run.returncode == 1 and setting[0] in said and setting[1] in said
    assert "Traceback" not in said
    assert not (tmp_path / "data" / "postgres").exists()
