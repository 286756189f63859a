"""Graph's v1.0 types as Microsoft publishes them (@microsoft/microsoft-graph-types): what its answers may hold."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path("/opt/postroom-test/npm/node_modules/@microsoft/microsoft-graph-types/microsoft-graph.d.ts")
_INTERFACE = re.compile(r"^export interface (\w+)(?: extends (\w+))? \{(.*?)\}$", re.MULTILINE | re.DOTALL)
_PROPERTY = re.compile(r"^ {4}(\w+)\??: (.+?);$", re.MULTILINE | re.DOTALL)
_UNION = re.compile(r"^export type (\w+) =(.+?);", re.MULTILINE | re.DOTALL)
_PLAIN: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}


@cache
def _types() -> tuple[dict[str, tuple[str, dict[str, str]]], dict[str, set[str]]]:
    text = _FILE.read_text()
    text = re.sub(r"/\*.*?\*/|^\s*//[^\n]*\n", "", text, flags=re.DOTALL | re.MULTILINE)
    interfaces = {name: (base, dict(_PROPERTY.findall(body))) for name, base, body in _INTERFACE.findall(text)}
    unions = {name: set(re.findall(r'"([^"]*)"', values)) for name, values in _UNION.findall(text)}
    return interfaces, unions


def properties(name: str) -> dict[str, str]:
    """The properties of a type and of those that it extends."""
    base, own = _types()[0][name]
    return {**(properties(base) if base else {}), **own}


def faults_of(value: Any, type_name: str, at: str = "") -> list[str]:
    """What of a JSON value does not fit a type: names that it does not have, values of another kind."""
    interfaces, unions = _types()
    may_be_null = type_name.startswith("NullableOption<")
    plain = type_name.removeprefix("NullableOption<").removesuffix(">") if may_be_null else type_name
    if value is None:
        return [] if may_be_null else [f"{at}: null"]
    if plain.endswith("[]"):
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [fault for item in value for fault in faults_of(item, plain.removesuffix("[]"), f"{at}[]")]
    if plain in _PLAIN:
        fits = isinstance(value, _PLAIN[plain]) and (plain == "boolean" or not isinstance(value, bool))
        return [] if fits else [f"{at}: {value!r} is no {plain}"]
    if plain in unions:
        return [] if value in unions[plain] else [f"{at}: {value!r} is none of {sorted(unions[plain])}"]
    assert plain in interfaces, f"{at}: the type {plain} is not known"
    known = properties(plain) or {"id": "string"}  # ResourceData is written down without any
    faults = []
    for name, one in value.items():
        if "@" in name:  # OData's own: @odata.etag, @removed
            continue
        if name not in known:
            faults.append(f"{at}.{name}: not a property of {plain}")
        else:
            faults += faults_of(one, known[name], f"{at}.{name}")
    return faults
