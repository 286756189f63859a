"""A clock that is wrong: this process takes it to be earlier or later than it is, as after a step of NTP."""

from __future__ import annotations

import datetime as datetime_module
import sys
import time
from typing import Any


def shift(seconds: float) -> None:
    """Shift what `datetime.now` and `time.time` tell every module of ours and Django's that is loaded."""
    right, offset = time.time, datetime_module.timedelta(seconds=seconds)

    class Shifted(datetime_module.datetime):
        @classmethod
        def now(cls, tz: datetime_module.tzinfo | None = None) -> Any:
            return datetime_module.datetime.now(tz) + offset

    time.time = lambda: right() + seconds
    for name, module in list(sys.modules.items()):
        if name.startswith(("postroom.", "django.")) and vars(module).get("datetime") is datetime_module.datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]
