"""/help/: where `docs` of the catalogue and of the API lead."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.test import Client

from postroom.api import problems
from postroom.providers.base import CheckStep
from postroom.providers.catalogue import CATALOGUE
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
    assert {entry.docs for entry in CATALOGUE.values()} == {f"help/#{code}" for code in CATALOGUE}
    assert "{host}" not in page


def test_a_problem_of_the_api_names_a_page_that_is_served(page: str) -> None:
    problem = json.loads(problems.respond(problems.Problem("not_found")).content)
    assert problem["type"] == problem["docs"] == f"{settings.BASE_URL}/help/#not_found"


def test_a_verdict_leads_to_its_place(page: str) -> None:
    html = verdict_html([CheckStep("imap", "reach", False, 0.1, "", "connection_refused")])
    assert 'href="/help/#connection_refused"' in html and 'id="connection_refused"' in page


def test_help_is_for_members(guest: Client) -> None:
    assert guest.get("/help/").status_code == 302
