"""Folders as servers name them: twice, without a delimiter, in prefixes, in any letters, renamed."""

from __future__ import annotations

import pytest

from tests.unit.imap.scripted import GMAIL, PLAIN, Script, examined, session_on

NAMES = '* LIST (\\HasNoChildren) "/" INBOX\n* LIST (\\SENT) "/" "Gesendete"\n* LIST () NIL Flat\n'


async def test_roles_come_in_any_letters_and_a_folder_listed_twice_is_one() -> None:
    listing = NAMES + (
        '* LIST () "/" Inbox\n* LIST (\\Noselect \\HasChildren) "/" Lists\n* LIST (\\NonExistent) "/" Ghost\n'
        '* LIST (\\trash) "/" Bin\n* LIST () "/" Bin\n* LIST (\\Noselect) "/" Twice\n* LIST () "/" Twice\n'
    )
    script = Script(f"{PLAIN} SPECIAL-USE").on("LIST", listing)
    async with session_on(script) as session:
        folders = {folder.remote_name: folder for folder in await session.list_folders()}
    assert {name: folder.role for name, folder in folders.items() if folder.role} == {
        "INBOX": "inbox", "Gesendete": "sent", "Bin": "trash"
    }  # fmt: skip
    assert set(folders) == {"INBOX", "Gesendete", "Flat", "Lists", "Ghost", "Bin", "Twice"}
    assert {name for name, folder in folders.items() if not folder.is_selectable} == {"Lists", "Ghost"}


async def test_roles_that_a_plain_listing_does_not_tell_are_asked_for() -> None:
    script = Script(f"{PLAIN} SPECIAL-USE").on("LIST", '* LIST () "/" INBOX\n* LIST () "/" Verschickt')
    script.on("LIST (SPECIAL-USE)", '* LIST (\\Sent) "/" Verschickt')
    async with session_on(script) as session:
        roles = {folder.remote_name: folder.role for folder in await session.list_folders()}
    assert roles == {"INBOX": "inbox", "Verschickt": "sent"}


async def test_a_server_that_refuses_extended_listings_is_asked_plainly() -> None:
    script = Script(GMAIL).on("LIST", NAMES).on('LIST "" "*" RETURN', "TAG BAD what")
    async with session_on(script) as session:
        assert len(await session.list_folders()) == 3


async def test_own_folders_lose_their_prefix_and_other_peoples_are_left_out() -> None:
    script = Script(f"{PLAIN} NAMESPACE")
    script.on("NAMESPACE", '* NAMESPACE (("INBOX." ".")) (("user." ".")) (("shared." ".")("INBOX.Public." "."))')
    script.on("LIST", "\n".join(f'* LIST () "." "{name}"' for name in (
        "INBOX", "INBOX.Sent", "INBOX.Work.2026", "user.bob.INBOX", "shared", "shared.all", "INBOX.Public.a", "users"
    )))  # fmt: skip
    async with session_on(script) as session:
        folders = await session.list_folders()
    assert {folder.remote_name: folder.name for folder in folders} == {
        "INBOX": "INBOX", "INBOX.Sent": "Sent", "INBOX.Work.2026": "Work.2026", "users": "users"
    }  # fmt: skip
    assert next(folder for folder in folders if folder.remote_name == "INBOX.Sent").role == "sent"


async def test_other_peoples_folders_are_listed_where_there_is_nothing_else() -> None:
    script = Script(f"{PLAIN} NAMESPACE").on("NAMESPACE", '* NAMESPACE NIL NIL (("shared/" "/"))')
    script.on("LIST", '* LIST () "/" shared/sales')
    async with session_on(script) as session:
        assert [folder.remote_name for folder in await session.list_folders()] == ["shared/sales"]


@pytest.mark.parametrize("answer", ["* NAMESPACE NIL NIL NIL", "TAG NO none", "* NAMESPACE nonsense", "* NAMESPACE"])
async def test_a_namespace_that_says_nothing_hides_nothing(answer: str) -> None:
    script = Script(f"{PLAIN} NAMESPACE").on("NAMESPACE", answer).on("LIST", NAMES)
    async with session_on(script) as session:
        assert len(await session.list_folders()) == 3


async def test_identities_come_with_the_listing_where_the_server_can() -> None:
    told = NAMES + "* STATUS INBOX (UIDVALIDITY 5)\n* STATUS Flat (UIDVALIDITY 6)\n* STATUS Gesendete (UIDVALIDITY 6)"
    script = Script(GMAIL).on("LIST", told)
    async with session_on(script) as session:
        identities = {folder.remote_name: folder.identity for folder in await session.list_folders()}
    # what two folders share tells neither from the other
    assert identities == {"INBOX": "uidvalidity:5", "Gesendete": "", "Flat": ""}
    assert script.asked_for("LIST") == ['LIST "" "*" RETURN (SPECIAL-USE STATUS (UIDVALIDITY))']
    assert not script.asked_for("STATUS")


async def test_a_mailbox_id_is_asked_for_by_status_and_again_when_the_names_change() -> None:
    """Never in LIST: Cyrus 3.6.1 answers whatever lies in its memory."""
    script = Script(f"{GMAIL} OBJECTID").on("LIST", NAMES)
    for name in ("INBOX", "Gesendete", "Flat", "Neu"):
        script.on(f"STATUS {name}", f"* STATUS {name} (MAILBOXID (F{name.lower()}))")
    async with session_on(script) as session:
        first = {folder.remote_name: folder.identity for folder in await session.list_folders()}
        await session.list_folders()
        assert len(script.asked_for("STATUS")) == 3
        script.on("LIST", NAMES.replace("Flat", "Neu")).on("STATUS Neu", "* STATUS Neu (MAILBOXID (Fflat))")
        second = {folder.remote_name: folder.identity for folder in await session.list_folders()}
    assert first == {"INBOX": "Finbox", "Gesendete": "Fgesendete", "Flat": "Fflat"}
    assert second["Neu"] == first["Flat"]
    assert "MAILBOXID" not in "".join(script.asked_for("LIST"))


async def test_a_folder_without_status_has_no_identity() -> None:
    script = Script(PLAIN).on("LIST", NAMES).on("STATUS", "TAG NO not now").on("EXAMINE", examined(7, 1, 0))
    async with session_on(script) as session:
        assert {folder.identity for folder in await session.list_folders()} == {""}


async def test_the_open_folder_is_not_asked_for_its_identity() -> None:
    script = Script(PLAIN).on("LIST", NAMES).on("EXAMINE", examined(7, 1, 0)).on("STATUS", "TAG NO not now")
    async with session_on(script) as session:
        await session.list_all("INBOX")
        identities = {folder.remote_name: folder.identity for folder in await session.list_folders()}
    assert identities == {"INBOX": "uidvalidity:7", "Gesendete": "", "Flat": ""}
    assert not script.asked_for("STATUS INBOX")
