"""/setup/<code>/"""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from postroom.workspaces import setup
from postroom.workspaces.models import Membership, Workspace
from tests.cast import Cast

TYPED = {
    "workspace": "Tidewater Bikes",
    "name": "Alice Moreau",
    "email": "alice@tidewater.example",
    "password": "correct horse battery staple",
}


def test_the_link_makes_a_workspace_and_signs_its_owner_in(guest: Client) -> None:
    path = f"/setup/{setup.code()}/"
    assert b"Set up Postroom" in guest.get(path).content
    response = guest.post(path, TYPED, follow=True)
    assert b"Connect a mailbox" in response.content
    assert Membership.objects.get().role == "owner"


def test_the_link_works_once(cast: Cast, guest: Client) -> None:
    assert guest.get(f"/setup/{setup.code()}/").status_code == 404
    assert guest.post(f"/setup/{setup.code()}/", TYPED).status_code == 404


def test_of_two_set_ups_at_once_the_second_is_refused(cast: Cast) -> None:
    """The page looked before; this is the look under the lock."""
    with pytest.raises(ValidationError, match="set up already"):
        setup.create_workspace("Second", "eve@tidewater.example", "Eve", TYPED["password"])
    assert not Workspace.objects.filter(name="Second").exists()


def test_a_wrong_code_is_not_found(guest: Client) -> None:
    assert guest.get("/setup/0123456789abcdef0123456789abcdef/").status_code == 404


def test_a_weak_password_is_told_beside_its_field(guest: Client) -> None:
    response = guest.post(f"/setup/{setup.code()}/", TYPED | {"password": "short"})
    assert response.status_code == 422
    assert b"at least 10 characters" in response.content
    assert not Workspace.objects.exists()


def test_a_name_with_a_line_break_is_refused(guest: Client) -> None:
    for name in ("Tide\r\nwater", "Tide\0water", "Tide\nwater"):
        response = guest.post(f"/setup/{setup.code()}/", TYPED | {"workspace": name})
        assert response.status_code == 422, name
    assert not Workspace.objects.exists()
