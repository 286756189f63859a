"""The import rules of pyproject.toml hold, and the checker is awake."""

import os
import subprocess
import sys
from pathlib import Path

from tests.guards.checkout import ROOT

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(checkout: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", *options],
        cwd=checkout,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(checkout / "src")},
    )


def test_the_import_rules_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_import_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "src" / "postroom"
    for module in ("mail", "sync"):
        (package / module).mkdir(parents=True)
        (package / module / "__init__.py").write_text("import socket\n" if module == "mail" else "")
    (package / "__init__.py").write_text("")
    contract = "[importlinter]\nroot_package = postroom\ninclude_external_packages = True\n"
    contract += "[importlinter:contract:pure]\nname = pure\ntype = forbidden\n"
    contract += "source_modules = postroom.mail\nforbidden_modules = socket\n"
    (tmp_path / "rules.ini").write_text(contract)
    result = lint(tmp_path, "--config", "rules.ini")
    assert result.returncode != 0
    assert "postroom.mail is not allowed to import socket" in result.stdout
