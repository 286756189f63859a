"""What `bin/up` says while it starts: styled in a terminal, one plain line a step in a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class Progress:
    """Steps with their seconds. No spinner: its thread would be copied by the forks that start the children."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._terminal = None
        if self.stream.isatty():
            from rich.console import Console  # 60 ms that a pipe need not wait for

            self._terminal = Console(file=self.stream, highlight=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is being done, then how long it took."""
        started = time.monotonic()
        if self._terminal:
            self._terminal.print(f"  [dim]…[/] {text}", end="\r")
        yield
        seconds = time.monotonic() - started
        if self._terminal:
            self._terminal.print(f"  [green]✓[/] {text} [dim]{seconds:.1f} s[/]")
        else:
            self.say(f"  {text}: done in {seconds:.1f} s")

    def say(self, text: str) -> None:
        with suppress(OSError):  # `bin/up | head`, a terminal that was closed: no reason to end in disorder
            print(text, file=self.stream, flush=True)

    def warn(self, text: str) -> None:
        if self._terminal:
            with suppress(OSError):
                self._terminal.print(text, style="yellow", markup=False, soft_wrap=True)
        else:
            self.say(text)

    def address(self, url: str) -> None:
        """The one line with the address."""
        if self._terminal:
            self._terminal.print(f"\n  Postroom runs at [bold]{url}[/]  [dim](Ctrl-C ends it)[/]\n", soft_wrap=True)
        else:
            self.say(f"Postroom runs at {url}")
