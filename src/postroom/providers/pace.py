"""How often mailboxes are looked at whose provider keeps no connection open."""

from __future__ import annotations

from collections.abc import Mapping

from postroom.providers.guard import UnfitSetting


def poll_seconds_of(environ: Mapping[str, str]) -> float:
    """How often a provider that does not push is asked, by POSTROOM_POLL_SECONDS; raise UnfitSetting."""
    told = environ.get("POSTROOM_POLL_SECONDS", "").strip() or "15"
    if not told.isdecimal() or not 1 <= int(told) <= 3600:
        raise UnfitSetting(f"POSTROOM_POLL_SECONDS is {told!r}; it has to be a whole number from 1 to 3600.")
    return float(told)
