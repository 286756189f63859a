"""What the documentation leads to exists: files, headings, buttons, commands, settings and addresses of the API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from postroom.api.v1 import api
from postroom.ops import reference
from postroom.ops.cli import parser
from tests.guards.checkout import ROOT, files

PAGES: Final = [file for file in files() if file.suffix == ".md" and not str(file).startswith("tests/")]
GUIDES: Final = [file for file in PAGES if str(file).startswith("docs/how-to/")]
CODE: Final = re.compile(r"^\s*```.*?^\s*```", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")
BEGINNING: Final = re.compile(r"(?:\A|\n\n|\n *(?:-|\d+\.) |\| )\Z")
CALL: Final = re.compile(r"`(GET|POST|PATCH|DELETE) (?:/api/v1)?(/(?!metrics)[^\s`?]+)")
COMMAND: Final = re.compile(r"bin/postroom ([a-z][^\n`)]*)")
VARIABLE: Final = re.compile(r"\bPOSTROOM_[A-Z_]*[A-Z]\b")
HOLE: Final = "…"  # in place of what a template fills in


def text_of(page: Path) -> str:
    return (ROOT / page).read_text()


def prose_of(page: Path) -> str:
    """Without examples of code."""
    return CODE.sub("", text_of(page))


def names_in(text: str) -> set[str]:
    """What is bold amid a sentence: names on pages, each step of a path by itself. At the beginning of a paragraph, an
    item or a cell it is a heading."""
    bold = (one[1] for one in BOLD.finditer(text) if not BEGINNING.search(text[: one.start()][-8:]))
    return {part for name in bold for part in " ".join(name.split()).split(" > ")}


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.fixture(scope="module")
def shown() -> str:
    """Everything that pages may say: templates without their markup, what is filled in being a hole, and programs."""
    sources = [ROOT / file for file in files() if str(file).startswith("src/postroom/")]
    markup = "\n".join(file.read_text() for file in sources if file.suffix == ".html")
    usual = re.sub(r"""{{[^}]*default:"([^"]*)"[^}]*}}""", r"\1", markup)
    text = re.sub(r"{%.*?%}|<[^>]+>", "", re.sub(r"{{.*?}}", HOLE, usual))
    programs = "\n".join(file.read_text() for file in sources if file.suffix in (".py", ".js"))
    return " ".join(f"{text}\n{programs}".split())


@pytest.mark.parametrize("document", PAGES, ids=str)
def test_no_link_is_dead(document: Path) -> None:
    dead = []
    for target in LINK.findall(prose_of(document)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (ROOT / document).parent / name if name else ROOT / document
        if not file.exists() or (anchor and anchor not in anchors_of(file.resolve().relative_to(ROOT.resolve()))):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("document", GUIDES, ids=str)
def test_every_name_of_a_button_or_a_page_is_shown_somewhere(document: Path, shown: str) -> None:
    names = names_in(prose_of(document))
    unknown = [name for name in names if name not in shown and re.sub("Google|Microsoft", HOLE, name) not in shown]
    assert sorted(unknown) == []


@pytest.mark.parametrize("document", GUIDES, ids=str)
def test_every_command_and_setting_exists(document: Path) -> None:
    commands = dict(reference.leaves(parser()))
    for line in COMMAND.findall(text_of(document)):
        words = line.split()
        name = next((" ".join(words[:length]) for length in (2, 1) if " ".join(words[:length]) in commands), "")
        assert name, f"bin/postroom {line}"
        options = {option for action in commands[name]._actions for option in action.option_strings}
        assert [word for word in words if word.startswith("--") and word not in options] == [], line
    settings = set(VARIABLE.findall(text_of(Path("docs/reference/settings.md"))))
    assert sorted(set(VARIABLE.findall(text_of(document))) - settings) == []


def test_every_address_of_the_api_exists() -> None:
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    known = {
        (method.upper(), re.sub(r"{\w+}", "{}", path.removeprefix("/api/v1")))
        for path, calls in paths.items()
        for method in calls
    }
    named = {(file.name, *call) for file in GUIDES for call in CALL.findall(text_of(file))}
    assert sorted(call for call in named if (call[1], re.sub(r"{\w+}", "{}", call[2])) not in known) == []


def test_the_searches_above_find_something() -> None:
    guides = "\n\n".join(map(text_of, GUIDES))
    found = [len(set(search.findall(guides))) for search in (LINK, CALL, COMMAND, VARIABLE)]
    found.append(len(names_in(guides)))
    assert all(number >= 8 for number in found), found
