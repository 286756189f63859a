"""Every failpoint is reached by the code, documented, and does what it is told; without orders it does nothing."""

import errno
import re
import signal
import subprocess
import sys

import psycopg
import pytest

from postroom.engine import driver, failpoints
from postroom.providers.errors import Unreachable
from tests.guards.checkout import ROOT, files
from tests.soak import report

REACHED = re.compile(r'failpoints\.reach\("([a-z_]+)"\)')


@pytest.fixture(autouse=True)
def disarmed() -> object:
    yield
    failpoints.arm("")


def test_every_point_is_reached_in_the_code_and_every_reached_point_is_named() -> None:
    source = [(ROOT / file).read_text() for file in files() if str(file).startswith("src/") and file.suffix == ".py"]
    reached = {point for text in source for point in REACHED.findall(text)}
    reached |= {f"{when}_{step}" for when in ("before", "after") for step in driver.STEPS.values()}
    assert reached == set(failpoints.POINTS)


def test_every_point_is_documented() -> None:
    page = (ROOT / "docs/explanation/faults.md").read_text()
    assert [point for point in failpoints.POINTS if f"`{point}`" not in page] == []


def test_every_fault_that_is_run_has_its_row() -> None:
    page = (ROOT / "docs/explanation/faults.md").read_text()
    assert [number for number in report.EXPECTED if f"\n| {number} | " not in page] == []


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("cut", Unreachable),
        ("db_error", psycopg.errors.SerializationFailure),
        ("deadlock", psycopg.errors.DeadlockDetected),
        ("db_gone", psycopg.OperationalError),
        ("disk_full", OSError),
    ],
)
def test_a_point_fails_at_the_time_it_is_told(action: str, error: type[Exception]) -> None:
    failpoints.arm(f"after_fetch:{action}:2")
    failpoints.reach("after_fetch")
    failpoints.reach("before_fetch")
    with pytest.raises(error) as raised:
        failpoints.reach("after_fetch")
    failpoints.reach("after_fetch")
    if action == "disk_full":
        assert raised.value.errno == errno.ENOSPC  # type: ignore[attr-defined]


def test_a_point_kills_its_process() -> None:
    command = "from postroom.engine import failpoints; failpoints.reach('claimed')"
    done = subprocess.run([sys.executable, "-c", command], env={"POSTROOM_FAIL": "claimed:kill", "PYTHONPATH": "src"})
    assert done.returncode == -signal.SIGKILL


def test_random_faults_come_from_the_seed() -> None:
    def failures(seed: int) -> list[int]:
        failpoints.arm(f"random:{seed}:0.2:cut")
        failed = []
        for number in range(100):
            try:
                failpoints.reach("before_save")
            except Unreachable:
                failed.append(number)
        return failed

    assert failures(1) == failures(1) != failures(2)
    assert 5 < len(failures(3)) < 40


@pytest.mark.parametrize("text", ["nowhere:kill", "claimed", "claimed:explode", "random:1:0.5", "random:1:0.5:explode"])
def test_an_unknown_point_or_action_is_refused(text: str) -> None:
    with pytest.raises(failpoints.UnknownFailpoint):
        failpoints.arm(text)
