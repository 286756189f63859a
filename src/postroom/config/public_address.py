"""Whether somebody out there can call this installation: providers that tell of new mail do."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

# Names that no public resolver knows: RFC 6761, RFC 6762, RFC 8375, ICANN's .internal, and what home routers use.
_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa", "lan", "home", "corp", "test", "example", "invalid")


def push_url(environ: Mapping[str, str], public_url: str) -> str:
    """The base of the addresses that providers are given, without a slash at its end; "" where none can be.

    POSTROOM_PUSH_URL where a proxy lets nothing but pushes in, else POSTROOM_PUBLIC_URL if it is https and public.
    "none" switches pushes off.
    """
    chosen = environ.get("POSTROOM_PUSH_URL", "").strip().rstrip("/")
    if chosen:
        return "" if chosen == "none" else chosen
    return public_url if is_public(public_url) else ""


def is_public(url: str) -> bool:
    """Whether an address is https and its host looks as if everybody could reach it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "https" or not host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        return "." in name and not any(name.endswith(f".{private}") for private in _PRIVATE_NAMES)
