"""An IMAP server of thousands of empty mailboxes, over TLS, for bench/idle: `python -m bench.idle_stub CERTIFICATE`.

It offers what Dovecot and Gmail offer, for whoever signs in, and answers just enough. Prints its port.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys

import uvloop

from postroom.ops.processes import open_many_files

OFFERED = (
    "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH UIDPLUS MOVE CONDSTORE"
    " QRESYNC NAMESPACE AUTH=PLAIN"
)
FOLDERS = {
    "INBOX": "",
    "Sent": " \\Sent",
    "Archive": " \\Archive",
    "Drafts": " \\Drafts",
    "Junk": " \\Junk",
    "Trash": " \\Trash",
}
EXAMINED = (
    "* FLAGS (\\Seen)\r\n* 0 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 1] .\r\n"
    "* OK [HIGHESTMODSEQ 1] .\r\n"
)
NUMBERS = "(UIDVALIDITY 7 UIDNEXT 1 MESSAGES 0 UNSEEN 0 HIGHESTMODSEQ 1)"
_LITERAL = re.compile(rb"\{\d+\+?\}\r\n")


class Conversation(asyncio.Protocol):
    """One client."""

    __slots__ = ("_buffer", "_idle_tag", "_transport")

    def __init__(self) -> None:
        self._buffer = b""
        self._idle_tag = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._say(f"* OK [CAPABILITY {OFFERED}] ready\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer = _LITERAL.sub(b"", self._buffer + data)  # literals come without waiting (LITERAL+)
        while b"\r\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            self._answer(line.decode("latin-1"))

    def _answer(self, line: str) -> None:
        if line.upper() == "DONE":
            self._say(f"{self._idle_tag} OK done\r\n")
            return
        tag, _, command = line.partition(" ")
        told = command.upper()
        if told.startswith("IDLE"):
            self._idle_tag = tag
            self._say("+ idling\r\n")
            return
        untagged, code = "", ""
        if told.startswith("CAPABILITY"):
            untagged = f"* CAPABILITY {OFFERED}\r\n"
        elif told.startswith(("AUTHENTICATE", "LOGIN")):
            code = f"[CAPABILITY {OFFERED}] "
        elif told.startswith("LIST"):
            untagged = "".join(f'* LIST (\\HasNoChildren{role}) "/" {name}\r\n' for name, role in FOLDERS.items())
            if "STATUS (" in told:
                untagged += "".join(f"* STATUS {name} {NUMBERS}\r\n" for name in FOLDERS)
        elif told.startswith("NAMESPACE"):
            untagged = '* NAMESPACE (("" "/")) NIL NIL\r\n'
        elif told.startswith("EXAMINE"):
            untagged, code = EXAMINED, "[READ-ONLY] "
        elif told.startswith("STATUS"):
            name = command.split()[1].strip('"')
            untagged = f"* STATUS {name} {NUMBERS}\r\n"
        self._say(f"{untagged}{tag} OK {code}done\r\n")

    def _say(self, text: str) -> None:
        self._transport.write(text.encode())  # type: ignore[attr-defined]


async def main(certificate: str) -> None:
    open_many_files()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        Conversation,
        "0.0.0.0",
        0,
        ssl=context,
        backlog=4096,  # all of 127.0.0.0/8
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
