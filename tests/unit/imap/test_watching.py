"""What is pushed is a hint that is never lost and never believed; the rest is polled in one command."""

from __future__ import annotations

import asyncio
import json

import pytest

from postroom.providers.errors import Throttled
from tests.unit.imap.scripted import FULL, GMAIL, PLAIN, Script, examined, listed, session_on


def cursor(**told: int) -> str:
    return json.dumps({"uidvalidity": 7, "uidnext": 4, "exists": 3} | told)


def status(name: str, uid_next: int = 4, messages: int = 3, more: str = "HIGHESTMODSEQ 9") -> str:
    return f"* STATUS {name} (MESSAGES {messages} UIDNEXT {uid_next} UIDVALIDITY 7 {more})"


async def test_many_folders_are_polled_with_one_command() -> None:
    script = Script(GMAIL).on(
        "LIST", "\n".join([status("A"), status("B", 5, 4), '* STATUS "inbox" (MESSAGES 3 UIDNEXT 4)'])
    )
    async with session_on(script) as session:
        changed = await session.poll({name: cursor(modseq=9) for name in ("A", "B", "INBOX", "Gone")})
    assert changed == {"B", "Gone"}
    assert script.asked_for("LIST") == ['LIST "" "*" RETURN (STATUS (UIDVALIDITY UIDNEXT MESSAGES HIGHESTMODSEQ))']
    assert not script.asked_for("STATUS")


@pytest.mark.parametrize(
    ("items", "is_changed"),
    [
        ("MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 9", False),
        ("MESSAGES 3 UIDNEXT 4", False),
        ("MESSAGES 2 UIDNEXT 4", True),
        ("MESSAGES 3 UIDNEXT 5", True),
        ("UIDVALIDITY 8", True),
        ("MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 8", True),
        (f"MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ {2**63 - 1}", True),
    ],
)
async def test_any_number_that_differs_is_a_change(items: str, is_changed: bool) -> None:
    script = Script(GMAIL).on("STATUS", f"* STATUS A ({items})")
    async with session_on(script) as session:
        assert await session.poll({"A": cursor(modseq=9)}) == ({"A"} if is_changed else frozenset())


async def test_a_refused_list_status_is_asked_folder_by_folder() -> None:
    script = Script(GMAIL).on("LIST", "TAG BAD what").on("STATUS A", status("A")).on("STATUS B", status("B", 5))
    script.on("STATUS C", "TAG NO [NONEXISTENT] gone")
    async with session_on(script) as session:
        assert await session.poll({name: cursor(modseq=9) for name in "ABC"}) == {"B", "C"}


async def test_a_server_that_asks_for_patience_is_not_polled_on() -> None:
    script = Script(PLAIN).on("STATUS", "TAG NO [THROTTLED] slower")
    async with session_on(script) as session:
        with pytest.raises(Throttled):
            await session.poll({"A": cursor(), "B": cursor()})
    assert len(script.asked_for("STATUS")) == 1


async def test_the_open_folder_is_never_asked_by_status() -> None:
    """RFC 3501 section 6.3.10."""
    script = (
        Script(PLAIN).on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", listed(1, 2, 3)).on("NOOP", "", "* 4 EXISTS")
    )
    script.on("STATUS B", status("B", more="UNSEEN 0"))
    async with session_on(script) as session:
        cursors = {"A": (await session.list_all("A")).cursor, "B": cursor(unseen=0)}
        assert await session.poll(cursors) == frozenset()
        assert await session.poll(cursors) == {"A"}
    assert not script.asked_for("STATUS A")


async def test_a_cursor_that_counts_no_unseen_yet_is_brought_up_to_date_once() -> None:
    script = (
        Script(PLAIN).on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", "").on("STATUS", status("A", more="UNSEEN 2"))
    )
    async with session_on(script) as session:
        assert await session.poll({"A": cursor()}) == {"A"}
        changes = await session.list_changes("A", cursor())
        assert (changes.added, changes.flagged, changes.is_full) == ((), (), False)
        assert json.loads(changes.cursor)["unseen"] == 2


async def test_the_server_is_asked_once_to_push_and_its_first_numbers_are_only_compared() -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 9)).on("UID FETCH", listed(1, 2, 3))
    script.on(
        "NOTIFY", "\n".join([status("Work", more="UNSEEN 1 HIGHESTMODSEQ 9"), status("Other"), status("Late", 6)])
    )
    async with session_on(script) as session:
        for name in ("Work", "Late", "INBOX"):
            await session.list_all(name)
        assert await session.wait("INBOX", 2.0) == {"Late"}  # it changed between its listing and now
        assert await session.wait("INBOX", 0.1) == frozenset()
    [asked] = script.asked_for("NOTIFY")
    assert asked.startswith("NOTIFY SET STATUS (selected-delayed (MessageNew MessageExpunge FlagChange))")


async def test_a_pushed_status_marks_its_folder_until_it_is_listed() -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 9)).on("UID FETCH", listed(1, 2, 3))
    async with session_on(script) as session:
        cursors = {name: (await session.list_all(name)).cursor for name in ("Work", "INBOX")}
        script.on("STATUS Work", status("Work")).on("STATUS INBOX", status("INBOX"))
        waiting = asyncio.create_task(session.wait("INBOX", 5.0))
        await asyncio.sleep(0.1)
        script.push(status("Work", more="UNSEEN 1 HIGHESTMODSEQ 9"))  # nothing new
        await asyncio.sleep(0.1)
        assert not waiting.done()
        script.push("* STATUS Work (UNSEEN 0 HIGHESTMODSEQ 10)")
        assert await waiting == {"Work"}
        assert await session.wait("INBOX", 0.1) == frozenset()  # told once
        assert await session.poll(cursors) == {"Work"}  # although STATUS says that nothing is new
        waiting = asyncio.create_task(session.wait("INBOX", 5.0))
        await asyncio.sleep(0.1)
        script.push("* STATUS Work (UNSEEN 1 HIGHESTMODSEQ 11)")
        assert await waiting == {"Work"}  # news again
        await session.list_changes("Work", cursors["Work"])
        assert await session.poll(cursors) == frozenset()


async def test_what_is_pushed_during_another_command_ends_the_next_wait() -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 9)).on("UID FETCH", listed(1, 2, 3))
    async with session_on(script) as session:
        await session.list_all("INBOX")
        assert await session.wait("INBOX", 0.1) == frozenset()
        script.on("UID FETCH", f"{status('Work')}\n{listed(1)}")
        await session.fetch("INBOX", ["7.1"])
        assert await session.wait("INBOX", 5.0) == {"Work"}


@pytest.mark.parametrize("answer", ["TAG NO [BADEVENT (FlagChange)] cannot", "TAG BAD what"])
async def test_a_server_that_refuses_to_push_is_waited_on_all_the_same(answer: str) -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 9)).on("NOTIFY", answer)
    async with session_on(script) as session:
        await session.list_all("INBOX")
        waiting = asyncio.create_task(session.wait("INBOX", 5.0))
        await asyncio.sleep(0.1)
        script.push("* 4 EXISTS")
        assert await waiting == {"INBOX"}
        await session.list_all("INBOX")
        assert await session.wait("INBOX", 0.1) == frozenset()
    assert len(script.asked_for("NOTIFY")) == 1


async def test_a_server_that_gives_up_pushing_is_asked_anew() -> None:
    script = Script(FULL).on("EXAMINE", examined(7, 4, 3, 9)).on("UID FETCH", listed(1, 2, 3))
    script.on("NOTIFY", status("Work"), status("Work", 5))
    async with session_on(script) as session:
        await session.list_all("INBOX")
        waiting = asyncio.create_task(session.wait("INBOX", 5.0))
        await asyncio.sleep(0.1)
        script.push("* OK [NOTIFICATIONOVERFLOW] too much going on")
        assert await waiting == {"Work"}  # it changed while nothing was pushed
    assert len(script.asked_for("NOTIFY")) == 2


async def test_a_folder_that_is_made_or_goes_ends_a_wait_until_the_folders_are_listed() -> None:
    script = (
        Script(FULL).on("EXAMINE", examined(7, 4, 3, 9)).on("LIST", '* LIST () "/" New').on("NOTIFY", status("Old"))
    )
    async with session_on(script) as session:
        await session.list_all("INBOX")
        waiting = asyncio.create_task(session.wait("INBOX", 5.0))
        await asyncio.sleep(0.1)
        script.push('* LIST () "/" Old\n* LIST (\\NonExistent) "/" Old\n* LIST () "/" New')
        assert await waiting == {"Old", "New"}
        await session.list_folders()
        assert await session.wait("INBOX", 0.1) == frozenset()


async def test_a_change_seen_while_leaving_a_folder_is_kept() -> None:
    script = Script(PLAIN).on("EXAMINE", examined(7, 4, 3)).on("UID FETCH", listed(1, 2, 3))
    async with session_on(script) as session:
        await session.list_all("A")
        script.on("UID FETCH", "* 2 FETCH (FLAGS (\\Seen))")
        await session.fetch("A", ["7.1"])
        script.on("UID FETCH", listed(1, 2, 3))
        await session.list_window("INBOX", None)
        assert await session.wait("INBOX", 1.0) == {"A"}


async def test_idle_is_begun_anew_before_anybody_forgets_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.providers.imap.watching.IDLE_SECONDS", 0.1)
    script = Script(PLAIN).on("EXAMINE", examined(7, 4, 3))
    async with session_on(script) as session:
        await session.list_all("INBOX")
        assert await session.wait("INBOX", 0.35) == frozenset()
    assert len(script.asked_for("IDLE")) in (3, 4)
