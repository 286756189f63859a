"""Pages are for members. Whoever is not signed in is asked to; what is not his does not exist (404)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django_htmx.middleware import HtmxDetails

from postroom.mailboxes.access import MailboxGone
from postroom.providers import catalogue
from postroom.workspaces.members import Member


class MemberRequest(HttpRequest):
    """A request of a signed-in member, as views behind `signed_in` get it."""

    member: Member
    htmx: HtmxDetails


MemberView = Callable[..., HttpResponseBase]
Row = TypeVar("Row", bound=Model)


def signed_in(view: MemberView) -> MemberView:
    """Let members pass; send everybody else to the sign-in page and back."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        asking = cast(MemberRequest, request)
        if asking.member is None:
            return redirect_to_login(request.get_full_path())
        try:
            return view(asking, *args, **kwargs)
        except MailboxGone as gone:  # it was his when the view began
            messages.error(asking, catalogue.explain(gone.code, **gone.facts).what)
            return redirect("mailboxes")

    guarded.needs_member = True  # type: ignore[attr-defined]  # a guard test asks every page for it
    return guarded


def administrators(view: MemberView) -> MemberView:
    """Let owners and admins pass; tell other members that they may not."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.member.can_administer:
            raise PermissionDenied("Only owners and admins may open this page. Ask one of them.")
        return view(request, *args, **kwargs)

    return signed_in(guarded)


def own(rows: QuerySet[Row], row_id: UUID) -> Row:
    """The row with this id out of those the member may see; Http404 for any other."""
    found = rows.filter(pk=row_id).first()
    if found is None:
        raise Http404
    return found
