"""Every address of the product."""

from __future__ import annotations

from django.urls import include, path

from postroom.api.v1 import api

urlpatterns = [
    path("api/v1/", api.urls),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("", include("postroom.web.urls")),
]

handler400 = "postroom.web.views.errors.bad_request"
handler403 = "postroom.web.views.errors.refused"
handler404 = "postroom.web.views.errors.not_found"
handler500 = "postroom.web.views.errors.broken"
