"""What the guards look at: the files that belong to the product, as git knows them."""

import io
import subprocess
import tokenize
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@lru_cache(maxsize=1)
def files() -> tuple[Path, ...]:
    """Every file that is committed, or would be by `git add`: relative to the checkout, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = {Path(name) for name in listed.decode().split("\0") if name}
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def python_files(*folders: str) -> list[Path]:
    return [file for file in files() if file.suffix == ".py" and str(file).startswith(folders)]


def code_words(file: Path) -> list[tuple[int, str]]:
    """The names and texts of a Python file with their lines, without comments and docstrings."""
    words, at_start = [], True
    for token in tokenize.generate_tokens(io.StringIO((ROOT / file).read_text()).readline):
        if token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT):
            at_start = at_start or token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
            continue
        if not (at_start and token.type == tokenize.STRING):  # a text that is a statement is a docstring
            words.append((token.start[0], token.string))
        at_start = False
    return words
