"""Every fault of tests/soak with twenty seeds, and the model for a moment: the short form of bin/soak."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.soak.faults import FAULTS
from tests.soak.model import run_model
from tests.soak.results import Fault
from tests.soak.rig import Rig, running_rig

SEEDS = 20


@pytest.fixture(scope="module")
def rig(dovecot: Dovecot) -> Iterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="prs-", dir="/tmp"))
    with running_rig(folder, dovecot) as rig:
        yield rig
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.number}-{fault.run.__name__}")
def test_a_fault_loses_and_doubles_nothing(rig: Rig, fault: Fault) -> None:
    results = list(fault.run(rig, range(SEEDS)))
    assert len(results) == SEEDS
    assert [result for result in results if not result.is_good] == [], rig.log_end()


@pytest.mark.parametrize("server", ["dovecot", "cyrus"])
def test_random_clients_and_random_faults_end_in_what_the_server_has(
    rig: Rig, server: str, request: pytest.FixtureRequest
) -> None:
    running: Dovecot | Cyrus = request.getfixturevalue(server)
    user = running.add_user("model") if isinstance(running, Cyrus) else "model@example.test"
    seconds = 8.0 if server == "dovecot" else 5.0
    results = list(run_model(rig, running.imap, user, 1, checkpoints=2, seconds=seconds, between_faults=1.5))
    assert [result for result in results if not result.is_good] == [], rig.log_end()
