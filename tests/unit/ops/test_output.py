"""What a command prints is read by a terminal, which obeys what it reads."""

from __future__ import annotations

import io

from postroom.ops.output import Output


def test_a_strangers_words_move_no_cursor_and_name_no_window() -> None:
    output = Output(stdout=io.StringIO(), stderr=io.StringIO())
    for say in (output.line, output.progress, output.failure):
        say("Inbox/\x1b]0;owned\x07\x9b2J\r\u202eüß\tand\nso on")
    said = output.stdout.getvalue() + output.stderr.getvalue()  # type: ignore[attr-defined]
    assert said.count("Inbox/\ufffd]0;owned\ufffd\ufffd2J\ufffd\ufffdüß\tand\nso on\n") == 3
