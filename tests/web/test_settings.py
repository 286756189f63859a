"""Members and API tokens."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from postroom.workspaces.models import ApiToken, Membership, User
from tests.cast import Cast

TYPED = {
    "name": "Dana Petrova",
    "email": "dana@tidewater.example",
    "role": "member",
    "password": "a long enough secret",
}


def test_an_owner_adds_a_member_who_can_sign_in(alice: Client, guest: Client) -> None:
    alice.post("/settings/members/", TYPED)
    guest.post("/accounts/login/", {"login": TYPED["email"], "password": TYPED["password"]})
    assert b"Dana Petrova" in guest.get("/").content


def test_a_plain_member_may_not_see_or_add_members(bob: Client) -> None:
    assert bob.get("/settings/members/").status_code == 403
    response = bob.post("/settings/members/", TYPED)
    assert response.status_code == 403 and b"Only owners and admins" in response.content
    assert not User.objects.filter(email=TYPED["email"]).exists()


def test_an_admin_cannot_make_an_owner(cast: Cast, bob: Client) -> None:
    Membership.objects.filter(user=cast.bob.user).update(role="admin")
    assert bob.post("/settings/members/", TYPED | {"role": "owner"}).status_code == 422
    assert bob.post("/settings/members/", TYPED | {"role": "king"}).status_code == 422
    assert bob.post("/settings/members/", TYPED).status_code == 302


def test_members_of_another_workspace_are_not_listed(alice: Client) -> None:
    assert b"charlie@" not in alice.get("/settings/members/").content


def test_a_token_is_shown_once(alice: Client) -> None:
    html = alice.post("/settings/tokens/", {"name": "Quarterly figures"}).content.decode()
    secret = re.search(r"postroom_[\w-]+", html)
    assert secret and ApiToken.objects.get().digest == ApiToken.digest_of(secret[0])
    again = alice.get("/settings/tokens/")
    assert secret[0] not in again.content.decode() and b"Quarterly figures" in again.content
    assert "no-store" in again.headers["Cache-Control"]


def test_only_its_owner_revokes_a_token(alice: Client, bob: Client, cast: Cast) -> None:
    token, _ = ApiToken.issue(cast.alice.membership, "Quarterly figures")
    assert bob.post(f"/settings/tokens/{token.pk}/revocation/").status_code == 404
    assert b"Quarterly figures" not in bob.get("/settings/tokens/").content
    alice.post(f"/settings/tokens/{token.pk}/revocation/")
    assert not ApiToken.objects.exists()


def test_a_new_password_signs_the_member_out_everywhere(alice: Client, bob: Client, cast: Cast, guest: Client) -> None:
    weak = alice.post(f"/settings/members/{cast.bob.user.pk}/password/", {"password": "short"}, follow=True)
    assert b"at least 10 characters" in weak.content and bob.get("/contacts/").status_code == 200
    alice.post(f"/settings/members/{cast.bob.user.pk}/password/", {"password": "another long secret"})
    assert bob.get("/contacts/").status_code == 302
    guest.post("/accounts/login/", {"login": cast.bob.user.email, "password": "another long secret"})
    assert guest.get("/contacts/").status_code == 200


def test_the_form_of_a_new_password_is_a_page_too(alice: Client, bob: Client, cast: Cast) -> None:
    page = f"/settings/members/{cast.bob.user.pk}/password/"
    assert f'href="{page}" data-open=' in alice.get("/settings/members/").content.decode()
    assert 'name="password"' in alice.get(page).content.decode()
    assert bob.get(page).status_code in (403, 404)


def test_nobody_gives_a_password_to_a_stranger_or_to_an_owner_above_him(bob: Client, cast: Cast) -> None:
    Membership.objects.filter(user=cast.bob.user).update(role="admin")
    for user in (cast.alice.user, cast.charlie.user):
        assert (
            bob.post(f"/settings/members/{user.pk}/password/", {"password": "another long secret"}).status_code == 404
        )


@pytest.mark.parametrize("page", ["/settings/mailboxes/", "/settings/tokens/", "/accounts/password/change/"])
def test_a_settings_page_scrolls_its_tab_into_view(alice: Client, page: str) -> None:
    html = alice.get(page).content.decode()
    assert "postroom/js/tabs.js" in html and f'href="{page}" aria-current="page"' in html
