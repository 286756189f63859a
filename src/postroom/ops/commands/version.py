"""`version`."""

from __future__ import annotations

import argparse
from typing import Any

from postroom import __version__
from postroom.ops.commands.options import declare
from postroom.ops.output import Output


def add(commands: Any) -> None:
    declare(commands, "version", version, "Print the version.", needs_database=False)


def version(options: argparse.Namespace, output: Output) -> int:
    output.line(__version__)
    output.answer({"version": __version__})
    return 0
