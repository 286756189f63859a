"""The set-up form."""

from __future__ import annotations

from django import forms

from postroom.web.forms.fields import AddressField, LineField, WordedForm


class SetupForm(WordedForm):
    workspace = LineField(label="Name of the workspace", help_text="Usually the company's. Your team sees it.")
    name = LineField(label="Your name")
    email = AddressField(label="Your e-mail address", help_text="You sign in with it.")
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters.",
        strip=False,
        max_length=500,
    )
