"""Contacts, deals, notes."""

from __future__ import annotations

from typing import Any

from django import forms

from postroom.records.access import companies, contacts
from postroom.records.models import Company, Contact, Stage
from postroom.web.forms.fields import AddressLinesField, LineField, RowField, RowsField, WordedForm
from postroom.workspaces.members import Member


class ContactForm(WordedForm):
    name = LineField(label="Name")
    addresses = AddressLinesField(
        label="Mail addresses",
        help_text="One a line. Mail from and to each of them is filed on this contact, also mail that is here already.",
    )
    title = LineField(label="Position", required=False)
    phone = LineField(label="Phone", max_length=60, required=False)
    company = RowField(label="Company", queryset=Company.objects.none(), required=False, empty_label="None")

    def __init__(self, member: Member, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["company"].queryset = companies(member).order_by("name")  # type: ignore[attr-defined]
        if not self.fields["company"].queryset.exists():  # type: ignore[attr-defined]
            del self.fields["company"]


class DealForm(WordedForm):
    name = LineField(label="What is the deal about?")
    stage = forms.ChoiceField(label="Stage", choices=Stage.choices, initial=Stage.NEW)
    contacts = RowsField(
        label="Contacts",
        queryset=Contact.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Their mail about it is filed here.",
    )
    company = RowField(label="Company", queryset=Company.objects.none(), required=False, empty_label="None")

    def __init__(self, member: Member, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["contacts"].queryset = contacts(member).order_by("name")  # type: ignore[attr-defined]
        self.fields["company"].queryset = companies(member).order_by("name")  # type: ignore[attr-defined]
        if not self.fields["company"].queryset.exists():  # type: ignore[attr-defined]
            del self.fields["company"]


class StageForm(WordedForm):
    stage = forms.ChoiceField(choices=Stage.choices)


class NoteForm(WordedForm):
    text = forms.CharField(label="Note", max_length=20_000, widget=forms.Textarea(attrs={"rows": 3}))
