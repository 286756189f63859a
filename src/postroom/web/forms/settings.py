"""Members and API tokens."""

from __future__ import annotations

from django import forms

from postroom.web.forms.fields import AddressField, LineField, WordedForm
from postroom.workspaces.models import Role


class MemberForm(WordedForm):
    name = LineField(label="Name")
    email = AddressField(label="E-mail address")
    role = forms.ChoiceField(
        label="Role",
        choices=[(Role.MEMBER, "Member"), (Role.ADMIN, "Admin"), (Role.OWNER, "Owner")],
        help_text="Admins and owners manage shared mailboxes and members.",
    )
    password = forms.CharField(
        label="First password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters. Tell it to the new member, who can change it.",
        strip=False,
        max_length=500,
    )


class TokenForm(WordedForm):
    name = LineField(label="Name of the token", max_length=100, help_text="What uses it, for example “Reports”.")


class NewPasswordForm(WordedForm):
    password = forms.CharField(strip=False, max_length=500)
