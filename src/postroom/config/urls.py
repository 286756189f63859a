"""Every address of the product."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import include, path

from postroom.api.problems import PROBLEMS
from postroom.api.v1 import api
from postroom.ops.metrics import metrics
from postroom.web.views import help as help_page

# Of allauth's pages those that work without mail: signing up, a second address and a reset link would promise letters
# that nobody sends. Owners and admins add members and give new passwords in Settings.
account_pages = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]

urlpatterns = [
    path("api/v1/", api.urls),
    path("help/", help_page.index, {"api_problems": PROBLEMS}, name="help"),
    path("help/<slug:code>/", help_page.cause, name="cause"),
    path("metrics", metrics, name="metrics"),
    path("accounts/", include(account_pages)),
    path("", include("postroom.web.urls")),
]

handler400 = "postroom.web.views.errors.bad_request"
handler403 = "postroom.web.views.errors.refused"
handler404 = "postroom.web.views.errors.not_found"
handler500 = "postroom.web.views.errors.broken"
