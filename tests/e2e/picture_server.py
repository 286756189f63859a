"""Runs what the screenshots need: a private PostgreSQL with the sample in it, mail servers, and the web process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from postroom.ops.embedded_postgres import EmbeddedPostgres
from tests.e2e.picture_servers import picture_servers
from tests.servers import free_ports

START_SECONDS: Final = 60.0


def main(arguments: list[str]) -> int:
    """Give the exit status of the screenshots."""
    home = Path(tempfile.mkdtemp(prefix="postroom-pictures-"))
    os.environ["POSTROOM_DATA"] = str(home / "data")
    os.environ["DJANGO_SETTINGS_MODULE"] = "postroom.config.settings"
    [port] = free_ports(1)
    os.environ["POSTROOM_PORT"] = str(port)
    try:
        with (
            EmbeddedPostgres(home / "postgres", settings={"fsync": "off", "shared_buffers": "64MB"}) as postgres,
            picture_servers(home) as servers,
        ):
            os.environ |= {"DATABASE_URL": postgres.dsn, **servers.environment}
            static = subprocess.Popen([sys.executable, "-m", "django", "collectstatic", "--noinput", "-v0"])
            _run("-m", "django", "migrate", "-v0")
            made = f"from tests.e2e.sample import make_sample; make_sample({servers.imaps})"
            _run("-c", f"import django; django.setup(); {made}")
            if static.wait():
                raise SystemExit("The static files could not be collected.")
            return _with_web(port, arguments)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _with_web(port: int, arguments: list[str]) -> int:
    base = f"http://localhost:{port}"
    command = ["-m", "uvicorn", "postroom.config.asgi:application", "--port", str(port), "--lifespan", "off"]
    web = subprocess.Popen([sys.executable, *command, "--log-level", "warning"])
    try:
        _wait(base, web)
        pictures = [sys.executable, "-m", "tests.e2e.screenshots", *arguments, "--base", base]
        # Playwright's synchronous driver keeps an event loop; the few look-ups of rows happen before it starts.
        return subprocess.run(pictures, check=False).returncode
    finally:
        web.kill()
        web.wait()


def _wait(base: str, web: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{base}/accounts/login/", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if web.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The web process did not start.") from None
            time.sleep(0.2)


def _run(*command: str) -> None:
    subprocess.run([sys.executable, *command], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
