"""Every error that can be raised has words, and the words keep the house's style."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from postroom.providers import catalogue, errors
from postroom.providers.catalogue import Meaning
from postroom.providers.gmail.errors import CAUSES as GMAIL_CAUSES
from postroom.providers.imap.causes import CAUSES
from postroom.providers.outlook.errors import CAUSES as GRAPH_CAUSES

PROVIDERS = Path(errors.__file__).parent
TREE = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
# Functions that take a code after the class of the error, by the position of the code.
CODE_POSITION = {"error_for": 3, "error_for_status": 3, "error_for_reply": 4, "refusal": 2}


def codes_raised() -> set[str]:
    codes = {value.default_code for value in TREE.values() if issubclass(value, errors.ProviderError)}
    codes |= {cause.code for cause in (*CAUSES, *GRAPH_CAUSES, *GMAIL_CAUSES)}
    for path in PROVIDERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            position = 0 if name in TREE else CODE_POSITION.get(name)
            if position is not None and len(node.args) > position:
                argument = node.args[position]
                if isinstance(argument, ast.Constant) and argument.value:
                    codes.add(str(argument.value))
    connect = (PROVIDERS / "imap/connect.py").read_text()
    return codes | set(re.findall(r'return "(certificate_\w+)"', connect))


def test_every_code_has_an_entry() -> None:
    assert codes_raised() - set(catalogue.CATALOGUE) == set()
    assert len(codes_raised()) > 50  # the search above must not quietly find nothing


def test_no_code_is_explained_twice() -> None:
    assert len(catalogue.CATALOGUE) == len(catalogue.ENTRIES)


def test_no_two_causes_have_one_title() -> None:
    """Lists of causes show titles: people could not tell the two apart."""
    titles = [entry.title for entry in catalogue.ENTRIES]
    assert sorted({title for title in titles if titles.count(title) > 1}) == []


# What the class of an error makes Postroom do (errors.py) -> what its code may mean to people.
MEANINGS = {
    errors.NeedsReconnect: {"reconnect"},
    errors.NeedsAdministrator: {"administrator", "operator"},
    errors.WrongSettings: {"settings", "operator", "administrator"},
    errors.Unreachable: {"slow", "operator"},
    errors.Throttled: {"limit", "slow", "message"},  # a message: its recipient asks for patience
    errors.Refused: {"message", "limit", "administrator", "settings", "none"},
    errors.StorageFull: {"operator"},
    errors.InDoubt: {"message"},
}


def allowed_meanings(kind: type[errors.ProviderError]) -> set[str]:
    return next((allowed for parent, allowed in MEANINGS.items() if issubclass(kind, parent)), set(get_args(Meaning)))


def test_every_class_and_every_row_means_what_its_reaction_is() -> None:
    told = {(kind, kind.default_code) for kind in TREE.values() if issubclass(kind, errors.ProviderError)}
    told |= {(cause.error, cause.code) for cause in (*CAUSES, *GRAPH_CAUSES, *GMAIL_CAUSES)}
    assert len(told) > 60
    wrong = [
        (kind.__name__, code, meaning)
        for kind, code in sorted(told, key=str)
        if (meaning := catalogue.CATALOGUE[code].meaning) not in allowed_meanings(kind)
    ]
    assert wrong == []


def test_every_meaning_has_words_and_is_used() -> None:
    assert catalogue.MEANINGS.keys() == set(get_args(Meaning)) == {one.meaning for one in catalogue.CATALOGUE.values()}


@pytest.mark.parametrize("entry", catalogue.CATALOGUE.values(), ids=lambda entry: entry.code)
def test_who_must_act_agrees_with_what_it_means(entry: catalogue.Entry) -> None:
    assert (entry.who == "mail administrator") <= (entry.meaning in ("administrator", "settings"))
    assert (entry.meaning == "operator") <= (entry.who == "Postroom administrator")
    assert (entry.meaning == "reconnect") <= (entry.who == "you")


@pytest.mark.parametrize("entry", catalogue.CATALOGUE.values(), ids=lambda entry: entry.code)
def test_the_words_keep_the_style(entry: catalogue.Entry) -> None:
    words = " ".join((entry.title, entry.what, *entry.fix)).lower()
    assert not re.search(r"\b(please|oops|invalid|successfully|sorry)\b|!", words)
    assert entry.what.endswith((".", "}")) and all(step.endswith((".", "?")) for step in entry.fix)
    assert (
        entry.fix
        or entry.who == "nobody"
        or entry.code in ("unsupported", "response_too_deep", "flood", "too_many_literals")
    )


@pytest.mark.parametrize("code", catalogue.CATALOGUE)
def test_a_check_promises_nothing_that_only_a_sync_does(code: str) -> None:
    entry = catalogue.explain_check(code)
    assert "Mail that arrives meanwhile" not in entry.what
    assert entry.fix or catalogue.CATALOGUE[code].who != "nobody"


def test_facts_fill_the_words_and_stay_plain() -> None:
    entry = catalogue.explain("sign_in_refused", host="imap.{username}.test\r\n", username="<b>Ann</b>")
    assert entry.what == "imap.{username}.test   refused the user name or the password for <b>Ann</b>."
    assert "{" not in catalogue.explain("timed_out").what
    assert catalogue.explain("timed_out").what.startswith("The mail server did not answer.")
    assert catalogue.explain("icloud_app_password").title.startswith("iCloud")
    assert catalogue.explain("no_such_code", host="h").code == "no_such_code"
