"""What a page does with a change that is told while the answer to the last one is still on its way."""

from __future__ import annotations

from pathlib import Path

import django_htmx
from playwright.sync_api import Page, Route, expect

from tests.guards.checkout import ROOT

SITE = "http://live.test"
HTMX = Path(django_htmx.__file__).parent / "static/django_htmx/htmx-2.min.js"
EVENTS = ROOT / "src/postroom/web/static/postroom/js/events.js"
CHANGED = 'retry: 50\n\nevent: changed\ndata: {"topic": "mail"}\n\n'


def part(text: str) -> str:
    attributes = 'hx-get="/part" hx-trigger="postroom:changed" hx-swap="outerHTML"'
    return f'<section data-topic="mail" {attributes}>{text}</section>'


def test_a_change_that_comes_while_an_answer_is_on_its_way_is_shown_as_well(page: Page) -> None:
    """The answer replaces its element, and what htmx had queued for the old one would go with it."""
    asked: list[Route] = []
    told: list[Route] = []
    scripts = '<script src="/htmx.js"></script><script type="module" src="/events.js"></script>'
    page.route(f"{SITE}/", lambda route: route.fulfill(content_type="text/html", body=html(scripts)))
    page.route(f"{SITE}/htmx.js", lambda route: route.fulfill(path=HTMX))
    page.route(f"{SITE}/events.js", lambda route: route.fulfill(path=EVENTS, content_type="text/javascript"))
    page.route(f"{SITE}/events", lambda route: told.append(route))
    page.route(f"{SITE}/part", lambda route: asked.append(route))
    page.goto(f"{SITE}/")
    tell(page, told)
    take(page, asked)
    tell(page, told)
    page.wait_for_timeout(600)  # it was heard
    asked[0].fulfill(content_type="text/html", body=part("as it was before"))
    expect(page.locator("section")).to_have_text("as it was before")
    take(page, asked, 2)
    asked[1].fulfill(content_type="text/html", body=part("as it is now"))
    expect(page.locator("section")).to_have_text("as it is now")


def html(scripts: str) -> str:
    return f'<!doctype html><head>{scripts}</head><body data-events="/events">{part("at first")}</body>'


def tell(page: Page, told: list[Route]) -> None:
    """Answer the stream that is open, or comes back soon."""
    take(page, told)
    told.pop().fulfill(content_type="text/event-stream", body=CHANGED)


def take(page: Page, routes: list[Route], count: int = 1) -> None:
    """Wait until the page has asked so often."""
    for _ in range(100):
        if len(routes) >= count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"asked {len(routes)} times, not {count}")
