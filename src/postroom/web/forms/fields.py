"""Fields that take one clean line: no line breaks, no NUL, no other controls, whatever the browser sent."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from postroom.mail.address import is_valid, parse_address
from postroom.mail.message import Address

MOST_RECIPIENTS = 100


def refuse_controls(value: str) -> None:
    """A header, a log line and a server's command end at a line break; a name needs none (CWE-93)."""
    if any(unicodedata.category(letter) == "Cc" for letter in value):
        raise ValidationError("Line breaks and control characters cannot be used here.")


class LineField(forms.CharField):
    """One line of text. Trims blanks, refuses line breaks, NUL and other controls."""

    def __init__(self, *, max_length: int = 200, **kwargs: Any) -> None:
        super().__init__(max_length=max_length, **kwargs)

    def to_python(self, value: Any) -> str:
        return super().to_python(value.strip(" ") if isinstance(value, str) else value) or ""

    def run_validators(self, value: Any) -> None:
        refuse_controls(value)
        super().run_validators(value)


class AddressField(LineField):
    """One mail address, without a display name."""

    widget = forms.EmailInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=320, **kwargs)

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if value and not is_valid(value):
            raise ValidationError(f"“{value}” is not a mail address. An address looks like name@company.example.")


class RecipientsField(LineField):
    """Several recipients, "Name <a@b.c>, d@e.f". The clean value is list[Address]."""

    widget = forms.TextInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20_000, **kwargs)

    def clean(self, value: Any) -> list[Address]:
        text = super().clean(value)
        people = []
        for part in split_recipients(text):
            person = parse_address(part)
            if person is None:
                raise ValidationError(f"“{part[:80]}” is not a mail address. Separate several by commas.")
            people.append(person)
        if len(people) > MOST_RECIPIENTS:
            raise ValidationError(f"At most {MOST_RECIPIENTS} recipients at once.")
        return people


class AddressLinesField(forms.CharField):
    """Addresses, one a line (or separated by commas). The clean value is list[str], each once."""

    widget = forms.Textarea(attrs={"rows": 3})

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value).replace("\r", "\n").replace(",", "\n").replace(";", "\n")
        found = [line.strip() for line in text.split("\n") if line.strip()]
        for address in found:
            refuse_controls(address)
            if not is_valid(address):
                raise ValidationError(f"“{address[:80]}” is not a mail address. Write one address a line.")
        return list(dict.fromkeys(found))


def split_recipients(text: str) -> list[str]:
    """The parts between commas and semicolons that stand outside quotes and angle brackets."""
    parts, part, quoted, angle = [], "", False, False
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif letter in "<>" and not quoted:
            angle = letter == "<"
        if letter in ",;" and not quoted and not angle:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [text.strip() for text in (*parts, part) if text.strip()]


def put_errors(form: forms.Form, refused: ValidationError, otherwise: str) -> None:
    """Put what the model refused beside the fields of the same name; the rest beside `otherwise`."""
    by_field = refused.message_dict if hasattr(refused, "error_dict") else {otherwise: refused.messages}
    for name, messages in by_field.items():
        form.add_error(name if name in form.fields else otherwise, messages)
