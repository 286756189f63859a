"""Every fault of tests/soak with a few seeds, and the model for a moment: the short form of bin/soak."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.soak.faults import FAULTS
from tests.soak.model import Model, Processes, run_model
from tests.soak.results import Fault
from tests.soak.rig import Rig, running_rig

SEEDS = int(os.environ.get("FAULT_SEEDS", "8"))  # bin/ci takes 20


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


def test_the_owner_of_the_models_mailbox_confirms_a_mass_deletion_that_is_true_and_no_other(rig: Rig) -> None:
    place = rig.place("tidy")
    rig.fill(place, random.Random("tidy"), 60, ["INBOX"])
    rig.sync(place.address)
    with rig.client(place) as client:
        client.expunge(client.uids("INBOX")[:55])
    rig.sync(place.address)
    [note] = rig.judge(place).notes
    assert note.startswith("INBOX: 55 no longer on the server")

    with Model(rig, place, Processes(rig), rig.proxy, random.Random("owner")) as model:
        assert model.answer_questions() == ()
        assert model.done["answered"] == 1
        result = rig.settle(39, 0, place)
        assert result.is_good, result.notes

        rig.connection.execute(
            "UPDATE mailboxes_folder SET held_code = 'mass_deletion', held_facts = %s WHERE mailbox_id = %s"
            " AND remote_name = 'INBOX'",
            ['{"gone": 55, "known": 60}', place.mailboxes[place.address]],
        )
        assert model.answer_questions() == ("INBOX asks: mass_deletion of 55, 0 are gone",)
        assert model.done["answered"] == 1
