"""Whom a test message goes to, and by which mailbox."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from postroom.mailboxes.models import Mailbox
from postroom.records.models import Contact
from postroom.web.forms.fields import LineField, RowField, WordedForm


class ContactTestForm(WordedForm):
    """The test with a contact. `mailboxes` are those that the member may send through."""

    mailbox = RowField(label="From", queryset=Mailbox.objects.none(), empty_label=None)
    address = forms.ChoiceField(label="To")

    def __init__(self, contact: Contact, mailboxes: QuerySet[Mailbox], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["mailbox"].queryset = mailboxes  # type: ignore[attr-defined]
        addresses = [one.address for one in contact.addresses.all()]
        self.fields["address"].choices = [(one, one) for one in addresses]  # type: ignore[attr-defined]


class ChosenContactForm(WordedForm):
    """The contact that a mailbox shall write to, by one of its addresses."""

    address = LineField(label="Whom to write to", max_length=320)
