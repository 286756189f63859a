"""/setup/<code>/: the first workspace and its owner."""

from __future__ import annotations

from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from postroom.web.forms.entrance import SetupForm
from postroom.web.forms.fields import put_errors
from postroom.workspaces import setup
from postroom.workspaces.members import Member

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@never_cache
def set_up(request: HttpRequest, code: str) -> HttpResponse:
    if not setup.code_matches(code):
        raise Http404("This set-up link was used already, or was copied incompletely.")
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        owner = _create(form)
        if owner is not None:
            login(request, owner.user, backend=BACKEND)
            return redirect("home")
    return render(request, "postroom/entrance/setup.html", {"form": form}, status=422 if form.errors else 200)


def _create(form: SetupForm) -> Member | None:
    typed = form.cleaned_data
    try:
        return setup.create_workspace(typed["workspace"], typed["email"], typed["name"], typed["password"])
    except ValidationError as refused:
        put_errors(form, refused, "password")
        return None
