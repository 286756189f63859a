"""/help/: where `docs` of the catalogue and of the API lead."""

from __future__ import annotations

import json
from html import unescape

import pytest
from django.conf import settings
from django.test import Client

from postroom.api import problems
from postroom.providers.base import CheckStep
from postroom.providers.catalogue import CATALOGUE, explain
from postroom.web.checking import verdict_html


@pytest.fixture
def page(alice: Client) -> str:
    response = alice.get("/help/")
    assert response.status_code == 200
    return response.content.decode()


def test_every_code_has_its_place_on_the_page(page: str) -> None:
    assert not CATALOGUE.keys() & problems.PROBLEMS.keys()
    for code in (*CATALOGUE, *problems.PROBLEMS):
        assert page.count(f'id="{code}"') == 1
    assert "{host}" not in page


def test_a_problem_of_the_api_names_a_page_that_is_served(page: str) -> None:
    problem = json.loads(problems.respond(problems.Problem("not_found")).content)
    assert problem["type"] == problem["docs"] == f"{settings.BASE_URL}/help/#not_found"


def test_a_verdict_leads_to_its_place(page: str) -> None:
    html = verdict_html([CheckStep("imap", "reach", False, 0.1, "", "connection_refused")])
    assert 'href="/help/connection_refused/"' in html
    assert 'href="/help/connection_refused/"' in page and 'id="connection_refused"' in page


def test_every_cause_has_a_page_that_says_who_must_act_and_what_to_do(alice: Client) -> None:
    assert len(CATALOGUE) >= 60
    for code in CATALOGUE:
        entry = explain(code)
        response = alice.get(f"/{entry.docs}")
        html = unescape(response.content.decode())
        assert response.status_code == 200 and entry.docs == f"help/{code}/"
        assert all(words in html for words in (entry.title, entry.what, *entry.fix, code))
        assert "Who can fix it" in html and "{host}" not in html


def test_a_code_that_nobody_knows_has_no_page(alice: Client) -> None:
    assert alice.get("/help/no_such_code/").status_code == 404


def test_help_is_for_members(guest: Client) -> None:
    assert guest.get("/help/").status_code == 302
    assert guest.get("/help/sign_in_refused/").status_code == 302
