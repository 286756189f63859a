"""Who may open which page at all."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from postroom.web.urls import urlpatterns
from postroom.workspaces.models import User
from tests.cast import Cast
from tests.web.conftest import browser

OPEN_TO_ALL = {"setup"}
# Where a provider sends browsers to: whoever is not signed in there is told what to do.
ANSWERS_GUESTS = {"journey_return", "journey_approval"}
PAGES = [pattern for pattern in urlpatterns if isinstance(pattern, URLPattern) and pattern.name not in OPEN_TO_ALL]


def address(pattern: URLPattern) -> str:
    assert pattern.name
    return reverse(pattern.name, kwargs={name: uuid4() for name in pattern.pattern.converters})


@pytest.mark.parametrize(
    "pattern", [one for one in PAGES if one.name not in ANSWERS_GUESTS], ids=lambda pattern: pattern.name
)
def test_a_guest_is_sent_to_the_sign_in_page(guest: Client, pattern: URLPattern) -> None:
    response = guest.get(address(pattern))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/accounts/login/?next=/")


@pytest.mark.parametrize("pattern", [one for one in PAGES if one.pattern.converters], ids=lambda pattern: pattern.name)
def test_what_does_not_exist_is_not_found_by_any_method(cast: Cast, pattern: URLPattern) -> None:
    client = browser(cast.alice)
    statuses = {client.get(address(pattern)).status_code, client.post(address(pattern)).status_code}
    assert statuses <= {404, 405} and 404 in statuses


@pytest.mark.parametrize("pattern", PAGES, ids=lambda pattern: pattern.name)
def test_a_form_without_its_token_changes_nothing(cast: Cast, pattern: URLPattern) -> None:
    response = browser(cast.alice, enforce_csrf_checks=True).post(address(pattern))
    assert response.status_code == 403
    assert b"The form has expired" in response.content


def test_a_user_who_belongs_to_no_workspace_sees_nothing(cast: Cast) -> None:
    client = browser(cast.bob)
    cast.bob.membership.delete()
    assert client.get("/contacts/").status_code == 302


@pytest.mark.parametrize(
    "page",
    [
        "email/",
        "signup/",
        "confirm-email/",
        "confirm-email/abc/",
        "password/set/",
        "password/reset/",
        "password/reset/done/",
        "password/reset/key/1-abc/",
        "login/code/",
        "login/code/confirm/",
    ],
)
def test_no_page_promises_a_mail_that_nobody_sends(alice: Client, guest: Client, page: str) -> None:
    for client in (alice, guest):
        assert client.get(f"/accounts/{page}").status_code == 404
        assert client.post(f"/accounts/{page}", {"email": "alice@tidewater.example"}).status_code == 404


def test_the_pages_of_sign_in_are_there(alice: Client, guest: Client) -> None:
    login = guest.get("/accounts/login/")
    assert login.status_code == 200 and b"password/reset" not in login.content
    for page in ("password/change/", "2fa/", "2fa/totp/activate/", "logout/"):
        answer = alice.get(f"/accounts/{page}", follow=True)
        assert answer.status_code == 200, page
        assert b"/accounts/email/" not in answer.content and b"password/reset" not in answer.content


def test_nobody_signs_up_by_himself(guest: Client) -> None:
    guest.post("/accounts/signup/", {"email": "eve@example.com", "password1": "x" * 20, "password2": "x" * 20})
    assert not User.objects.filter(email="eve@example.com").exists()
