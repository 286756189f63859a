"""What is shown when something is missing or refused."""

from __future__ import annotations

from django.test import Client, RequestFactory

from postroom.web.views import errors


def test_a_missing_page_says_what_to_do(alice: Client, guest: Client) -> None:
    for client in (alice, guest):
        response = client.get("/no/such/page/")
        assert response.status_code == 404
        html = response.content.decode()
        assert "This page is not here" in html and 'href="/"' in html and "urlpatterns" not in html


def test_a_fault_shows_no_detail() -> None:
    response = errors.broken(RequestFactory().get("/"))
    assert response.status_code == 500 and b"Nothing that was saved is lost" in response.content


def test_a_reader_sees_times_in_his_zone(alice: Client, katrin: object) -> None:
    alice.cookies["zone"] = "Asia%2FKathmandu"
    assert "+05:45" in alice.get("/contacts/").content.decode()
    alice.cookies["zone"] = "../../etc/passwd"
    assert alice.get("/contacts/").status_code == 200
