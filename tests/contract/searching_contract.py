"""Searching a folder for one message, for what is with an address, and for words of a subject."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from postroom.providers.base import FetchedHeader, Session, Sought
from postroom.providers.errors import FolderGone
from tests.contract.provider_place import Place

KATRIN = "katrin@customer.test"


def mail(name: str, sender: str, to: str, subject: str, **more: str) -> bytes:
    fields = {"From": sender, "To": to, "Subject": subject, "Message-ID": f"<{name}@customer.test>", **more}
    lines = [*(f"{field}: {value}" for field, value in fields.items()), "Date: Mon, 23 Nov 2026 09:00:00 +0000"]
    return ("\r\n".join(lines) + "\r\n\r\nHello\r\n").encode()


def names(found: Sequence[FetchedHeader]) -> list[str]:
    blocks = [one.block.decode().lower() for one in found]
    return [block.partition("message-id: <")[2].partition("@")[0] for block in blocks]


class SearchingContract:
    """Part of provider_contract.ProviderContract, which has the fixture `session`."""

    async def test_a_message_is_sought_by_its_message_id(self, place: Place, session: Session) -> None:
        for name in ("one", "one.more", "other"):
            await place.deliver(mail(name, KATRIN, "sales@example.test", "Offer"))
        assert names(await session.search(place.inbox, Sought("<one@customer.test>"), 10)) == ["one"]
        assert list(await session.search(place.inbox, Sought("<nobody@customer.test>"), 10)) == []
        assert list(await session.search(place.trash, Sought("<one@customer.test>"), 10)) == []

    async def test_an_address_is_sought_among_senders_and_recipients(self, place: Place, session: Session) -> None:
        us = "sales@example.test"
        await place.deliver(mail("from", f"Katrin Voss <{KATRIN.upper()}>", us, "Offer"))
        await place.deliver(mail("to", us, KATRIN, "Offer"))
        await place.deliver(mail("cc", us, "jens@customer.test", "Offer", Cc=f"Katrin <{KATRIN}>"))
        await place.deliver(mail("longer", f"not{KATRIN}", us, "Offer"))
        await place.deliver(mail("named", f'"{KATRIN}" <jens@customer.test>', us, f"About {KATRIN}"))
        found = await session.search(place.inbox, Sought(address=KATRIN), 10)
        assert sorted(names(found)) == ["cc", "from", "to"]
        assert all(abs(one.received_at - datetime.now(UTC)) < timedelta(minutes=5) for one in found)

    async def test_words_of_a_subject_are_sought_in_any_case_and_script(self, place: Place, session: Session) -> None:
        us = "sales@example.test"
        await place.deliver(mail("plan", KATRIN, us, "From my other account: site plan"))
        await place.deliver(mail("depot", KATRIN, us, "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus dem Depot"))
        await place.deliver(mail("other", KATRIN, us, "A plan of the site"))
        assert names(await session.search(place.inbox, Sought(subject="Site plan"), 10)) == ["plan"]
        assert names(await session.search(place.inbox, Sought(subject="Grüße aus"), 10)) == ["depot"]

    async def test_spam_and_trash_are_searched_like_any_folder(self, place: Place, session: Session) -> None:
        folders = {"junk": place.junk, "trash": place.trash}
        for name, folder in folders.items():
            await session.append(folder, mail(name, KATRIN, "sales@example.test", "Offer"))
        for sought in (Sought(address=KATRIN), Sought(subject="offer")):
            for name, folder in folders.items():
                assert names(await session.search(folder, sought, 10)) == [name]
            assert list(await session.search(place.inbox, sought, 10)) == []

    async def test_the_newest_are_found_first_and_no_more_than_asked_for(self, place: Place, session: Session) -> None:
        for number in range(4):
            await place.deliver(mail(f"n{number}", KATRIN, "sales@example.test", f"Offer {number}"))
        everything = await session.list_window(place.inbox, None)
        found = await session.search(place.inbox, Sought(address=KATRIN), 3)
        newest = [message.remote_id for message in everything.messages]
        assert len(found) == 3 and {one.remote_id for one in found} <= set(newest)
        times = [one.received_at for one in found]
        assert times == sorted(times, reverse=True)

    async def test_the_days_narrow_it_down(self, place: Place, session: Session) -> None:
        await place.deliver(mail("now", KATRIN, "sales@example.test", "Offer"))
        today = datetime.now(UTC).date()
        week = timedelta(days=7)
        for what in ({"internet_message_id": "<now@customer.test>"}, {"address": KATRIN}, {"subject": "offer"}):
            around = Sought(**what, since=today - week, before=today + week)  # type: ignore[arg-type]
            assert names(await session.search(place.inbox, around, 10)) == ["now"]
            if "internet_message_id" not in what:
                long_ago = Sought(**what, since=today - 3 * week, before=today - week)  # type: ignore[arg-type]
                assert list(await session.search(place.inbox, long_ago, 10)) == []

    async def test_nothing_that_is_sought_becomes_a_command(self, place: Place, session: Session) -> None:
        await place.deliver(mail("plain", KATRIN, "sales@example.test", "Offer"))
        for words in ('") OR ALL', "* ALL", '" OR from:sales', "{3}", "\\", '" AND received>=2020-01-01', "NIL", "(a"):
            assert list(await session.search(place.inbox, Sought(subject=words), 10)) == [], words
            assert list(await session.search(place.inbox, Sought(f"<{words}@x>"), 10)) == [], words
        assert names(await session.search(place.inbox, Sought(subject="offer"), 10)) == ["plain"]

    async def test_a_folder_that_is_gone_cannot_be_searched(self, place: Place, session: Session) -> None:
        with pytest.raises(FolderGone):
            await session.search(place.nowhere, Sought(address=KATRIN), 10)
