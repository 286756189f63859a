"""/contacts/"""

from __future__ import annotations

import pytest
from django.test import Client

from postroom.filing.people import add_contact
from postroom.records.models import Contact, ContactAddress
from tests.cast import Cast


def test_the_list_finds_by_name_and_by_address(alice: Client, katrin: Contact, cast: Cast) -> None:
    add_contact(cast.alice, "Jonas Petersen", ["jonas@fjordpost.example"])
    assert b"Jonas" not in alice.get("/contacts/?q=voss").content
    assert b"Katrin" in alice.get("/contacts/?q=nordfleet").content
    assert "Nobody found" in alice.get("/contacts/?q=zzz").content.decode()
    assert alice.get("/contacts/?q=%00").status_code == 200


def test_a_contact_is_made_with_several_addresses(alice: Client) -> None:
    typed = {"name": "Meike Ohlsen", "addresses": "meike@a.example\r\nm.ohlsen@b.example, meike@a.example"}
    response = alice.post("/contacts/new/", typed, follow=True)
    assert response.status_code == 200
    assert [row.address for row in ContactAddress.objects.all()] == ["meike@a.example", "m.ohlsen@b.example"]


def test_an_address_of_somebody_else_is_told(alice: Client, katrin: Contact) -> None:
    response = alice.post("/contacts/new/", {"name": "Double", "addresses": "KATRIN@lagerhaus.example"})
    assert response.status_code == 422 and b"belongs to Katrin Voss already" in response.content
    assert Contact.objects.count() == 1


@pytest.mark.parametrize("addresses", ["nonsense", "a@b.example\0", "a@b.example\n<c@d>", "@", ""])
def test_nonsense_addresses_are_refused(alice: Client, addresses: str) -> None:
    assert alice.post("/contacts/new/", {"name": "X", "addresses": addresses}).status_code == 422
    assert not Contact.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "A\r\nB", "A\0B", "A\nBcc: x@y.example", "x" * 201])
def test_a_name_is_one_clean_line(alice: Client, name: str) -> None:
    assert alice.post("/contacts/new/", {"name": name, "addresses": "a@b.example"}).status_code == 422
    assert not Contact.objects.exists()


def test_a_hostile_name_is_text(alice: Client, cast: Cast) -> None:
    name = "<img src=x onerror=alert(1)>\"'{{ 7*7 }}"
    contact = add_contact(cast.alice, name, ["x@y.example"])
    for path in ("/contacts/", f"/contacts/{contact.pk}/", f"/contacts/{contact.pk}/emails/", "/search/?q=img", "/"):
        html = alice.get(path).content.decode()
        assert "<img src=x" not in html and "49" not in html.split("{{ 7*7 }}")[0][-20:], path


def test_details_change_name_and_addresses(alice: Client, katrin: Contact) -> None:
    path = f"/contacts/{katrin.pk}/details/"
    assert b"kv@nordfleet.example" in alice.get(path).content
    alice.post(path, {"name": "Katrin Sommer", "addresses": "katrin@lagerhaus.example", "title": "CEO"})
    katrin.refresh_from_db()
    assert (katrin.name, katrin.title) == ("Katrin Sommer", "CEO")
    assert [row.address for row in katrin.addresses.all()] == ["katrin@lagerhaus.example"]


@pytest.mark.parametrize("tab", ["", "emails/", "notes/", "details/"])
def test_a_foreign_contact_is_not_found(charlie: Client, bob: Client, katrin: Contact, tab: str) -> None:
    assert charlie.get(f"/contacts/{katrin.pk}/{tab}").status_code == 404
    assert bob.get(f"/contacts/{katrin.pk}/{tab}").status_code == 200


def test_a_foreign_contact_cannot_be_changed(charlie: Client, katrin: Contact) -> None:
    assert charlie.post(f"/contacts/{katrin.pk}/deletion/").status_code == 404
    assert charlie.post(f"/contacts/{katrin.pk}/notes/", {"text": "hello"}).status_code == 404
    typed = {"name": "Mine", "addresses": "x@y.example"}
    assert charlie.post(f"/contacts/{katrin.pk}/details/", typed).status_code == 404
    katrin.refresh_from_db()
    assert katrin.name == "Katrin Voss"


def test_deleting_takes_a_post(alice: Client, katrin: Contact) -> None:
    assert alice.get(f"/contacts/{katrin.pk}/deletion/").status_code == 405
    assert b"Katrin Voss is deleted" in alice.post(f"/contacts/{katrin.pk}/deletion/", follow=True).content
    assert not Contact.objects.exists()


def test_a_note_is_kept_and_shown(alice: Client, katrin: Contact) -> None:
    response = alice.post(f"/contacts/{katrin.pk}/notes/", {"text": "Decides <b>with</b> Jonas"}, follow=True)
    assert b"Decides &lt;b&gt;with&lt;/b&gt; Jonas" in response.content
    assert alice.post(f"/contacts/{katrin.pk}/notes/", {"text": "  "}).status_code == 422


def test_the_search_palette_finds_contacts_of_the_workspace_only(
    alice: Client, charlie: Client, katrin: Contact
) -> None:
    assert b"Katrin Voss" in alice.get("/search/?q=kat").content
    assert b"Katrin Voss" not in charlie.get("/search/?q=kat").content
