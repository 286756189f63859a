"""The form of an app: what an operator brings from a provider's console."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.http import QueryDict

from postroom.mailboxes.oauth_apps import AppSettings, TypedApp
from postroom.providers.oauth import OAuth
from postroom.web.forms.fields import LineField, WordedForm, refuse_controls

AUDIENCES: Final = [
    ("internal", "Internal: only our own organisation"),
    ("production", "External, published"),
    ("testing", "External, in testing: permissions end after 7 days"),
]
KEPT: Final = ("client_id", "tenant", "way", "audience", "secret_expires_on", "push_topic")
TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,199}")  # a GUID, a domain, or a word such as "organizations"


class AppForm(WordedForm):
    """`oauth` decides what is asked. With `has_secret` one is kept already, and an empty field leaves it."""

    client_id = LineField(label="Client ID", max_length=300)
    client_secret = forms.CharField(
        label="Client secret",
        required=False,
        strip=True,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False),
    )
    tenant = LineField(label="Tenant", required=False)
    secret_expires_on = forms.DateField(
        label="The secret expires on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="As the console says it. The administrators are reminded 30 days before.",
        error_messages={"invalid": "Type a day as 2027-11-30."},
    )
    audience = forms.ChoiceField(label="Who may sign in", choices=AUDIENCES, required=False)
    way = forms.ChoiceField(choices=[("api", "api"), ("servers", "servers")], initial="api")
    push_topic = LineField(
        label="Topic",
        required=False,
        max_length=300,
        help_text="projects/…/topics/…, in the same project. Without one, Postroom asks every few seconds.",
    )

    def __init__(
        self,
        oauth: OAuth,
        typed: QueryDict | None = None,
        *,
        has_secret: bool,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(typed, initial=initial)
        self._has_secret = has_secret
        self.fields["client_secret"].help_text = (
            "One is kept. Leave this empty to go on with it." if has_secret else "Sealed, and never shown again."
        )
        self.fields[
            "tenant"
        ].help_text = f"The directory (tenant) ID. For accounts of other organisations too: {oauth.default_tenant}."
        asked = {
            "tenant": oauth.asks_tenant,
            "secret_expires_on": oauth.asks_tenant,
            "audience": bool(oauth.testing_days),
            "push_topic": oauth.asks_topic,
        }
        for name, is_asked in asked.items():
            if not is_asked:
                del self.fields[name]

    def clean_client_secret(self) -> str:
        secret: str = self.cleaned_data["client_secret"]
        refuse_controls(secret)
        if not secret and not self._has_secret:
            raise forms.ValidationError("Fill this in.")
        return secret

    def clean_tenant(self) -> str:
        tenant: str = self.cleaned_data["tenant"]
        if tenant and not TENANT.fullmatch(tenant):
            raise forms.ValidationError("A tenant is an ID such as 72f9…-…, or a domain such as company.example.")
        return tenant

    def typed(self) -> TypedApp:
        """What was typed, as it is checked and kept. Only after is_valid()."""
        typed = self.cleaned_data
        return TypedApp(
            client_id=typed["client_id"],
            client_secret=typed["client_secret"],
            tenant=typed.get("tenant", ""),
            way=typed["way"],
            audience=typed.get("audience", ""),
            secret_expires_on=typed.get("secret_expires_on"),
            push_topic=typed.get("push_topic", ""),
        )


def known_app(app: AppSettings | None) -> dict[str, Any]:
    """What the form of an app starts with: everything but its secret."""
    if app is None:
        return {"way": "api"}
    return {name: getattr(app, name) for name in KEPT}
