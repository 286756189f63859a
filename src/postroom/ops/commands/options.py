"""How commands declare themselves, and how a password comes in: by a pipe, never as an argument that `ps` shows."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from postroom.ops.output import CommandFailed

LONGEST_LINE = 4096


def declare(
    commands: Any, name: str, run: Any, help_text: str, *, needs_database: bool = True
) -> argparse.ArgumentParser:
    """A command with what all have: `--json`, its function and whether it needs the database."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
    command.add_argument("--json", action="store_true", help="print one JSON document on stdout and nothing else there")
    command.set_defaults(run=run, needs_database=needs_database)
    return command


def group(commands: Any, name: str, help_text: str) -> Any:
    """A command that has commands of its own."""
    parent = commands.add_parser(name, help=help_text, description=help_text)
    return parent.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_password(command: argparse.ArgumentParser) -> None:
    command.add_argument("--password-stdin", action="store_true", required=True, help="read the password from stdin")


def read_password(what: str = "the password") -> str:
    """One line of stdin. Raises CommandFailed when there is none."""
    line = sys.stdin.readline(LONGEST_LINE).rstrip("\r\n")
    if not line:
        example = "printf '%s\\n' \"$PASSWORD\" | postroom …"
        raise CommandFailed(f"No line for {what} came on stdin. Example: {example}", "usage")
    if "\0" in line:
        raise CommandFailed(f"{what.capitalize()} holds a NUL character.", "usage")
    return line
