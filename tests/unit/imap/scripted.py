"""An IMAP server that answers from a script, each command in its turn, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from postroom.providers.imap.provider import ImapProvider
from postroom.providers.imap.session import ImapSession
from postroom.providers.imap.transport import Timeouts
from tests.unit.imap.stubs import loopback_policy, serving
from tests.unit.imap.test_bad_servers import credentials

QUICK = Timeouts(greeting_seconds=2.0, silence_seconds=2.0, command_seconds=4.0)
PLAIN = "IDLE"
GMAIL = "IDLE ENABLE CONDSTORE ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE"
FULL = f"{GMAIL} QRESYNC NOTIFY NAMESPACE"


@dataclass
class Script:
    """Answers by the beginning of a command, the longest that fits first; each list in order, its last for ever.

    An answer is what comes before the tagged OK, which is added unless the answer ends with a tagged line of its own
    (TAG stands for the tag). What is not in the script is answered with OK alone.
    """

    capability: str = PLAIN
    answers: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hangs_up_after: str = "nothing"  # the beginning of a command
    writer: asyncio.StreamWriter | None = None

    def on(self, command: str, *answers: str) -> Script:
        self.answers[command] = list(answers)
        return self

    def push(self, text: str) -> None:
        """Say something that nobody asked for."""
        assert self.writer is not None
        self.writer.write(_lines(text).encode())

    def asked_for(self, command: str) -> list[str]:
        return [line for line in self.asked if line.startswith(command)]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        idling = ""
        writer.write(f"* OK [CAPABILITY IMAP4rev1 {self.capability}] hello\r\n".encode())
        while line := (await reader.readline()).decode():
            if line.strip() == "DONE":
                writer.write(f"{idling} OK done\r\n".encode())
                continue
            tag, _, command = line.strip().partition(" ")
            while command.endswith("}"):
                size = int(command.rpartition("{")[2].rstrip("}+"))
                writer.write(b"+ go\r\n")
                command = command.rpartition("{")[0] + (await reader.readexactly(size)).decode()
                command += (await reader.readline()).decode().rstrip("\r\n")
            self.asked.append(command)
            if command == "IDLE":
                idling = tag
                writer.write(b"+ idling\r\n")
                continue
            is_last = command.startswith(self.hangs_up_after)
            answer = self._answer(tag, command)
            writer.write((answer.rpartition(f"{tag} ")[0] if is_last else answer).encode())
            await writer.drain()
            if is_last:
                return

    def _answer(self, tag: str, command: str) -> str:
        begins = max((begin for begin in self.answers if command.startswith(begin)), key=len, default=None)
        if begins is None:
            return f"{tag} OK done\r\n"
        answers = self.answers[begins]
        text = _lines(answers.pop(0) if len(answers) > 1 else answers[0])
        last = text.rstrip("\r\n").rpartition("\r\n")[2]
        return text.replace("TAG ", f"{tag} ") if last.startswith("TAG ") else f"{text}{tag} OK done\r\n"


def _lines(text: str) -> str:
    told = [line.strip() for line in text.strip().splitlines()]
    return "".join(f"{line}\r\n" for line in told if line)


def examined(uid_validity: int, uid_next: int | None, exists: int, modseq: int | None = None) -> str:
    """The answer to EXAMINE."""
    codes: Sequence[tuple[str, int | None]] = (
        ("UIDVALIDITY", uid_validity), ("UIDNEXT", uid_next), ("HIGHESTMODSEQ", modseq)
    )  # fmt: skip
    told = [f"* OK [{name} {value}] ." for name, value in codes if value is not None]
    return "\n".join([f"* {exists} EXISTS", *told])


def listed(*uids: int, flags: str = "", modseq: int | None = None) -> str:
    """FETCH answers of a listing."""
    tail = f" MODSEQ ({modseq})" if modseq is not None else ""
    return "\n".join(
        f"* {number} FETCH (UID {uid} FLAGS ({flags}) RFC822.SIZE 9{tail})" for number, uid in enumerate(uids, 1)
    )


@asynccontextmanager
async def session_on(script: Script) -> AsyncIterator[ImapSession]:
    """A signed-in session with the scripted server."""
    async with serving(script.converse) as port:
        session = await ImapProvider(loopback_policy(), timeouts=QUICK).open(credentials(port))
        yield session
        await session.close()
