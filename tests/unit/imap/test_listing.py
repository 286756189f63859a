"""What a folder's numbers mean when servers are broken or restored: faults 20, 21 and 23 of reliability-security.md."""

from __future__ import annotations

import json
import time
from datetime import date
from typing import Any

import pytest

from postroom.providers.base import Changes
from postroom.providers.errors import ListingExpired, ProviderError, Throttled, Unreachable
from postroom.providers.imap.cursor import Cursor
from tests.unit.imap.scripted import FULL, GMAIL, PLAIN, Script, examined, listed, session_on

BIG = 2**63 - 5  # a MODSEQ that no double holds


def cursor(**told: int) -> str:
    return json.dumps({"uidvalidity": 7, "uidnext": 4, "exists": 3} | told)


async def changes_of(script: Script, before: str) -> Changes:
    async with session_on(script) as session:
        return await session.list_changes("INBOX", before)


def ids(changes: Changes) -> list[str]:
    return [message.remote_id for message in changes.added]


@pytest.mark.parametrize("uid_validity", [6, 8, 2**32 - 1])
async def test_another_uidvalidity_resets_whether_lower_or_higher(uid_validity: int) -> None:
    script = Script(FULL).on("EXAMINE", examined(uid_validity, 4, 3, 9)).on("UID FETCH", listed(1, 2, 3))
    changes = await changes_of(script, cursor(modseq=9))
    assert changes.was_reset and changes.is_full and ids(changes)[0] == f"{uid_validity}.3"


async def test_the_same_uidvalidity_with_a_smaller_uidnext_resets() -> None:
    script = (
        Script(FULL).on("EXAMINE", examined(7, 2, 1, 9)).on("UID FETCH", listed(1)).on("FETCH 1", "* 1 FETCH (UID 1)")
    )
    changes = await changes_of(script, cursor(modseq=9))
    assert changes.was_reset and changes.is_full and ids(changes) == ["7.1"]


async def test_a_uidnext_that_lags_behind_its_own_messages_resets_nothing() -> None:
    script = (
        Script().on("EXAMINE", examined(7, 2, 3)).on("FETCH 3", "* 3 FETCH (UID 3)").on("UID FETCH", listed(1, 2, 3))
    )
    async with session_on(script) as session:
        everything = await session.list_all("INBOX")
        assert json.loads(everything.cursor) == {"uidvalidity": 7, "uidnext": 4, "exists": 3, "unseen": 3}
        changes = await session.list_changes("INBOX", everything.cursor)
    assert not changes.was_reset and not changes.is_full and changes.added == ()
    assert changes.cursor == everything.cursor


async def test_a_server_without_uidnext_may_delete_its_newest_message() -> None:
    script = (
        Script().on("EXAMINE", examined(7, None, 2)).on("FETCH 2", "* 2 FETCH (UID 2)")
        .on("UID FETCH 4:", listed(2)).on("UID FETCH 1:", listed(1, 2))
    )  # fmt: skip
    changes = await changes_of(script, cursor())
    assert changes.is_full and not changes.was_reset and ids(changes) == ["7.2", "7.1"]


@pytest.mark.parametrize("modseq", [8, None])
async def test_a_modseq_that_began_anew_or_is_gone_lists_in_full(modseq: int | None) -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, modseq)).on("UID FETCH", listed(1, 2, 3))
    changes = await changes_of(script, cursor(modseq=9))
    assert changes.is_full and not changes.was_reset and len(changes.added) == 3
    assert json.loads(changes.cursor).get("modseq") == modseq
    assert changes.tells_flags is bool(modseq)


async def test_fewer_messages_than_vanished_accounts_for_list_in_full() -> None:
    script = (
        Script(FULL).on("EXAMINE", examined(7, 4, 1, 12)).on("UID FETCH 4:", "")
        .on("UID FETCH 1:3 ", "* VANISHED (EARLIER) 2").on("UID FETCH 1:4294967295", listed(1))
    )  # fmt: skip
    changes = await changes_of(script, cursor(modseq=9))
    assert changes.is_full and not changes.was_reset and ids(changes) == ["7.1"]


async def test_vanished_may_name_what_was_long_gone() -> None:
    script = (
        Script(FULL).on("EXAMINE", examined(7, 9, 2, 12)).on("UID FETCH 9:", "")
        .on("UID FETCH 1:8 ", "* VANISHED (EARLIER) 1:5,7,20:4294967295")
    )  # fmt: skip
    changes = await changes_of(script, cursor(modseq=9, uidnext=9))
    assert not changes.is_full and changes.removed == ("7.1", "7.2", "7.3", "7.4", "7.5", "7.7")


async def test_a_modseq_beyond_a_doubles_digits_is_kept_exact() -> None:
    told = listed(2, flags="\\Seen", modseq=BIG)
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, BIG)).on("UID FETCH 1:3 ", told)
    changes = await changes_of(script, cursor(modseq=BIG - 1))
    assert [(one.remote_id, one.flags) for one in changes.flagged] == [("7.2", ("\\Seen",))]
    assert Cursor.read(changes.cursor).modseq == BIG
    assert script.asked_for("UID FETCH 1:3")[0].endswith(f"(CHANGEDSINCE {BIG - 1} VANISHED)")


async def test_an_unchanged_modseq_asks_for_no_flags() -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 9))
    changes = await changes_of(script, cursor(modseq=9))
    assert (changes.added, changes.flagged, changes.is_full) == ((), (), False)
    assert len(script.asked_for("UID FETCH")) == 1


async def test_fifty_thousand_changed_flags_are_told_in_seconds() -> None:
    many = range(1, 50_001)
    script = Script(FULL).on("EXAMINE", examined(7, 50_001, 50_000, 90_000))
    script.on("UID FETCH 1:50000 ", listed(*many, flags="\\Seen", modseq=80_000))
    started = time.process_time()  # the work itself, however busy the machine is
    changes = await changes_of(script, cursor(modseq=9, uidnext=50_001, exists=50_000))
    assert len(changes.flagged) == 50_000 and not changes.is_full
    assert changes.flagged[0].flags is changes.flagged[-1].flags
    assert time.process_time() - started < 10


async def test_mail_that_comes_during_the_listing_is_counted_once() -> None:
    script = Script().on("EXAMINE", examined(7, 5, 4), examined(7, 6, 5))
    script.on("UID FETCH 4:", "* 5 EXISTS\n" + listed(4, 5)).on("UID FETCH 6:", listed(5))
    async with session_on(script) as session:
        changes = await session.list_changes("INBOX", cursor())
        assert ids(changes) == ["7.5", "7.4"] and not changes.is_full
        again = await session.list_changes("INBOX", changes.cursor)
    assert again.added == () and not again.is_full


async def test_a_deletion_during_the_listing_is_found_by_the_next() -> None:
    script = Script().on("EXAMINE", examined(7, 5, 4), examined(7, 5, 3))
    script.on("UID FETCH 4:", "* 1 EXPUNGE\n" + listed(4)).on("UID FETCH 1:", listed(2, 3, 4))
    async with session_on(script) as session:
        changes = await session.list_changes("INBOX", cursor())
        assert ids(changes) == ["7.4"] and not changes.is_full
        again = await session.list_changes("INBOX", changes.cursor)
    assert again.is_full and ids(again) == ["7.4", "7.3", "7.2"]


async def test_a_full_listing_that_leaves_messages_out_is_checked_by_a_search() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH 1:4294967295", listed(1))
    script.on("UID SEARCH", "* SEARCH 1 2 3").on("UID FETCH 2:3", listed(2))
    async with session_on(script) as session:
        everything = await session.list_all("INBOX")
    assert ids(everything) == ["7.3", "7.2", "7.1"]
    assert [message.size for message in everything.added] == [0, 9, 9]


@pytest.mark.parametrize(("first", "second", "last"), [((2, 3), (1,), 2), ((1, 2), (3,), 2)])
async def test_an_answer_cut_off_by_a_message_limit_is_gone_on_with(
    first: tuple[int, ...], second: tuple[int, ...], last: int
) -> None:
    script = Script(f"{PLAIN} MESSAGELIMIT=2").on("EXAMINE", examined(7, 4, 3))
    script.on("UID FETCH 1:4294967295", f"{listed(*first)}\nTAG OK [MESSAGELIMIT 2 {last}] not all")
    script.on("UID FETCH 1:1 ", listed(*second)).on("UID FETCH 3:4294967295", listed(*second))
    async with session_on(script) as session:
        everything = await session.list_all("INBOX")
    assert ids(everything) == ["7.3", "7.2", "7.1"]


async def test_a_listing_refused_by_a_message_limit_is_asked_in_steps() -> None:
    script = Script(f"{PLAIN} MESSAGELIMIT=2").on("EXAMINE", examined(7, 4, 3))
    script.on("UID FETCH 1:4294967295", "TAG NO [MESSAGELIMIT 2] too many")
    script.on("UID SEARCH 1:2", "* SEARCH 1 2").on("UID SEARCH 3:3", "* SEARCH 3").on("UID FETCH 1:3 ", listed(1, 2, 3))
    async with session_on(script) as session:
        everything = await session.list_all("INBOX")
    assert ids(everything) == ["7.3", "7.2", "7.1"]


async def test_found_may_come_in_parts() -> None:
    script = Script(f"{PLAIN} ESEARCH").on("EXAMINE", examined(7, 9, 3))
    script.on(
        "UID SEARCH",
        '* ESEARCH (TAG "x") UID COUNT 3 PARTIAL (-1:-2 7,8)\n* ESEARCH (TAG "x") UID PARTIAL (3:9 NIL) ALL 5',
    )
    script.on("UID FETCH", listed(5, 7, 8))
    async with session_on(script) as session:
        window = await session.list_window("INBOX", None)
    assert [message.remote_id for message in window.messages] == ["7.8", "7.7", "7.5"]


async def test_scattered_uids_are_listed_in_lines_that_servers_take() -> None:
    uids = range(1_000_000_000, 1_000_006_000, 3)
    script = Script().on("EXAMINE", examined(7, 2**32 - 1, 2_000))
    script.on("UID SEARCH", f"* SEARCH {' '.join(map(str, uids))}").on("UID FETCH", listed(*uids))
    async with session_on(script) as session:
        window = await session.list_window("INBOX", date(2026, 11, 1))
    assert len(window.messages) == 2_000
    asked = script.asked_for("UID FETCH")
    assert len(asked) == 6 and max(map(len, asked)) < 4_100


async def test_a_listing_in_any_order_comes_out_newest_first() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", listed(3, 1, 2, 3))
    async with session_on(script) as session:
        assert ids(await session.list_all("INBOX")) == ["7.3", "7.2", "7.1"]


async def test_a_flag_told_during_a_listing_is_no_message_without_size() -> None:
    """QRESYNC tells flags with their UIDs (RFC 7162 section 3.2.4); the next wait ends for it."""
    told = listed(1, 2, 3) + "\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (11))"
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 10)).on("UID FETCH", told)
    async with session_on(script) as session:
        everything = await session.list_all("INBOX")
        assert [(one.size, one.flags) for one in everything.added] == [(9, ())] * 3
        assert await session.wait("INBOX", 2.0) == {"INBOX"}


async def test_flags_read_elsewhere_show_by_the_count_of_unseen() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID FETCH 4:", listed(3))
    script.on("STATUS", "* STATUS Work (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 UNSEEN 1)")
    script.on("FETCH 1:3", listed(1, 2, 3, flags="\\Seen"))
    before = cursor(unseen=2)
    async with session_on(script) as session:
        assert await session.poll({"Work": before}) == {"Work"}
        changes = await session.list_changes("Work", before)
        assert len(changes.flagged) == 3 and not changes.is_full and not changes.tells_flags
        assert await session.poll({"Work": changes.cursor}) == frozenset()


async def test_old_cursors_are_still_read_and_nonsense_has_expired() -> None:
    assert Cursor.read('{"uidvalidity": 7, "uidnext": 4, "exists": 3}') == Cursor(7, 4, 3)
    assert Cursor.read('{"uidvalidity": 7, "uidnext": 4, "exists": 3, "modseq": 5}') == Cursor(7, 4, 3, 5)
    for one in (Cursor(7, 1, 0), Cursor(7, 4, 3, BIG), Cursor(7, 4, 3, unseen=0)):
        assert Cursor.read(str(one)) == one
    for nonsense in ("{}", "[]", "7", '{"uidvalidity": 7, "uidnext": 4, "exists": 3, "other": 1}', '{"uidnext": null}'):
        with pytest.raises(ListingExpired):
            Cursor.read(nonsense)


@pytest.mark.parametrize(
    ("words", "error", "code", "seconds"),
    [
        ("[THROTTLED] slow down", Throttled, "throttled", 300),
        ("[LIMIT] enough for now", Throttled, "limit_reached", 900),
        ("[UNAVAILABLE] try later", Unreachable, "server_unavailable", None),
        ("[ALERT] Too many simultaneous connections. (Failure)", Throttled, "too_many_connections", 300),
        ("Maximum number of connections from user+IP exceeded", Throttled, "too_many_connections", 300),
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", Throttled, "throttled", 299.961),
        ("Suggested Backoff Time: 17 seconds", Throttled, "throttled", 17),
        ("Server Unavailable. 15", Unreachable, "server_unavailable", None),
    ],
)
@pytest.mark.parametrize("how", ["no", "bye"])
async def test_a_server_that_asks_for_patience_gets_it(
    words: str, error: type[ProviderError], code: str, seconds: Any, how: str
) -> None:
    """During a fetch above all: what was not sent is not gone."""
    answer = f"{listed(1)}\nTAG NO {words}" if how == "no" else f"* BYE {words}\nTAG NO closing"
    script = Script(GMAIL).on("EXAMINE", examined(7, 4, 3, 9)).on("UID FETCH", answer)
    if how == "bye":
        script.hangs_up_after = "UID FETCH"
    async with session_on(script) as session:
        with pytest.raises(error) as caught:
            await session.fetch("INBOX", ["7.1", "7.2"])
    assert (caught.value.code, caught.value.retry_after_seconds) == (code, seconds)
