"""Who asks, and in which time zone: before any view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpResponseBase
from django.utils import timezone

from postroom.workspaces.members import find_member


class MemberMiddleware:
    """Sets `request.member`; a signed-in user who belongs to no workspace is nobody here.

    Times are shown in the zone that times.js wrote into the cookie `zone`, before that in UTC.
    """

    def __init__(self, get_response: Callable[[Any], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        request.member = find_member(request.user) if request.user.is_authenticated else None
        zone = _zone(unquote(request.COOKIES.get("zone", "")))
        with timezone.override(zone):
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo | None:
    """The zone of that name; None (Django's default, UTC) for anything else."""
    if not name or len(name) > 64:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
