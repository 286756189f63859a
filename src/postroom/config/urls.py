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
