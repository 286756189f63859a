"""What is shown when something is missing, refused or broken. Each says what to do next."""

from __future__ import annotations

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from postroom.engine.outage import RETRY_AFTER_SECONDS, is_outage


def _page(request: HttpRequest, status: int, title: str, what: str) -> HttpResponse:
    is_member = getattr(request, "member", None) is not None
    context = {"title": title, "what": what, "status": status, "is_member": is_member}
    return render(request, "postroom/error.html", context, status=status)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    said = str(exception) if exception and isinstance(getattr(exception, "args", None), tuple) else ""
    # A missing address's message is Django's own and lists the addresses tried; only a sentence of ours is for people.
    what = said if said.endswith(".") else "It was deleted, or it belongs to somebody else, or the address has a slip."
    return _page(request, 404, "This page is not here", what)


def refused(request: HttpRequest, exception: Any = None) -> HttpResponse:
    what = (
        str(exception)
        if exception and str(exception)
        else "You may not do this. An owner or admin of the workspace can."
    )
    return _page(request, 403, "Not allowed", what)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _page(request, 400, "Postroom did not understand this", "The request was incomplete. Go back and try again.")


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The CSRF check failed: usually a page that lay open while somebody signed out and in again."""
    what = "This page was open for too long, or you signed in again elsewhere. Go back and load it again."
    return _page(request, 403, "The form has expired", what)


def broken(request: HttpRequest) -> HttpResponse:
    """Without the database or a session: as little as possible."""
    error = sys.exc_info()[1]  # Django calls this while it handles what the view raised
    if error is not None and is_outage(error):
        response = render(None, "postroom/away.html", status=503)
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    return render(None, "postroom/broken.html", status=500)
