"""The web process. Event streams and calls of providers leave before Django's middleware: behind it each would hold a
thread and, once the session was read, a database connection (prototypes.md 3)."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postroom.config.settings")

from django.core.asgi import get_asgi_application

_django = get_asgi_application()

from postroom.api.push import PushCalls  # noqa: E402
from postroom.web.events.stream import EventStreams  # noqa: E402

application = EventStreams(PushCalls(_django))  # type: ignore[arg-type]  # django-stubs wants dict for scope, ASGI a mapping
