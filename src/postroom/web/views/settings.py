"""/settings/, members and API tokens."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from postroom.web.forms.fields import put_errors
from postroom.web.forms.settings import MemberForm, NewPasswordForm, TokenForm
from postroom.web.rights import MemberRequest, administrators, own, signed_in
from postroom.workspaces import audit
from postroom.workspaces.models import ApiToken, Membership, Role
from postroom.workspaces.people import create_user


@signed_in
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    return render(request, "postroom/settings/index.html", {"section": "settings", "settings_page": "index"})


@administrators
def members(request: MemberRequest) -> HttpResponse:
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _add_member(request, form):
        messages.success(request, f"{form.cleaned_data['name']} is a member and can sign in.")
        return redirect("members")
    everybody = Membership.objects.filter(workspace=request.member.workspace).select_related("user")
    context = {
        "section": "settings",
        "settings_page": "members",
        "form": form,
        "people": everybody.filter(left_at=None).order_by("user__name"),
        "left": everybody.exclude(left_at=None).order_by("-left_at"),
    }
    return render(request, "postroom/settings/members.html", context, status=422 if form.errors else 200)


def _add_member(request: MemberRequest, form: MemberForm) -> bool:
    typed = form.cleaned_data
    by = request.member
    if typed["role"] == Role.OWNER and by.membership.role != Role.OWNER:
        form.add_error("role", "Only an owner makes another owner.")
        return False
    try:
        create_user(
            by, by.workspace, typed["email"], name=typed["name"], role=typed["role"], password=typed["password"]
        )
    except ValidationError as refused:
        put_errors(form, refused, "password")
        return False
    return True


@administrators
def new_password(request: MemberRequest, user_id: UUID) -> HttpResponse:
    """Give a member a new password, which ends his sessions. Nobody but an owner does that to an owner.

    The page is for who has no script; with it the form is a dialog on the list of members.
    """
    people = Membership.objects.filter(workspace=request.member.workspace, left_at=None).select_related("user")
    person = people.filter(user_id=user_id).first()
    if person is None or (person.role == Role.OWNER and request.member.membership.role != Role.OWNER):
        raise Http404
    if request.method != "POST":
        context = {"section": "settings", "settings_page": "members", "person": person}
        return render(request, "postroom/settings/password.html", context)
    form = NewPasswordForm(request.POST)
    try:
        validate_password(form.cleaned_data["password"] if form.is_valid() else "", person.user)
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
        return redirect("members")
    person.user.set_password(form.cleaned_data["password"])
    person.user.save(update_fields=["password"])
    audit.record(request.member, "member.password_changed", person.user.email)
    messages.success(request, f"{person.user} has the new password and is signed out everywhere.")
    return redirect("members")


@signed_in
@never_cache
def tokens(request: MemberRequest) -> HttpResponse:
    """A new token is shown in the answer that made it and never again."""
    form = TokenForm(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        _, secret = ApiToken.issue(request.member.membership, form.cleaned_data["name"])
        audit.record(request.member, "token.created", form.cleaned_data["name"])
        form = TokenForm()
    mine = ApiToken.objects.filter(membership=request.member.membership).order_by("-created_at")
    context = {"section": "settings", "settings_page": "tokens", "form": form, "tokens": mine, "secret": secret}
    return render(request, "postroom/settings/tokens.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def revoke_token(request: MemberRequest, token_id: UUID) -> HttpResponse:
    token = own(ApiToken.objects.filter(membership=request.member.membership), token_id)
    audit.record(request.member, "token.revoked", token.name)
    token.delete()
    messages.success(request, f"The token “{token.name}” works no more.")
    return redirect("tokens")
