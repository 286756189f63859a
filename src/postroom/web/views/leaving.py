"""/settings/members/<id>/leaving/: what breaks when a member leaves, and who goes on with it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from postroom.outbox.offboarding import HeirNeeded, off_board, what_breaks
from postroom.web.forms.mailbox_settings import LeavingForm
from postroom.web.rights import MemberRequest, administrators
from postroom.workspaces.models import Membership
from postroom.workspaces.people import NotAllowed


@administrators
def leave(request: MemberRequest, user_id: UUID) -> HttpResponse:
    people = Membership.objects.filter(workspace=request.member.workspace, left_at=None)
    leaver = people.select_related("user", "workspace").filter(user_id=user_id).first()
    if leaver is None:
        raise Http404
    try:
        leaving = what_breaks(request.member, leaver)
        form = LeavingForm(request.member, leaving, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            off_board(request.member, leaver, form.plan())
            messages.success(
                request, f"{leaver.user} has left {request.member.workspace.name} and cannot sign in any more."
            )
            return redirect("members")
    except NotAllowed as refused:  # or somebody else was quicker
        messages.error(request, str(refused))
        return redirect("members")
    except HeirNeeded:  # the member began something while this page was read
        form.add_error("heir", "Choose who goes on with it.")
    context = {
        "section": "settings",
        "settings_page": "members",
        "person": leaver.user,
        "leaving": leaving,
        "form": form,
    }
    return render(request, "postroom/settings/leaving.html", context, status=422 if form.errors else 200)
