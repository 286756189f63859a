"""Every icon that a page names is in icons.svg: a missing one leaves a hole and no error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.guards.checkout import ROOT, files

SPRITE: Final = ROOT / "src/postroom/web/static/postroom/icons.svg"
DRAWN: Final = frozenset(re.findall(r'<symbol id="i-([a-z-]+)"', SPRITE.read_text()))
NAMED: Final = re.compile(r'{% icon "([a-z-]+)"')
TEMPLATES: Final = [file for file in files() if file.suffix == ".html" and str(file).startswith("src/")]


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_every_icon_of_a_template_is_drawn(template: Path) -> None:
    assert set(NAMED.findall((ROOT / template).read_text())) <= DRAWN
