"""How a server is asked to search, and what is done where it does not know the letters."""

from __future__ import annotations

from datetime import date

import pytest

from postroom.providers.base import Sought
from postroom.providers.errors import Refused, Unsupported
from postroom.providers.imap import searching
from tests.unit.imap.scripted import PLAIN, Script, examined, session_on

GREETINGS = "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= from the depot"
REFUSALS = ["TAG NO [BADCHARSET (US-ASCII)] no such charset", "TAG BAD Unknown argument CHARSET"]


def headers(*subjects: str) -> str:
    """A FETCH answer; the UID of each is its place."""
    told = []
    for uid, subject in enumerate(subjects, 1):
        block = f"Subject: {subject}\r\nMessage-ID: <{uid}@x.test>\r\n"
        told.append(
            f'* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE "0{uid}-Nov-2026 10:00:00 +0000" RFC822.SIZE 100'
            f" BODY[HEADER.FIELDS (SUBJECT)] {{{len(block)}}}\r\n{block})"
        )
    return "\r\n".join(told)


async def found(script: Script, sought: Sought, most: int = 10) -> list[str]:
    async with session_on(script) as session:
        return [one.remote_id for one in await session.search("INBOX", sought, most)]


async def test_days_and_keys_are_ours_and_the_text_is_an_argument_of_its_own() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID SEARCH", "* SEARCH")
    april = Sought(subject='" ALL', since=date(2026, 4, 1), before=date(2026, 5, 1))
    assert await found(script, april) == []
    assert await found(script, Sought(address="k@x.test")) == []
    with pytest.raises(Unsupported):
        await found(script, Sought(subject="offer\r\nx DELETE INBOX"))
    assert script.asked_for("UID SEARCH") == [
        'UID SEARCH 1:3 SUBJECT " ALL SINCE 1-Apr-2026 BEFORE 1-May-2026',
        "UID SEARCH 1:3 OR OR FROM k@x.test TO k@x.test OR CC k@x.test BCC k@x.test",
    ]
    assert not script.asked_for("x DELETE")


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_server_that_does_not_know_the_letters_is_asked_for_the_days_alone(refusal: str) -> None:
    script = (
        Script("IDLE ESEARCH")
        .on("EXAMINE", examined(7, 4, 3))
        .on("UID SEARCH RETURN (ALL) CHARSET", refusal)
        .on("UID SEARCH RETURN (ALL) 1:3 SINCE 1-Nov-2026", "* ESEARCH (TAG x) UID ALL 1:3")
        .on("UID FETCH", headers("Offer", GREETINGS, "Offer"))
    )
    assert await found(script, Sought(subject="grüße FROM", since=date(2026, 11, 1))) == ["7.2"]


async def test_what_would_take_reading_the_whole_folder_is_said_to_be_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_LOOKED_AT", 2)
    script = (
        Script(PLAIN)
        .on("EXAMINE", examined(7, 4, 3))
        .on("UID SEARCH CHARSET", REFUSALS[0])
        .on("UID SEARCH 1:3 ALL", "* SEARCH 1 2 3")
        .on("UID FETCH", headers("a", "b", "c"))
    )
    with pytest.raises(Unsupported) as refused:
        await found(script, Sought(subject="Grüße"))
    assert refused.value.code == "too_much_to_search"


async def test_a_server_that_refuses_plain_letters_has_refused() -> None:
    script = Script().on("EXAMINE", examined(7, 4, 3)).on("UID SEARCH", "TAG NO not today")
    with pytest.raises(Refused):
        await found(script, Sought(subject="offer"))


async def test_a_large_folder_is_searched_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SEARCH_SPAN", 2)
    script = (
        Script()
        .on("EXAMINE", examined(7, 4, 3))
        .on("UID SEARCH 2:3", "* SEARCH 2 3")
        .on("UID FETCH", headers("offer", "offer", "offer"))
    )
    assert await found(script, Sought(subject="offer"), most=2) == ["7.3", "7.2"]
    assert len(script.asked_for("UID SEARCH")) == 1
