"""The one database. `DATABASE_URL` names it; the embedded server sets the same variable for its processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from postroom.providers.guard import UnfitSetting


def from_environment(environ: Mapping[str, str], data: Path) -> dict[str, Any]:
    """Django's DATABASES entry for `DATABASE_URL` (a libpq URI or key=value string). Raises UnfitSetting."""
    url = environ.get("DATABASE_URL", "")
    try:
        parts = conninfo_to_dict(url) if url else {"host": str(data / "postgres" / "socket"), "dbname": "postroom"}
    except ProgrammingError:  # its text repeats what was typed, which may be the password
        raise UnfitSetting("DATABASE_URL is not an address such as postgresql://user@host/postroom.") from None
    known = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    settings: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {key: value for key, value in parts.items() if key not in known},
    }
    settings |= {name: str(parts[key]) for key, name in known.items() if parts.get(key) is not None}
    settings.setdefault("NAME", "postroom")
    if environ.get("POSTROOM_POOL"):  # set by ops/processes.py: a new connection for each request costs 5 ms
        settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 10, "timeout": 4.0}
    return settings
