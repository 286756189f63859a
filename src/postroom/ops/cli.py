"""`postroom COMMAND`: the command line. Exit codes: 0 done, 1 failed (stderr says why), 2 used wrongly.

Commands work whether or not `bin/up` runs; DATABASE_URL names the database, else the one of the data folder is used.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from postroom.ops.commands import doctor, mailbox, people, sync, version
from postroom.ops.data_folder import DataFolderError
from postroom.ops.embedded_postgres import EmbeddedPostgresError
from postroom.ops.output import CommandFailed, Output
from postroom.ops.running_database import running_database
from postroom.providers.discovery.places import Places
from postroom.providers.guard import NetworkPolicy, UnfitSetting
from postroom.providers.pace import poll_seconds_of

Command = Callable[[argparse.Namespace, Output], int]

GROUPS = (people, mailbox, sync, doctor, version)


def parser() -> argparse.ArgumentParser:
    """The whole command line; docs/reference/commands.md is printed from it."""
    whole = argparse.ArgumentParser(prog="postroom", description="The postroom of a team's CRM.")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    output = Output(as_json=options.json)
    try:
        if not options.needs_database:
            return answer(options.run, options, output)
        NetworkPolicy.from_environment(os.environ)
        poll_seconds_of(os.environ)
        Places.from_environment(os.environ)
        with running_database(output.progress):
            return answer(options.run, options, output)
    except (CommandFailed, DataFolderError, EmbeddedPostgresError, UnfitSetting) as error:
        output.failure(str(error), getattr(error, "code", "failed"))
        return 1
    except BrokenPipeError:  # `postroom … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def answer(run: Command, options: argparse.Namespace, output: Output) -> int:
    """Run one command on a database that is ready; what it refuses is said, and the exit code is 1."""
    from django.core.exceptions import ValidationError
    from django.db import OperationalError

    try:
        return run(options, output)
    except CommandFailed as failed:
        output.failure(str(failed), failed.code)
    except ValidationError as refused:
        output.failure(" ".join(refused.messages), "invalid")
    except OperationalError as error:
        output.failure(str(error).strip(), "database")
    return 1


if __name__ == "__main__":
    sys.exit(main())
