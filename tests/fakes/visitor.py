"""A person in a browser, at a fake provider's pages: reads the form, ticks boxes, presses a button. Plain HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser

import httpx


class NeverCameBack(Exception):
    """The provider showed a page of its own, and no button leads back."""


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        one = {name: value or "" for name, value in attrs}
        if tag == "input" and one.get("type") in ("hidden", "checkbox"):
            self.fields.append((one["name"], one["value"]))
        elif tag == "button":
            self.buttons.append((one["name"], one["value"]))


def visit(url: str, address: str, *, untick: Iterable[str] = (), refuse: bool = False) -> str:
    """Go to `url`, sign in as `address`, allow all but `untick` (or refuse), and return the address led back to.

    Raises NeverCameBack with the page's text.
    """
    left_out = set(untick)
    with httpx.Client(follow_redirects=False) as browser:
        answer = browser.get(url)
        for _ in range(5):
            if answer.is_redirect:
                return answer.headers["location"]
            form = _Form()
            form.feed(answer.text)
            pressed = _choose(form.buttons, address, refuse)
            if pressed is None:
                break
            kept = [(name, value) for name, value in form.fields if value not in left_out]
            data: dict[str, list[str]] = {}
            for name, value in (*kept, pressed):
                data.setdefault(name, []).append(value)
            answer = browser.post(url, data=data)
    raise NeverCameBack(answer.text)


def _choose(buttons: list[tuple[str, str]], address: str, refuse: bool) -> tuple[str, str] | None:
    for name, value in buttons:
        if value.lower() == address.lower():
            return name, value
    wanted = "refuse" if refuse else "allow"
    return next((one for one in buttons if one[1] == wanted), None)
