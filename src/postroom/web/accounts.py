"""Sign-in is allauth's; here is only what differs: nobody signs up by himself."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Members are added by an owner or admin, the first one by the set-up page."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
