"""What is asked before somebody goes to a provider's sign-in page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from postroom.web.forms.fields import AddressField
from postroom.web.forms.mailboxes import WhoseForm


class AtProviderForm(WhoseForm):
    """`opens_shared`: one sign-in may open mailboxes of other addresses there."""

    address = AddressField(
        label="Which address?",
        required=False,
        help_text="May stay empty: then the account that signs in is connected.",
    )
    is_shared = forms.BooleanField(
        label="It is a shared mailbox",
        required=False,
        help_text="It has no password of its own. Sign in as yourself; you need the right to open it.",
    )

    def __init__(
        self, typed: QueryDict | None = None, *, opens_shared: bool, initial: dict[str, Any] | None = None
    ) -> None:
        super().__init__(typed, initial=initial)
        if not opens_shared:
            del self.fields["is_shared"]

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("is_shared") and not typed.get("address") and "address" not in self.errors:
            self.add_error("address", "Type the address of the shared mailbox.")
        return typed
