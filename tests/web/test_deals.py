"""/deals/"""

from __future__ import annotations

import re

import pytest
from django.test import Client

from postroom.filing.people import add_contact, add_deal
from postroom.records.models import Contact, Deal
from tests.cast import Cast


@pytest.fixture
def deal(cast: Cast, katrin: Contact) -> Deal:
    return add_deal(cast.alice, "12 cargo bikes", [katrin.pk], "new")


def test_the_board_shows_deals_by_stage(alice: Client, deal: Deal) -> None:
    html = alice.get("/deals/").content.decode()
    assert "12 cargo bikes" in html and "Negotiation" in html


def test_a_deal_is_made_with_its_contacts(alice: Client, katrin: Contact) -> None:
    alice.post("/deals/new/", {"name": "Trailer pilot", "stage": "offer", "contacts": [katrin.pk]})
    deal = Deal.objects.get()
    assert deal.stage == "offer" and list(deal.contacts.all()) == [katrin]


def test_a_foreign_contact_cannot_be_put_on_a_deal(alice: Client, cast: Cast) -> None:
    foreign = add_contact(cast.charlie, "Somebody", ["s@elsewhere.example"])
    response = alice.post("/deals/new/", {"name": "Trap", "stage": "new", "contacts": [foreign.pk]})
    assert response.status_code == 422 and not Deal.objects.exists()


def test_the_stage_moves_by_its_own_form(alice: Client, deal: Deal) -> None:
    alice.post(f"/deals/{deal.pk}/stage/", {"stage": "won"})
    deal.refresh_from_db()
    assert deal.stage == "won"
    assert b"one of the stages" in alice.post(f"/deals/{deal.pk}/stage/", {"stage": "moon"}, follow=True).content


def test_moving_never_leads_to_another_site(alice: Client, deal: Deal) -> None:
    response = alice.post(f"/deals/{deal.pk}/stage/", {"stage": "won", "next": "https://evil.example/"})
    assert response.headers["Location"] == "/deals/"


@pytest.mark.parametrize("tab", ["", "emails/", "notes/", "details/"])
def test_a_foreign_deal_is_not_found(charlie: Client, alice: Client, deal: Deal, tab: str) -> None:
    assert charlie.get(f"/deals/{deal.pk}/{tab}").status_code == 404
    assert alice.get(f"/deals/{deal.pk}/{tab}").status_code == 200


def test_a_foreign_deal_cannot_be_changed(charlie: Client, deal: Deal) -> None:
    assert charlie.post(f"/deals/{deal.pk}/stage/", {"stage": "won"}).status_code == 404
    assert charlie.post(f"/deals/{deal.pk}/deletion/").status_code == 404
    assert Deal.objects.get().stage == "new"


def test_the_contacts_of_a_deal_are_ticked_and_stand_first(alice: Client, cast: Cast, deal: Deal) -> None:
    add_contact(cast.alice, "Anna Berg", ["anna@berg.example"])
    html = alice.get(f"/deals/{deal.pk}/details/").content.decode()
    boxes = re.findall(r'<input type="checkbox" name="contacts"[^>]*>\s*<span>([^<]+)', html)
    assert boxes == ["Katrin Voss", "Anna Berg"] and html.count("checked") == 1
    alice.post(f"/deals/{deal.pk}/details/", {"name": deal.name, "stage": "new"})
    assert not deal.contacts.exists()
