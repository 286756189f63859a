"""What protects the pages in the browser."""

from __future__ import annotations

import re

from django.test import Client

from postroom.records.models import Contact

PAGES = ("/", "/contacts/", "/contacts/new/", "/deals/", "/write/", "/settings/", "/settings/mailboxes/connect/")
OF_PROVIDERS = ("/settings/apps/", "/settings/apps/gmail/", "/settings/mailboxes/connect/outlook/")


def test_every_page_has_a_policy_without_inline_script_and_style(alice: Client, katrin: Contact) -> None:
    for path in (*PAGES, *OF_PROVIDERS, f"/contacts/{katrin.pk}/emails/"):
        policy = alice.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy and "unsafe-eval" not in policy, path
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy


def test_pages_hold_no_inline_script_style_or_handler(alice: Client, katrin: Contact) -> None:
    for path in (*PAGES, *OF_PROVIDERS, f"/contacts/{katrin.pk}/emails/", "/settings/members/", "/settings/tokens/"):
        html = alice.get(path).content.decode()
        inline = [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag and "nonce=" not in tag]
        assert not inline, path
        assert not re.search(r"<[^>]+\sstyle=", html) and "<style" not in html, path
        assert not re.search(r"<[^>]+\son[a-z]+=", html), path


def test_the_editor_has_the_nonce_of_its_page(alice: Client) -> None:
    response = alice.get("/write/")
    nonce = re.search(r"'nonce-([^']+)'", response.headers["Content-Security-Policy"])
    assert nonce and f'nonce="{nonce[1]}"' in response.content.decode()


def test_no_page_may_be_framed_or_guessed_at(alice: Client) -> None:
    response = alice.get("/")
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
