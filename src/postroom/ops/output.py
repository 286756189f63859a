"""What a command says: its answer on stdout (or one JSON document), what it is doing on stderr."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class CommandFailed(Exception):
    """A command cannot go on; the text says why and what to do."""

    def __init__(self, reason: str, code: str = "failed") -> None:
        self.code = code
        super().__init__(reason)


@dataclass(slots=True)
class Output:
    """Where a command writes. With `as_json` nothing but `answer` reaches stdout."""

    as_json: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody watches: then long work draws a bar."""
        return self.stderr.isatty() and not self.as_json

    def line(self, text: str) -> None:
        """A line of the answer for people."""
        if not self.as_json:
            print(_plain(text), file=self.stdout, flush=True)

    def progress(self, text: str) -> None:
        """What is being done now."""
        if not self.as_json:
            print(_plain(text), file=self.stderr, flush=True)

    def answer(self, document: Any) -> None:
        """The answer for programs."""
        if self.as_json:
            print(json.dumps(document, default=str, ensure_ascii=False), file=self.stdout, flush=True)

    def failure(self, reason: str, code: str = "failed") -> None:
        """Why the command ended with 1."""
        print(f"postroom: {_plain(reason)}", file=self.stderr, flush=True)
        self.answer({"ok": False, "code": code, "error": reason})


def _plain(text: str) -> str:
    """The text as a terminal shows it and does nothing else: names of folders and subjects are a stranger's."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
