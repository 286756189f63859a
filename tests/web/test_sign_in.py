"""/accounts/login/"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client

from postroom.workspaces.models import ApiToken, User
from tests.cast import PASSWORD, Cast
from tests.web.api_caller import caller_for, problem


@pytest.fixture(autouse=True)
def no_earlier_attempts() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def sign_in(guest: Client, email: str, password: str) -> bool:
    guest.post("/accounts/login/", {"login": email, "password": password})
    return "_auth_user_id" in guest.session


def test_after_five_wrong_passwords_the_right_one_has_to_wait(cast: Cast, guest: Client) -> None:
    for _ in range(5):
        assert not sign_in(guest, "bob@tidewater.example", "wrong")
    assert not sign_in(guest, "bob@tidewater.example", PASSWORD)
    assert sign_in(guest, "alice@tidewater.example", PASSWORD), "one address does not lock out another"


def test_a_new_password_ends_the_sessions(cast: Cast, bob: Client) -> None:
    user = User.objects.get(pk=cast.bob.user.pk)
    user.set_password("another long password")
    user.save()
    assert bob.get("/").status_code == 302


def test_who_is_not_active_is_nobody(cast: Cast, bob: Client, guest: Client) -> None:
    program = caller_for(cast.bob)
    assert program.get("/mailboxes").status_code == 200
    User.objects.filter(pk=cast.bob.user.pk).update(is_active=False)
    assert bob.get("/").status_code == 302
    assert not sign_in(guest, "bob@tidewater.example", PASSWORD)
    problem(program.get("/mailboxes"), 401, "unauthorized")
    assert ApiToken.objects.exists()
