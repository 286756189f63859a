"""Asking for an approval, deciding on one, and the policy that makes both necessary."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from postroom.mail.address import is_valid
from postroom.mailboxes.models import Kind
from postroom.providers import registry
from postroom.web.forms.fields import AddressField, WordedForm, refuse_controls
from postroom.workspaces.approval import LONGEST_WORDS
from postroom.workspaces.models import Allowed, ConnectPolicy

SANDBOX: Final = "memory"  # the double that ships; nobody connects it on a page
LEVELS: Final = [
    (Allowed.EVERYONE, "Members connect them"),
    (Allowed.ASK, "Members ask first"),
    (Allowed.NOBODY, "Only administrators"),
]
KINDS: Final = [(Kind.PERSONAL, "Personal"), (Kind.SHARED, "Shared")]
MOST_DOMAINS: Final = 500


def provider_choices() -> list[tuple[str, str]]:
    """(name, title) of every provider whose mailboxes people connect."""
    return [(name, provider.title) for name, provider in registry.PROVIDERS.items() if name != SANDBOX]


class DomainsField(forms.CharField):
    """Domains, one a line. The clean value is list[str], each once, lower case, without an "@" before it."""

    widget = forms.Textarea(attrs={"rows": 4, "placeholder": "company.example", "spellcheck": "false"})

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value).replace("\r", "\n").replace(",", "\n").replace(";", "\n")
        found = [line.strip().lstrip("@").lower() for line in text.split("\n") if line.strip()]
        for domain in found:
            refuse_controls(domain)
            if not is_valid(f"x@{domain}") or "." not in domain:
                raise ValidationError(f"“{domain[:80]}” is not a domain. Write one a line, as company.example.")
        if len(found) > MOST_DOMAINS:
            raise ValidationError(f"At most {MOST_DOMAINS} domains.")
        return list(dict.fromkeys(found))


class PolicyForm(WordedForm):
    """Who may connect what. Of each provider there is a field `provider_<name>`."""

    personal = forms.ChoiceField(label="Personal mailboxes", choices=LEVELS)
    shared = forms.ChoiceField(label="Shared mailboxes", choices=LEVELS)
    domains = DomainsField(
        label="Domains members connect without asking",
        required=False,
        help_text="One a line. Empty: addresses of any domain. For others members ask first.",
    )

    def __init__(self, policy: ConnectPolicy, typed: QueryDict | None = None) -> None:
        known = {"personal": policy.personal, "shared": policy.shared, "domains": "\n".join(policy.domains)}
        for name, _ in provider_choices():
            known[f"provider_{name}"] = policy.providers.get(name, Allowed.EVERYONE)
        super().__init__(typed, initial=known)
        for name, title in provider_choices():
            self.fields[f"provider_{name}"] = forms.ChoiceField(label=title, choices=LEVELS)
        self.order_fields([field for field in self.fields if field.startswith("provider_")])  # the page's order

    @property
    def of_providers(self) -> list[forms.BoundField]:
        return [self[f"provider_{name}"] for name, _ in provider_choices()]

    def decided(self) -> dict[str, Any]:
        """As approval.change_policy takes it. Only after is_valid()."""
        typed = self.cleaned_data
        providers = {name: typed[f"provider_{name}"] for name, _ in provider_choices()}
        return {"providers": providers, **{name: typed[name] for name in ("personal", "shared", "domains")}}


class AskForm(WordedForm):
    """Which mailbox a member asks for, and why."""

    provider = forms.ChoiceField(label="Connected by", choices=provider_choices)
    address = AddressField(label="Which address?")
    kind = forms.ChoiceField(label="Kind", choices=KINDS)
    words = forms.CharField(
        label="Why you need it",
        required=False,
        max_length=LONGEST_WORDS,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The administrators read it with your request.",
    )


class AnswerForm(WordedForm):
    """What an administrator says to a request; a refusal without a reason helps nobody."""

    answer = forms.CharField(required=False, max_length=LONGEST_WORDS)

    def __init__(self, typed: QueryDict, *, needs_words: bool) -> None:
        super().__init__(typed)
        self.fields["answer"].required = needs_words
