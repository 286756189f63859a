"""What needs Django before the first request: tables, static files, the set-up link.

Run as a child of `bin/up` (`python -m postroom.ops.prepare BASE_URL [--demo]`), so that the supervisor stays small and
can start children safely. Its output is one JSON object a line: {"step": text},
{"setup_link": url}, {"sign_in": text}, {"error": text}.
"""

import json
import os
import sys
from pathlib import Path

from postroom.ops.prepared import files_digest


def main(arguments: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postroom.config.settings")
    import django

    django.setup()
    from django.conf import settings

    from postroom.ops.migrations import NewerDatabase, ensure_migrated

    try:
        ensure_migrated(lambda step: tell(step=step))
    except NewerDatabase as error:
        tell(error=str(error))
        return 1
    collect_static(Path(settings.STATIC_ROOT))
    if "--demo" in arguments:
        from postroom.ops import demo

        tell(step="Filling the demo")
        demo.load()
        tell(sign_in=f"{demo.EMAIL} with the password {demo.PASSWORD}")
    from postroom.workspaces.setup import setup_link

    if link := setup_link(arguments[0]):
        tell(setup_link=link)
    return 0


def collect_static(root: Path) -> None:
    """Copy and compress the static files when they are not those of the last time."""
    from django.core.management import call_command

    stamp = root.with_name("static.stamp")
    wanted = files_digest("*/static/**/*")
    if root.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    tell(step="Collecting static files")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(wanted)


def tell(**said: str) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
