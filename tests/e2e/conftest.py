"""A real Postroom, real mail servers and a real browser."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.servers import free_ports
from tests.servers.certs import Certificates
from tests.up_run import UpRun

expect.set_options(timeout=15_000)  # a machine that is busy with other tests is no failure


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What Postroom said belongs to the report of a journey that failed."""
    report = yield
    run = item.funcargs.get("postroom")
    if report.failed and isinstance(run, UpRun):
        report.sections.append(("Postroom's logs", run.logs()))
    return report


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, which looks for nothing outside this machine."""
    return {
        "executable_path": "/usr/bin/chromium",
        "headless": True,
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "timezone_id": "Europe/Berlin"}


@pytest.fixture(scope="session")
def started_once() -> Iterator[Path]:
    """A data folder that `bin/up` made and nobody set up. The first start has tests of its own (test_up.py)."""
    with tempfile.TemporaryDirectory(prefix="pre-") as folder:
        [port] = free_ports(1)
        run = UpRun(Path(folder) / "data", port)
        try:
            run.wait_for_setup_link()
        finally:
            run.end()
        yield run.data


@pytest.fixture
def data(started_once: Path) -> Iterator[Path]:
    """A data folder for one `bin/up`, whose tables are made already: that is seven seconds of each journey."""
    with tempfile.TemporaryDirectory(prefix="pre-") as folder:
        yield shutil.copytree(started_once, Path(folder) / "data")


@pytest.fixture
def postroom(certificates: Certificates, data: Path) -> Iterator[UpRun]:
    """`bin/up` that may reach mail servers on this machine."""
    [port] = free_ports(1)
    run = UpRun(data, port, POSTROOM_ALLOWED_NETWORKS="127.0.0.0/8", POSTROOM_CA_FILE=str(certificates.ca_file))
    yield run
    if run.process.poll() is None:
        run.end()
