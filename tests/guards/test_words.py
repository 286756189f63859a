"""Only providers/ knows providers. Elsewhere code asks Capabilities; pages may speak of them to people."""

import re
from pathlib import Path

import pytest

from tests.guards.checkout import ROOT, code_words, python_files

NAMES = re.compile(r"(?<![a-z])(gmail|outlook|google|microsoft|imap)(?![a-z])", re.IGNORECASE)

# File -> why it may name a provider. Comments and docstrings may anywhere.
ALLOWED = {
    "src/postroom/web/mailbox_card.py": "what people call the kinds of mailboxes",
    "src/postroom/web/forms/mailboxes.py": "the form for one provider's servers",
    "src/postroom/api/mailboxes.py": "API v1 has a field of that name (DESIGN.md 11)",
    "src/postroom/api/discovery.py": "API v1 has a field of that name (DESIGN.md 11)",
    "src/postroom/api/schemas.py": "API v1 has a field of that name (DESIGN.md 11)",
    "src/postroom/mail/mime/quotes.py": "classes that mail programs write into the HTML of a quote",
    "src/postroom/ops/commands/mailbox.py": "a command whose options are one provider's servers",
    "src/postroom/web/check_words.py": "the words for the steps of a check",
}


def naming(file: Path) -> list[str]:
    return [f"{file}:{line}: {word[:80]}" for line, word in code_words(file) if NAMES.search(word)]


def test_no_code_outside_providers_names_one() -> None:
    files = [file for file in python_files("src/") if not str(file).startswith("src/postroom/providers/")]
    assert len(files) > 50
    found = [place for file in files if str(file) not in ALLOWED for place in naming(file)]
    assert found == []


@pytest.mark.parametrize("file", sorted(ALLOWED))
def test_the_list_of_exceptions_is_not_longer_than_needed(file: str) -> None:
    assert (ROOT / file).exists()
    assert naming(Path(file))


def test_a_name_is_seen_in_code_and_not_in_comments(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text('"""imap"""\n# gmail\nx = 1  # outlook\ny = "Gmail"\ngoogle_id = minimap = 2\n')
    assert [line for line, word in code_words(file) if NAMES.search(word)] == [4, 5]
