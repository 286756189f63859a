"""Every command, setting, address and error code is documented; the pages are those the code prints."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from postroom.api import reference as api_reference
from postroom.api.problems import PROBLEMS
from postroom.api.v1 import api
from postroom.ops import cause_pages, provider_matrix, reference
from postroom.ops.cli import parser
from postroom.providers import catalogue, errors
from postroom.providers.base import Capabilities
from tests.guards.checkout import ROOT, files

PAGES = {
    "docs/reference/api.md": api_reference.page,
    "docs/reference/commands.md": reference.commands_page,
    "docs/reference/settings.md": reference.settings_page,
    "docs/reference/troubleshooting.md": cause_pages.troubleshooting_page,
    "docs/reference/providers.md": provider_matrix.providers_page,
}
VARIABLE = re.compile(r"(?<![A-Z_])(?:POSTROOM_[A-Z_]*[A-Z]|DATABASE_URL)(?![A-Z_])")
CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_one_the_code_prints(name: str) -> None:
    wanted = PAGES[name]()
    assert (ROOT / name).read_text() == wanted, "Run `python -m postroom.ops.reference` and `… postroom.api.reference`."


def test_every_cause_has_the_page_that_the_catalogue_prints_and_no_other_has_one() -> None:
    wanted = cause_pages.cause_pages()
    found = {file.name: file.read_text() for file in (ROOT / "docs/reference/causes").glob("*.md")}
    assert len(wanted) >= 60
    assert sorted(wanted.keys() ^ found.keys()) == []
    assert [name for name in wanted if wanted[name] != found[name]] == [], "Run `python -m postroom.ops.reference`."
    index = (ROOT / "docs/reference/troubleshooting.md").read_text()
    assert [name for name in wanted if index.count(f"](causes/{name})") != 1] == []


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs/reference/commands.md").read_text()
    commands = dict(reference.leaves(parser()))
    assert len(commands) >= 9
    for name, command in commands.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section, name
        for option in command._actions:
            missing = [one for one in option.option_strings if one not in section and option.dest != "help"]
            assert missing == [], name


def test_every_setting_is_documented() -> None:
    read = {
        variable
        for file in files()
        if str(file).startswith(("src/", "bin/")) and file.suffix in ("", ".py", ".sh")
        for variable in VARIABLE.findall((ROOT / file).read_text())
    }
    assert len(read) > 5
    assert read - reference.SETTINGS.keys() == set()
    assert reference.SETTINGS.keys() - read == set()


def test_every_capability_of_a_provider_is_in_the_matrix() -> None:
    assert [field.name for field in dataclasses.fields(Capabilities) if field.name not in provider_matrix.ROWS] == []
    assert provider_matrix.ROWS.keys() <= {field.name for field in dataclasses.fields(Capabilities)}


def test_every_address_of_the_api_is_documented() -> None:
    page = (ROOT / "docs/reference/api.md").read_text()
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    assert [path for path in paths if f" {path.removeprefix('/api/v1')}\n" not in page] == []


def test_every_error_code_of_the_api_is_documented_and_used() -> None:
    page = (ROOT / "docs/reference/api.md").read_text()
    source = "\n".join(file.read_text() for file in sorted((ROOT / "src/postroom/api").glob("*.py")))
    assert [code for code in PROBLEMS if f"\n### {code}\n" not in page] == []
    assert [code for code in PROBLEMS if source.count(f'"{code}"') < 2] == []
    for kind in PROBLEMS.values():
        assert all(dataclasses.astuple(kind))


def error_classes() -> list[type[errors.ProviderError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in found if issubclass(kind, errors.ProviderError)]


def raised_codes(file: Path) -> set[str]:
    """The codes given to the errors of providers/errors.py in a file, and the defaults of the classes."""
    names = {kind.__name__ for kind in error_classes()}
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                found.add(str(node.args[0].value))
    return found


def test_every_error_of_a_mail_server_has_words() -> None:
    codes = {kind.default_code for kind in error_classes()}
    for file in files():
        if str(file).startswith("src/postroom/") and file.suffix == ".py":
            codes |= raised_codes(ROOT / file)
    assert len(codes) > 15
    assert {code for code in codes if not CODE.fullmatch(code)} == set()
    assert sorted(codes - catalogue.CATALOGUE.keys()) == []
