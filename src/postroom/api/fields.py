"""Kinds of fields. A line has no line breaks, NUL or other controls: a header or a command would end there (CWE-93)."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from postroom.mail.address import is_valid, parse_address
from postroom.mail.message import Address

LONGEST_ADDRESS: Final = 320
MOST_RECIPIENTS: Final = 100
LONGEST_TEXT: Final = 1_000_000


def _without_controls(value: str) -> str:
    if any(unicodedata.category(letter) == "Cc" for letter in value):
        raise ValueError("Line breaks, NUL and other control characters cannot be used here.")
    return value


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("NUL cannot be used here.")
    return value


def _mail_address(value: str) -> str:
    if not is_valid(value):
        raise ValueError("This is not a mail address; one looks like name@company.example.")
    return value


def _recipient(value: Any) -> Address:
    """A recipient as callers write it: "a@b.c", "Name <a@b.c>" or {"address": …, "name": …}."""
    if isinstance(value, Address):
        return value
    if isinstance(value, dict) and isinstance(value.get("address"), str):
        name = value.get("name") or ""
        if not isinstance(name, str):
            raise ValueError("The name of a recipient is a string.")
        return Address(_mail_address(_without_controls(value["address"])), _without_controls(name))
    if isinstance(value, str):
        found = parse_address(_without_controls(value))
        if found is not None:
            return found
    raise ValueError('A recipient is "name@company.example", "Name <name@company.example>" or {"address", "name"}.')


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


Line = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_without_controls)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=1, max_length=200), AfterValidator(_without_controls)
]
Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), AfterValidator(_without_nul)]
MailAddress = Annotated[
    str, StringConstraints(max_length=LONGEST_ADDRESS), AfterValidator(_without_controls), AfterValidator(_mail_address)
]
Recipient = Annotated[Address, BeforeValidator(_recipient)]
AsList = BeforeValidator(_listed)
