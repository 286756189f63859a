"""Fields that take one clean line: no line breaks, no NUL, no other controls, whatever the browser sent.

And the words in which a form refuses what was typed.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from postroom.mail.address import is_valid, parse_address
from postroom.mail.message import Address

MOST_RECIPIENTS = 100

# What is right, by Django's code of what was wrong; of a field's kinds the last one that has words speaks.
WORDS: Final[dict[type[forms.Field], dict[str, str]]] = {
    forms.Field: {
        "required": "Fill this in.",
        "max_length": "Use at most %(limit_value)d characters; these are %(show_value)d.",
        "min_length": "Use at least %(limit_value)d characters; these are %(show_value)d.",
        "min_value": "Type a number of at least %(limit_value)s.",
        "max_value": "Type a number of at most %(limit_value)s.",
        "null_characters_not_allowed": "A NUL character cannot be used here.",
    },
    forms.IntegerField: {"invalid": "Type a whole number."},
    forms.UUIDField: {"invalid": "Load the page again: this is not what it offered."},
    forms.ChoiceField: {
        "required": "Choose one.",
        "invalid_choice": "Choose from what is offered.",
        "invalid_list": "Choose from what is offered.",
        "invalid_pk_value": "Choose from what is offered.",
    },
    forms.FileField: {
        "required": "Choose a file.",
        "invalid": "Choose the file again: it did not arrive.",
        "missing": "Choose the file again: it did not arrive.",
        "empty": "This file is empty. Choose another one.",
    },
}


class WordedForm(forms.Form):
    """A form that refuses in our words instead of Django's, and begins anew in the first field that is wrong."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            for kind, words in WORDS.items():
                if isinstance(field, kind):
                    field.error_messages.update(words)

    def add_error(self, field: str | None, error: Any) -> None:
        super().add_error(field, error)
        wrong = next((name for name in self.fields if name in self.errors), None)
        for name, one in self.fields.items():
            one.widget.attrs.pop("autofocus", None)
            if name == wrong:
                one.widget.attrs["autofocus"] = True


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


class RowField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when it runs
    """One of the rows on offer, by its id; what is no id is refused like an id that is not on offer."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError as refused:
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from refused


class RowsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # likewise
    """Any number of the rows on offer, by their ids."""

    def clean(self, value: Any) -> Any:
        try:
            return super().clean(value)
        except ValidationError as refused:
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from refused


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
