"""How a log entry is written: as a line of text, or as one JSON object (POSTROOM_LOG_FORMAT=json).

A log is read by more people than mail is. An exception's own text may quote what it broke on (PostgreSQL repeats the
row, a server the user name), so only those are printed that cannot; of the rest the type, the code and the way to it.
A package for JSON logs would print them all.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from psycopg import Error as DatabaseError

from postroom.providers.errors import ProviderError

FIELDS: Final = ("mailbox_id", "slice_id", "submission_id", "code", "seconds")  # of a call's `extra`, where it has them
_QUOTES_NO_MAIL: Final = (TypeError, AttributeError, NameError, ImportError, RuntimeError, MemoryError)

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextLines(logging.Formatter):
    """`2026-11-23 10:00:00,123 WARNING postroom.engine.supervisor the words`, and below it the traceback."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name} {message}", style="{")

    def formatException(self, ei: ExceptionInfo) -> str:
        return traceback_without_contents(ei[1]) if ei[1] is not None else ""


class JsonLines(TextLines):
    """One JSON object a line: time, level, logger, process, message, what `extra` gave of FIELDS, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.processName,
            "message": record.getMessage(),
        }
        entry |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def traceback_without_contents(error: BaseException) -> str:
    """The files, lines and functions on the way to an error and its causes; no value of any variable."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    told = [
        f"Traceback (most recent call last):\n{''.join(traceback.format_tb(one.__traceback__))}{name_of(one)}"
        for one in reversed(chain)
    ]
    if isinstance(error, BaseExceptionGroup):
        told += [traceback_without_contents(part) for part in error.exceptions]
    return "\n".join(told)


def name_of(error: BaseException) -> str:
    """What may be said of an error: its type, and what its words hold besides mail."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    match error:
        case ProviderError():
            said = error.code
        case DatabaseError():
            said = " ".join(filter(None, (error.sqlstate, error.diag.table_name, error.diag.constraint_name)))
        case OSError():
            said = error.strerror or ""
        case _ if isinstance(error, _QUOTES_NO_MAIL):
            said = str(error)
        case _:
            said = ""
    return f"{name}: {said}" if said else name


def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For sys.excepthook: what ends a process goes the same way."""
    logging.getLogger(__name__).critical("an error ends the process", exc_info=(kind, error, trace))


def log_loop_error(loop: object, context: dict[str, Any]) -> None:
    """For the event loop's exception handler, whose own words have the repr of tasks and their errors."""
    error = context.get("exception")
    logging.getLogger("asyncio").error(context["message"], exc_info=error or False)
