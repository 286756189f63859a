"""The pages of docs/reference but the API's, printed from the code: `python -m postroom.ops.reference [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from postroom.ops.cause_pages import cause_pages, troubleshooting_page
from postroom.ops.cli import parser
from postroom.ops.provider_matrix import providers_page
from postroom.providers import registry
from postroom.providers.oauth import variables

FOLDER: Final = Path(__file__).resolve().parents[3] / "docs" / "reference"
CAUSES: Final = FOLDER / "causes"
WIDTH: Final = 110

# Every variable of the environment that Postroom reads: what it means, and what it is without one.
SETTINGS: Final[dict[str, tuple[str, str]]] = {
    "POSTROOM_DATA": ("The data folder: keys, attachments, logs, the private database.", "`var/data` in the checkout"),
    "POSTROOM_HOST": ("The address the web process listens on.", "`127.0.0.1`"),
    "POSTROOM_PORT": ("The port the web process listens on.", "`8000`"),
    "POSTROOM_POOL": (
        "Anything: keep database connections open from one request to the next. The processes set it for themselves.",
        "set by `bin/up`, not by commands",
    ),
    "POSTROOM_PUBLIC_URL": ("The address people open, when a proxy stands in front.", "`http://localhost:PORT`"),
    "POSTROOM_PUSH_URL": (
        "Where providers call `/push/…` when mail arrives; `none` switches that off.",
        "`POSTROOM_PUBLIC_URL`, if it is https and public",
    ),
    "DATABASE_URL": ("A PostgreSQL server, 14 or newer (libpq URI).", "a private one in the data folder"),
    "POSTROOM_ALLOWED_NETWORKS": (
        "Networks (CIDR, comma-separated) that mail servers may lie in besides public addresses.",
        "none",
    ),
    "POSTROOM_CA_FILE": ("Certificate authorities (PEM) trusted for mail servers besides the system's.", "none"),
    "POSTROOM_NAME_SERVER": (
        "The name server to ask in place of the system's: an address, with a port or without (`127.0.0.1:53`).",
        "the system's",
    ),
    "POSTROOM_ASK_PUBLIC_DATABASE": (
        "`yes`: Mozilla's database of mail settings is asked too when an address is connected; it learns the domain.",
        "no",
    ),
    "POSTROOM_AUTOCONFIG_PORT": (
        "For tests only: the port where the settings files of domains are fetched from (https).",
        "443",
    ),
    "POSTROOM_POLL_SECONDS": (
        "Seconds between looks at providers that keep no connection open; 1 to 3600.",
        "15",
    ),
    "POSTROOM_SECRET_KEYS_FILE": ("The keys that seal mailbox passwords (JSON).", "made in the data folder"),
    "POSTROOM_LOG_LEVEL": ("DEBUG, INFO, WARNING or ERROR.", "`INFO`"),
    "POSTROOM_FAIL": (
        "For tests only: where a process dies or fails on purpose (`POINT:ACTION:NTH`, see `engine/failpoints.py`).",
        "nowhere",
    ),
    "POSTROOM_LOG_FORMAT": ("`text`, or `json`: one JSON object a line.", "`text`"),
    "POSTROOM_METRICS_TOKEN": (
        "What a Prometheus server on another machine sends as bearer token to read `/metrics`.",
        "only this machine may read it",
    ),
    "POSTROOM_DEMO": (
        "Set by `bin/up --demo`: the API and `bin/postroom mailbox` may connect a sandbox mailbox; no page offers it.",
        "not set",
    ),
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say (1) that one is not up to date."""
    pages = {
        FOLDER / "commands.md": commands_page(),
        FOLDER / "settings.md": settings_page(),
        FOLDER / "troubleshooting.md": troubleshooting_page(),
        FOLDER / "providers.md": providers_page(),
        **{CAUSES / name: text for name, text in cause_pages().items()},
    }
    left_over = set(CAUSES.glob("*.md")) - pages.keys()
    if "--check" in arguments:
        is_same = all(file.exists() and file.read_text() == text for file, text in pages.items())
        return 0 if is_same and not left_over else 1
    CAUSES.mkdir(parents=True, exist_ok=True)
    for file, text in pages.items():
        file.write_text(text)
    for file in left_over:
        file.unlink()
    return 0


def commands_page() -> str:
    """The whole command line as Markdown."""
    lines = [
        "# Commands\n",
        "<!-- Printed by `python -m postroom.ops.reference`. Do not edit: change the code and print it again. -->\n",
        "`bin/postroom COMMAND` works whether or not `bin/up` runs. It ends with 0 when it is done, 1 when it failed",
        "(stderr says why and what to do) and 2 when it was used wrongly. `--json` prints one JSON document on stdout.",
        "Passwords come in by a pipe: `printf '%s\\n' \"$PASSWORD\" | bin/postroom … --password-stdin`.",
    ]
    for name, command in leaves(parser()):
        lines += [f"\n## {name}\n", command.description or "", "\n| option | |", "|---|---|", *_options(command)]
    return "\n".join(lines).rstrip() + "\n"


def all_settings() -> dict[str, tuple[str, str]]:
    """Every variable, those of each provider with OAuth included."""
    told = dict(SETTINGS)
    for one in registry.PROVIDERS.values():
        told |= variables(one.oauth) if one.oauth else {}
    return told


def settings_page() -> str:
    """The environment's variables as Markdown."""
    lines = [
        "# Settings\n",
        "<!-- Printed by `python -m postroom.ops.reference`. Do not edit: change the code and print it again. -->\n",
        "All settings are variables of the environment; none is needed to start.\n",
        "| variable | means | without it |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {means} | {default} |" for name, (means, default) in all_settings().items()]
    return "\n".join(lines) + "\n"


def leaves(whole: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, by its full name."""
    groups: list[Any] = [one for one in whole._actions if isinstance(one, argparse._SubParsersAction)]
    for group in groups:
        for word, command in group.choices.items():
            yield from leaves(command, f"{name} {word}".strip())
    if not groups:
        yield name, whole


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for option in command._actions:
        if isinstance(option, argparse._HelpAction):
            continue
        takes = option.metavar or ("" if option.nargs == 0 else option.dest.upper())
        words = "/".join(option.choices) if option.choices else takes
        text = (option.help or "") % {"default": option.default} if option.help else ""
        text += f" (default: {option.default})" if option.choices and option.default and "default" not in text else ""
        needed = " **needed.**" if option.required else ""
        yield f"| `{', '.join(option.option_strings)}{f' {words}' if words else ''}` | {text.strip()}{needed} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
