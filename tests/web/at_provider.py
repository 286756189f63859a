"""A browser at the fake providers' own pages: it presses their buttons and says where it is sent back to."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from django.http import HttpResponse
from django.test import Client

_FIELD = re.compile(r'<input type="(hidden|checkbox)" name="([^"]*)" value="([^"]*)"')
_REFRESH = re.compile(r'http-equiv="refresh" content="0;url=([^"]+)"')


def departure(response: HttpResponse) -> str:
    """Where a page of ours sends the browser."""
    found = _REFRESH.search(response.content.decode())
    assert found, response.content.decode()[:2000]
    return html.unescape(found[1])


def press(url: str, *buttons: tuple[str, str], untick: str = "") -> str:
    """Open that page of a provider and press these buttons, one a page; the path and query of ours it leads back to.

    A check box whose value holds `untick` is left out.
    """
    with httpx.Client() as browser:
        answer = browser.get(url)
        for name, value in buttons:
            fields = [(kind, field, html.unescape(text)) for kind, field, text in _FIELD.findall(answer.text)]
            sent = [
                (field, text) for kind, field, text in fields if kind == "hidden" or not (untick and untick in text)
            ]
            answer = browser.post(url, data=_form([*sent, (name, value)]))
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


def allow_at_google(url: str, address: str, *, untick: str = "") -> str:
    return press(url, ("account", address), ("decision", "allow"), untick=untick)


def refuse_at_google(url: str, address: str) -> str:
    return press(url, ("account", address), ("decision", "refuse"))


def allow_at_microsoft(url: str, address: str) -> str:
    return press(url, ("account", address), ("consent", "1"))


def follow(client: Client, path: str) -> HttpResponse:
    """Come back to Postroom, and on to the page it shows."""
    response: HttpResponse = client.get(path, follow=True)  # type: ignore[assignment]
    return response


def _form(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
