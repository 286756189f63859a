"""Somebody with a browser at a fake sign-in page: presses the buttons and tells what comes back to our address."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx


def at_google(url: str, address: str, *, refuses: bool = False, unticked: Sequence[str] = ()) -> dict[str, str]:
    """Choose the account, tick all boxes but those whose scope ends in one of `unticked`."""
    asked = parse_qs(urlsplit(url).query)
    pressed: list[tuple[str, str]] = [("account", address), ("decision", "refuse" if refuses else "allow")]
    ticked = [one for one in asked["scope"][0].split() if not any(one.endswith(part) for part in unticked)]
    return _back(url, [*pressed, *(("granted", one) for one in ticked)])


def at_microsoft(url: str, address: str, **pressed: str) -> dict[str, str]:
    """Choose the account and accept; or press "refuse" or "return"."""
    return _back(url, [("account", address), ("mfa", "approved"), *(pressed or {"consent": "1"}).items()])


def as_administrator(url: str, **pressed: str) -> dict[str, str]:
    """Approve for everybody; or press "refuse"."""
    return _back(url, list((pressed or {"consent": "1"}).items()))


def _back(url: str, pressed: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The query of the address that the provider sends the browser to."""
    body = httpx.QueryParams(list(pressed))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(url, content=str(body), headers=headers)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query, keep_blank_values=True))
