"""The list of folders: paths, roles, what is left out, and how little it costs."""

from __future__ import annotations

from postroom.providers.base import RemoteFolder
from postroom.providers.outlook.session import OutlookSession
from tests.contract.outlook_place import OutlookPlace


async def names(session: OutlookSession) -> dict[str, RemoteFolder]:
    return {folder.name: folder for folder in await session.list_folders()}


async def test_roles_come_from_the_well_known_names_whatever_the_language(
    place: OutlookPlace, session: OutlookSession
) -> None:
    place.mailbox.rename_folder("inbox", "Posteingang")
    place.mailbox.rename_folder("sentitems", "Gesendete Elemente")
    roles = {folder.role: folder.name for folder in await session.list_folders() if folder.role}
    assert roles == {
        "inbox": "Posteingang",
        "sent": "Gesendete Elemente",
        "drafts": "Drafts",
        "trash": "Deleted Items",
        "junk": "Junk Email",
        "archive": "Archive",
    }


async def test_folders_have_paths_and_those_that_hold_no_mail_of_people_are_left_out(
    place: OutlookPlace, session: OutlookSession
) -> None:
    customers = place.mailbox.make_folder("Customers", "inbox")
    place.mailbox.make_folder("North", customers)
    hidden = place.mailbox.make_folder("Quick Step Settings")
    place.mailbox.make_folder("Below", hidden)
    place.mailbox.folders[hidden].is_hidden = True
    found = await names(session)
    assert {"Inbox/Customers", "Inbox/Customers/North"} <= set(found)
    assert found["Inbox/Customers"].remote_name == found["Inbox/Customers"].identity == customers
    place.mailbox.make_folder("Old customers", "deleteditems")
    found = await names(session)
    assert "Deleted Items" in found and "Deleted Items/Old customers" not in found
    left_out = {"Outbox", "Conversation History", "Quick Step Settings", "Quick Step Settings/Below"}
    assert not left_out & set(found)


async def test_listed_again_it_costs_one_call_and_shows_what_changed(
    place: OutlookPlace, session: OutlookSession
) -> None:
    customers = place.mailbox.make_folder("Customers", "inbox")
    north = place.mailbox.make_folder("North", customers)
    before = await names(session)
    place.forget_heard()
    assert await names(session) == before
    assert len(place.heard()) == 1 and place.heard(in_batch=True) == []
    place.mailbox.rename_folder(customers, "Clients")
    assert (await names(session))["Inbox/Clients/North"].remote_name == north
    place.mailbox.delete_folder(north)
    assert "Inbox/Clients/North" not in await names(session)


async def test_an_archive_that_is_made_later_is_known(place: OutlookPlace, session: OutlookSession) -> None:
    place.mailbox.delete_folder("archive")
    assert "archive" not in {folder.role for folder in await session.list_folders()}
    place.mailbox._add_folder("Archive", "msgfolderroot", "archive")
    assert "archive" in {folder.role for folder in await session.list_folders()}
