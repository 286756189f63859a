"""Google's own description of Gmail v1, as google-api-python-client ships it: the fake's routes, scopes and shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient


@dataclass(frozen=True, slots=True)
class Method:
    """One call of the API. `name` without "gmail.users.", `answers` the schema of its answer ("" where it is empty)."""

    name: str
    http_method: str
    path: re.Pattern[str]
    scopes: frozenset[str]
    answers: str
    most_octets: int  # of an upload; 0 where nothing may be uploaded


@dataclass(frozen=True, slots=True)
class Found:
    """The method that a request asks for, with the parameters out of its path."""

    method: Method
    parameters: Mapping[str, str]
    is_upload: bool


class NotGoogles(AssertionError):
    """The fake was about to answer what Google's description does not allow."""


@cache
def description() -> dict[str, Any]:
    """The discovery document of Gmail v1."""
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    document: dict[str, Any] = json.loads((folder / "gmail.v1.json").read_text())
    return document


@cache
def methods() -> tuple[Method, ...]:
    """Every method of the API."""
    return tuple(_methods_of(description()))


def find_method(http_method: str, path: str) -> Found | None:
    """The method for "GET" and "/gmail/v1/users/me/messages", also below /upload."""
    is_upload = path.startswith("/upload/")
    plain = path.removeprefix("/upload").lstrip("/")
    for method in methods():
        if method.http_method == http_method and (fits := method.path.fullmatch(plain)):
            return Found(method, fits.groupdict(), is_upload) if method.most_octets or not is_upload else None
    return None


def check(value: Any, schema: str) -> None:
    """Raise NotGoogles unless `value` has the names and types of that schema."""
    described = description()["schemas"][schema]["properties"]
    if not isinstance(value, dict):
        raise NotGoogles(f"{schema} is an object, not {value!r:.80}")
    for name, one in value.items():
        if name not in described:
            raise NotGoogles(f"{schema} has no {name!r}")
        _check_value(one, described[name], f"{schema}.{name}")


_TYPES = {"string": str, "boolean": bool, "object": dict, "number": (int, float)}
_NUMBERS = {"uint64", "int64"}


def _check_value(value: Any, described: Mapping[str, Any], where: str) -> None:
    if reference := described.get("$ref"):
        check(value, reference)
    elif described["type"] == "array":
        if not isinstance(value, list) or not value:
            raise NotGoogles(f"{where} is a list, and left out when it is empty; not {value!r:.80}")
        for one in value:
            _check_value(one, described["items"], where)
    elif described["type"] == "integer":
        if not isinstance(value, int) or isinstance(value, bool):
            raise NotGoogles(f"{where} is a number, not {value!r:.80}")
    elif not isinstance(value, _TYPES[described["type"]]):
        raise NotGoogles(f"{where} is a {described['type']}, not {value!r:.80}")
    elif described.get("format") in _NUMBERS and not value.isdigit():
        raise NotGoogles(f"{where} is a number in a string, not {value!r:.80}")


def _methods_of(part: Mapping[str, Any]) -> list[Method]:
    found = [_method(one) for one in part.get("methods", {}).values()]
    for below in part.get("resources", {}).values():
        found += _methods_of(below)
    return found


def _method(described: Mapping[str, Any]) -> Method:
    path = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", described.get("flatPath", described["path"]))
    upload = described.get("mediaUpload", {})
    return Method(
        name=described["id"].removeprefix("gmail.users."),
        http_method=described["httpMethod"],
        path=re.compile(path),
        scopes=frozenset(described["scopes"]),
        answers=described.get("response", {}).get("$ref", ""),
        most_octets=int(upload.get("maxSize", 0)),
    )
