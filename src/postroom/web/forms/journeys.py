"""What is asked before somebody goes to a provider's sign-in page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from postroom.mailboxes.connect import ConnectRequest
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
        label="Nobody signs in as this address: it is a shared mailbox",
        required=False,
        help_text="Sign in as yourself; you need the right to open it.",
    )
    sign_in_user = AddressField(label="You sign in as", required=False)

    def __init__(
        self, typed: QueryDict | None = None, *, opens_shared: bool, initial: dict[str, Any] | None = None
    ) -> None:
        super().__init__(typed, initial=initial)
        if not opens_shared:
            del self.fields["is_shared"], self.fields["sign_in_user"]

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if not typed.get("is_shared"):
            return typed
        for name, words in (("address", "Type the address of the shared mailbox."), ("sign_in_user", "Type your own.")):
            if not typed.get(name) and name not in self.errors:
                self.add_error(name, words)
        if typed.get("address") and typed["address"].lower() == str(typed.get("sign_in_user", "")).lower():
            self.add_error("sign_in_user", "This is the shared mailbox itself. Type the address you sign in with.")
        return typed

    def request(self, provider: str) -> ConnectRequest:
        """What was typed; nothing opens the mailbox yet. Only after is_valid()."""
        typed = self.cleaned_data
        return ConnectRequest(
            provider=provider,
            address=typed["address"],
            sign_in_user=typed["sign_in_user"] if typed.get("is_shared") else "",
            **self.whose(),
        )
