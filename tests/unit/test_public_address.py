"""Providers are asked to call only where they can."""

from __future__ import annotations

import pytest

from postroom.config.public_address import is_public, push_url


@pytest.mark.parametrize("url", ["https://crm.tidewater.com", "https://crm.tidewater.com:8443", "https://8.8.8.8"])
def test_https_at_a_public_name_is_public(url: str) -> None:
    assert is_public(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://crm.tidewater.com",
        "https://localhost",
        "https://crm",
        "https://crm.internal",
        "https://crm.fritz.home.arpa",
        "https://10.0.0.7",
        "https://127.0.0.1",
        "https://[fe80::1]",
        "https://[::1",
    ],
)
def test_everything_else_is_not(url: str) -> None:
    assert not is_public(url)


def test_an_address_of_its_own_for_pushes_goes_first() -> None:
    assert push_url({}, "https://crm.tidewater.com") == "https://crm.tidewater.com"
    assert push_url({}, "http://localhost:8000") == ""
    assert push_url({"POSTROOM_PUSH_URL": "https://push.tidewater.com/"}, "http://localhost:8000") == (
        "https://push.tidewater.com"
    )
    assert push_url({"POSTROOM_PUSH_URL": "none"}, "https://crm.tidewater.com") == ""
