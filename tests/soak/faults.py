"""Every fault that is run here, by its number in the list of the research (reliability-security.md 2.4)."""

from __future__ import annotations

from tests.soak import database, folders, hostile, kills, messages, network
from tests.soak.results import Fault

FAULTS = (
    Fault(1, "kill -9 at every step of sync", "goes on from what was committed", kills.kill_at_every_step),
    Fault(4, "PostgreSQL ends connections, or crashes and recovers", "goes on", database.lose_the_database),
    Fault(5, "serialization failures and deadlocks", "repeats the page at once", database.refuse_transactions),
    Fault(6, "connection cut, mostly within a message", "stores no part of it", network.cut_the_connection),
    Fault(7, "slow network, down to 1 kB/s", "commits page by page", network.slow_the_connection),
    Fault(8, "server gone without a word (half-open TCP)", "gives up waiting, connects anew", network.fall_silent),
    Fault(9, "name not found, nobody listening", "backs off, then goes on", network.lose_the_name),
    Fault(10, "false certificates, STARTTLS stripped or abused", "no secret on the wire", network.meet_a_false_server),
    Fault(15, "disk full", "cursor stays; goes on once there is space", database.fill_the_disk),
    Fault(
        16, "worker paused beyond its lease, then woken", "changes nothing any more", kills.pause_longer_than_the_lease
    ),
    Fault(18, "clock of the host off by up to a day", "changes nothing", database.set_the_clock),
    Fault(20, "UIDVALIDITY higher, lower, again and again", "finds every message again, asks", folders.renumber),
    Fault(21, "server restored: UIDs used again", "notices, compares, repairs", folders.restore_a_backup),
    Fault(22, "moves, expunges, renames while reading", "no message in a wrong place", folders.change_while_reading),
    Fault(23, "storms of flags; MODSEQ beyond 2^53, and falling", "flags are equal", folders.storm_of_flags),
    Fault(24, "one message in many folders of three people", "is one message", messages.copies_of_one),
    Fault(25, "one Message-ID on two messages", "keeps both, marked", messages.one_id_twice),
    Fault(28, "poisonous messages", "keeps them, and what follows", messages.poison),
    Fault(29, "large messages, killed half-way", "memory bounded, repeats a page", messages.giants),
    Fault(
        30,
        "garbage, floods, endless lines, false lengths",
        "drops the connection, memory bounded",
        hostile.talk_nonsense,
    ),
)
