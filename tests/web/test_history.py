"""Why is history incomplete? Of a contact and a mailbox; addresses near a contact; /explain/."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from postroom.correspondence.models import Message, Sighting
from postroom.correspondence.sightings import address_hashes
from postroom.filing.models import Filing
from postroom.filing.people import add_contact
from postroom.filing.refile import remove_filing
from postroom.mailboxes.models import Folder, Mailbox
from postroom.records.models import Contact
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox
from tests.web.correspondence import Letter, put

KATRIN = ("Katrin Voss", "katrin@lagerhaus.example")
OTHER = ("K. Voss", "k.voss@lagerhaus.example")
SALES = ("Sales", "sales@tidewater.example")


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


@pytest.fixture
def from_home(sales: Mailbox) -> list[Message]:
    """Three messages of Katrin's other address, and one of somebody at her company."""
    letters = [Letter(ago(day), OTHER, [SALES], f"Site plan {day}") for day in (3, 2, 1)]
    letters.append(Letter(ago(4), ("Jens Ohm", "jens@lagerhaus.example"), [SALES], "Invoice"))
    return [put(sales, letter) for letter in letters]


def sight(mailbox: Mailbox, address: str, *, is_wanted: bool = False) -> None:
    folder, _ = Folder.objects.get_or_create(
        mailbox=mailbox, remote_name="INBOX", defaults={"workspace": mailbox.workspace, "name": "INBOX"}
    )
    hashes = [one.hex() for one in address_hashes(mailbox.workspace_id, [address])]
    Sighting.objects.create(
        workspace_id=mailbox.workspace_id,
        mailbox_id=mailbox.pk,
        folder_id=folder.pk,
        remote_id=str(new_id()),
        at=ago(1),
        hashes=hashes,
        is_wanted=is_wanted,
    )


class TestContact:
    def test_addresses_near_are_offered_the_closest_first(
        self, alice: Client, katrin: Contact, from_home: list[Message]
    ) -> None:
        html = alice.get(f"/contacts/{katrin.pk}/history/").content.decode()
        assert "Same name and domain · on 3 messages" in html and "Same domain · on 1 message," in html
        assert html.index("k.voss@lagerhaus.example") < html.index("jens@lagerhaus.example")
        assert "3 are not here" in html

    def test_one_click_adds_the_address_and_its_mail_and_another_takes_both_back(
        self, alice: Client, katrin: Contact, from_home: list[Message]
    ) -> None:
        response = alice.post(f"/contacts/{katrin.pk}/addresses/", {"address": OTHER[1]}, follow=True)
        assert "k.voss@lagerhaus.example is added: 3 messages came to Katrin Voss." in response.content.decode()
        undo = f"/contacts/{katrin.pk}/addresses/{OTHER[1]}/removal/"
        assert undo in response.content.decode()
        assert Filing.objects.filter(record_id=katrin.pk, removed_by_id=None).count() == 3
        assert (
            "k.voss"
            not in alice.get(f"/contacts/{katrin.pk}/history/")
            .content.decode()
            .partition("near-title")[2]
            .partition("left-out-title")[0]
        )
        alice.post(undo)
        assert not Filing.objects.filter(record_id=katrin.pk).exists()
        assert set(katrin.addresses.values_list("key", flat=True)) == {KATRIN[1], "kv@nordfleet.example"}

    def test_a_second_click_offers_no_undo_that_would_take_off_what_the_contact_had(
        self, alice: Client, katrin: Contact
    ) -> None:
        answer = alice.post(f"/contacts/{katrin.pk}/addresses/", {"address": KATRIN[1].upper()}, follow=True)
        assert "is an address of Katrin Voss already" in answer.content.decode()
        assert "/removal/" not in answer.content.decode()
        assert katrin.addresses.count() == 2

    def test_an_address_of_somebody_else_or_none_at_all_is_refused(
        self, alice: Client, katrin: Contact, cast: Cast
    ) -> None:
        add_contact(cast.alice, "Jens Ohm", ["jens@lagerhaus.example"])
        path = f"/contacts/{katrin.pk}/addresses/"
        refused = alice.post(path, {"address": "jens@lagerhaus.example"}, follow=True)
        assert "belongs to Jens Ohm already" in refused.content.decode()
        for nonsense in ("nonsense", "a@b.example\0", ""):
            assert "is not a mail address" in alice.post(path, {"address": nonsense}, follow=True).content.decode()
        assert katrin.addresses.count() == 2

    def test_what_a_colleague_does_not_share_is_near_nobody(
        self, alice: Client, bob: Client, katrin: Contact, cast: Cast
    ) -> None:
        private = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
        put(private, Letter(ago(1), OTHER, [("Bob", "bob@tidewater.example")], "Private"))
        assert OTHER[1] not in alice.get(f"/contacts/{katrin.pk}/history/").content.decode()
        assert OTHER[1] in bob.get(f"/contacts/{katrin.pk}/history/").content.decode()

    def test_a_name_on_mail_that_a_colleague_does_not_share_makes_nobody_near(
        self, alice: Client, bob: Client, katrin: Contact, sales: Mailbox, cast: Cast
    ) -> None:
        private = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
        put(private, Letter(ago(1), ("Katrin Voss", "bikes99@home.example"), [("Bob", private.address)], "Private"))
        put(sales, Letter(ago(2), ("A customer", "bikes99@home.example"), [SALES], "Bikes"))
        assert "bikes99" not in alice.get(f"/contacts/{katrin.pk}/history/").content.decode()
        assert "bikes99" in bob.get(f"/contacts/{katrin.pk}/history/").content.decode()

    def test_what_is_left_out_is_named_with_its_rule(
        self, alice: Client, katrin: Contact, sales: Mailbox, cast: Cast, from_home: list[Message]
    ) -> None:
        put(sales, Letter(ago(5), KATRIN, [SALES], "Removed by hand"))
        add_contact(cast.alice, "Somebody", ["somebody@x.example"])  # files nothing
        message = Message.objects.get(subject="Removed by hand")
        Filing.objects.create(
            workspace_id=sales.workspace_id,
            message_id=message.pk,
            thread_id=message.thread_id,
            record_type=1,
            record_id=katrin.pk,
            reason="address",
            address=KATRIN[1],
            at=message.at,
        )
        remove_filing(cast.alice, Filing.objects.get(message_id=message.pk))
        Folder.objects.create(
            workspace=sales.workspace, mailbox=sales, remote_name="Junk", name="Junk", role="junk", is_synced=False
        )
        sight(sales, KATRIN[1], is_wanted=True)
        sight(sales, "unknown@elsewhere.example")
        html = alice.get(f"/contacts/{katrin.pk}/history/").content.decode()
        for words in (
            "1 message was taken off Katrin Voss by hand",
            "these folders are not read: Junk.",
            "nothing from before",
            "1 message with these addresses in sales@tidewater.example was passed over, is wanted now",
            "Put it back",
        ):
            assert words in html, words
        assert "not kept: no record" not in html, "what has another address is no part of this history"

    def test_a_mailbox_that_only_sends_makes_no_history_complete(
        self, alice: Client, katrin: Contact, sales: Mailbox
    ) -> None:
        path = f"/contacts/{katrin.pk}/history/"
        Mailbox.objects.update(import_planned_at=ago(0), import_finished_at=ago(0))
        assert "Everything your mailboxes hold" in alice.get(path).content.decode()
        Mailbox.objects.update(reads=False)
        html = alice.get(path).content.decode()
        assert "Everything your mailboxes hold" not in html and ">Complete<" not in html
        assert "only sends; its mail is not read" in html and ">Not read<" in html

    def test_what_waits_for_a_yes_or_only_sends_is_neither_read_nor_on_its_way(
        self, alice: Client, katrin: Contact, sales: Mailbox
    ) -> None:
        overview, history = f"/contacts/{katrin.pk}/", f"/contacts/{katrin.pk}/history/"
        Mailbox.objects.update(awaits_start=True)
        html = alice.get(history).content.decode()
        assert "waits for a yes" in html and ">Not read<" in html
        assert "On its way" not in html and "still on its way" not in html and "under way" not in html
        for values in ({}, {"awaits_start": False, "reads": False}, {"reads": True, "receiving_state": "off"}):
            Mailbox.objects.update(import_planned_at=ago(0), import_finished_at=ago(0), **values)
            assert "Read since" not in alice.get(overview).content.decode()
        Mailbox.objects.update(receiving_state="ok")
        assert "Read since" in alice.get(overview).content.decode()

    def test_more_mailboxes_cost_no_more_queries(
        self, alice: Client, katrin: Contact, sales: Mailbox, cast: Cast
    ) -> None:
        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                alice.get(f"/contacts/{katrin.pk}/history/")
            return len(queries)

        before = count()
        for number in range(3):
            make_mailbox(cast.alice, f"more{number}@tidewater.example")
        assert count() == before

    def test_it_is_nobody_elses(self, charlie: Client, katrin: Contact) -> None:
        assert charlie.get(f"/contacts/{katrin.pk}/history/").status_code == 404
        assert charlie.post(f"/contacts/{katrin.pk}/addresses/", {"address": OTHER[1]}).status_code == 404
        assert charlie.get(f"/explain/?contact={katrin.pk}&q=x").status_code == 404


class TestMailbox:
    def test_it_counts_what_was_seen_and_not_kept(self, alice: Client, charlie: Client, sales: Mailbox) -> None:
        for number in range(3):
            sight(sales, f"private{number}@home.example")
        path = f"/settings/mailboxes/{sales.pk}/history/"
        html = alice.get(path).content.decode()
        assert "3 messages in sales@tidewater.example were seen and not kept" in html
        assert charlie.get(path).status_code == 404

    def test_a_mailbox_in_trouble_says_since_when(self, alice: Client, sales: Mailbox) -> None:
        Mailbox.objects.update(error_code="refused", error_at=ago(0), last_synced_at=ago(2))
        html = alice.get(f"/settings/mailboxes/{sales.pk}/history/").content.decode()
        assert "was not read since" in html and "Interrupted" in html


class TestExplain:
    def ask(self, client: Client, contact: Contact, text: str, around: str = "") -> str:
        response = client.get("/explain/", {"contact": str(contact.pk), "q": text, "around": around})
        assert response.status_code == 200
        return response.content.decode()

    @pytest.mark.parametrize("text", ["k.voss@lagerhaus.example", "K.Voss@Lagerhaus.example", "site plan"])
    def test_another_address_is_named_and_can_be_added(
        self, alice: Client, katrin: Contact, from_home: list[Message], text: str
    ) -> None:
        html = self.ask(alice, katrin, text)
        assert "Because Katrin Voss has no address k.voss@lagerhaus.example" in html
        assert "Add the address to Katrin Voss" in html and "3 messages with it" in html
        assert html.count('class="stopped"') == 1 and html.count('class="not-reached"') == 2

    def test_a_message_id_is_found(self, alice: Client, katrin: Contact, from_home: list[Message]) -> None:
        for text in (from_home[0].internet_message_id, from_home[0].internet_message_id.strip("<>")):
            assert "has no address k.voss@lagerhaus.example" in self.ask(alice, katrin, text)

    def test_what_is_here_is_said_to_be_here(
        self, alice: Client, cast: Cast, sales: Mailbox, from_home: list[Message]
    ) -> None:
        other = add_contact(cast.alice, "Kai Voss", [OTHER[1]])
        assert "It is here: 3 messages on Kai Voss" in self.ask(alice, other, OTHER[1])

    def test_an_address_of_another_contact_leads_there(
        self, alice: Client, katrin: Contact, cast: Cast, from_home: list[Message]
    ) -> None:
        other = add_contact(cast.alice, "Kai Voss", [OTHER[1]])
        html = self.ask(alice, katrin, OTHER[1])
        assert "belongs to Kai Voss" in html and f"/contacts/{other.pk}/emails/" in html

    def test_what_was_removed_by_hand_can_be_put_back(
        self, alice: Client, cast: Cast, from_home: list[Message]
    ) -> None:
        other = add_contact(cast.alice, "Kai Voss", [OTHER[1]])
        filing = Filing.objects.get(message_id=from_home[0].pk, record_id=other.pk)
        remove_filing(cast.alice, filing)
        html = self.ask(alice, other, from_home[0].internet_message_id)
        assert "Because somebody took it off Kai Voss" in html and f"/filings/{filing.pk}/restoration/" in html

    def test_what_was_seen_and_not_kept_is_told(self, alice: Client, katrin: Contact, sales: Mailbox) -> None:
        sight(sales, "late@lagerhaus.example")
        assert "not kept" in self.ask(alice, katrin, "late@lagerhaus.example")
        sight(sales, "soon@lagerhaus.example", is_wanted=True)
        assert "It is being fetched just now" in self.ask(alice, katrin, "soon@lagerhaus.example")

    def test_what_is_older_than_the_import_is_told_by_its_month(
        self, alice: Client, katrin: Contact, sales: Mailbox
    ) -> None:
        Mailbox.objects.update(import_planned_at=ago(0), import_finished_at=ago(0))
        assert "older than what was imported" in self.ask(alice, katrin, "nobody@x.example", f"{ago(300):%Y-%m}")
        assert "no mailbox that you may read has it" in self.ask(alice, katrin, "nobody@x.example")

    def test_a_running_import_and_trouble_come_before_not_seen(
        self, alice: Client, katrin: Contact, sales: Mailbox
    ) -> None:
        Mailbox.objects.update(import_planned_at=ago(0), listed_count=100, done_count=40)
        assert "It may still be on its way" in self.ask(alice, katrin, "nobody@x.example")
        Mailbox.objects.update(error_code="refused", error_at=ago(0))
        assert "a mailbox is in trouble" in self.ask(alice, katrin, "nobody@x.example")

    def test_a_message_that_is_not_shared_is_answered_like_one_that_never_came(
        self, alice: Client, bob: Client, katrin: Contact, cast: Cast
    ) -> None:
        private = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
        there = put(private, Letter(ago(1), OTHER, [("Bob", "bob@tidewater.example")], "Secret plan"))
        sight(private, "seen@home.example")
        for text in ("Secret plan", OTHER[1], there.internet_message_id, "seen@home.example"):
            hidden, never = self.ask(alice, katrin, text), self.ask(alice, katrin, "never@came.example")
            assert "Because no mailbox" in hidden or "No mailbox is connected" in hidden
            assert hidden.count('class="not-reached"') == never.count('class="not-reached"')
            assert "Because no mailbox" not in self.ask(bob, katrin, text)

    def test_a_subject_that_is_not_shared_cannot_be_guessed(self, alice: Client, katrin: Contact, cast: Cast) -> None:
        private = make_mailbox(cast.bob, "bob@tidewater.example", kind="personal")
        Mailbox.objects.filter(pk=private.pk).update(sharing="metadata")
        put(private, Letter(ago(1), KATRIN, [("Bob", "bob@tidewater.example")], "Secret plan"))
        filed = add_contact(cast.alice, "Katrin again", ["other@x.example"])
        message = Message.objects.get()
        Filing.objects.create(
            workspace_id=message.workspace_id,
            message_id=message.pk,
            thread_id=message.thread_id,
            record_type=1,
            record_id=filed.pk,
            reason="manual",
            address="",
            at=message.at,
        )
        assert "It is here" in self.ask(alice, filed, KATRIN[1]), "who wrote when is shared"
        assert "It is here" not in self.ask(alice, filed, "Secret plan")

    def test_nonsense_is_no_error(self, alice: Client, katrin: Contact) -> None:
        for text in ("<>", "@", "a@", "\0x", "%", "<a@b>", "x" * 2000):
            self.ask(alice, katrin, text, around="2026-99")
        for month in ("9999-12", "0001-01"):
            self.ask(alice, katrin, "site plan", around=month)
        assert alice.get("/explain/?contact=nonsense").status_code == 404
