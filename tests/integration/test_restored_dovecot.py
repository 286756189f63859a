"""A real server whose files are replaced by an older copy, and that takes in at least as much as it lost (fault 21)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from postroom.filing.people import add_contact
from postroom.mailboxes.models import Keep
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.members import Member
from tests.integration.folder_place import ANNA, FolderPlace, letter, letters, wait_a_second
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    dovecot = Dovecot(servers_folder / "restored", certificates, mail_location="maildir:~/Maildir").start()
    yield dovecot
    dovecot.stop()


@pytest.mark.parametrize("keep", [Keep.EVERYTHING, Keep.RECORDS])
@pytest.mark.parametrize("is_same_size", [True, False])
def test_a_restored_mailbox_that_takes_in_as_much_as_it_lost_is_found_out_at_night(
    server: Dovecot, policy: NetworkPolicy, alice: Member, keep: str, is_same_size: bool
) -> None:
    add_contact(alice, "Anna", [ANNA])
    with closing(FolderPlace(server, policy, alice, keep=keep)) as place:
        place.put(*letters(30))
        place.sync()
        private = [letter(f"private-{n}", sender="friend@home.example") for n in range(3)]
        with place.disconnected() as folder:
            subprocess.run(["cp", "-a", str(folder), str(folder.parent / "backup")], check=True)
        place.put(*letters(7, 100), *private)
        place.sync()
        with place.disconnected() as folder:
            shutil.rmtree(folder)
            (folder.parent / "backup").rename(folder)
        wait_a_second()
        place.put(*letters(12, 100 if is_same_size else 300, kind="differ"), *private, days_ago=1)
        place.sync()
        place.counted.clear()
        place.sweep()
        assert (place.placed() == place.truth(), place.counted["headers"]) == (False, 0), "nothing shows it by day"
        saved = place.sweep(is_nightly=True)
        assert {one for one in place.truth() if keep == Keep.EVERYTHING or "private" not in one[2]} == place.placed()
        assert saved.removed == 7 and place.row().rebuilds == 1
        assert place.counted["bodies"] == 10, "what took the ids of others, passed over or not"
