"""ARCHITECTURE.md is the map: what it names is there, and every package is on it."""

import re

from tests.guards.checkout import ROOT

MAP = (ROOT / "ARCHITECTURE.md").read_text()
PACKAGE = ROOT / "src" / "postroom"


def test_every_file_on_the_map_exists() -> None:
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", MAP)
    assert len(named) > 15
    assert [file for file in named if not (PACKAGE / file).exists()] == []


def test_every_package_is_on_the_map() -> None:
    packages = [folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()]
    assert [name for name in packages if f"`{name}/`" not in MAP] == []
