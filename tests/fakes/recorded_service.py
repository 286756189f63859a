"""A mail service on loopback that says what was recorded of another: to a refused sign-in, and to senders."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.recordings import Service
from tests.unit.imap.stubs import serving


@dataclass
class Answers:
    """What to say to a user name: "" lets it in. `sender` and `recipient` are SMTP's answers to MAIL and RCPT."""

    imap: Callable[[str], str] = lambda username: ""
    smtp: Callable[[str], str] = lambda username: ""
    sender: str = "250 2.1.0 OK"
    recipient: str = "250 2.1.5 OK"
    signed_in: list[tuple[str, str]] = field(default_factory=list)  # each try: server, user name
    heard: list[str] = field(default_factory=list)  # SMTP commands
    imap_port: int = 0
    smtp_port: int = 0


@asynccontextmanager
async def recorded_service(service: Service, answers: Answers) -> AsyncIterator[Answers]:
    """Serve both protocols in plain text until the block ends."""

    async def imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{service.imap_greeting}\r\n".encode())
        while line := (await reader.readline()).decode():
            tag, _, command = line.rstrip("\r\n").partition(" ")
            if command.startswith("CAPABILITY"):
                writer.write(f"* CAPABILITY {service.capability}\r\n".encode())
            username = _username(command)
            answer = ""
            if username:
                answers.signed_in.append(("imap", username))
                answer = answers.imap(username)
            elif command.startswith("LIST"):
                writer.write(b'* LIST (\\HasNoChildren) "/" INBOX\r\n')
            writer.write(f"{tag} {answer or 'OK done'}\r\n".encode())
            await writer.drain()

    async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{service.smtp_greeting}\r\n".encode())
        while command := (await reader.readline()).decode().rstrip("\r\n"):
            answers.heard.append(command.partition(" ")[0])
            writer.write((await _reply(command, reader, writer) + "\r\n").encode())
            await writer.drain()

    async def _reply(command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        word = command.upper()
        if word.startswith("EHLO"):
            *more, last = ("ready", *service.offers)
            return "\r\n".join([*(f"250-{offer}" for offer in more), f"250 {last}"])
        if word.startswith("AUTH"):
            username = await _smtp_username(command, reader, writer)
            answers.signed_in.append(("smtp", username))
            return answers.smtp(username) or "235 2.7.0 Accepted"
        return answers.sender if word.startswith("MAIL") else answers.recipient if word.startswith("RCPT") else "250 OK"

    async with serving(imap) as answers.imap_port, serving(smtp) as answers.smtp_port:
        yield answers


def _username(command: str) -> str:
    """Who a command of IMAP signs in; "" for other commands."""
    if command.startswith("AUTHENTICATE PLAIN "):
        return _plain(command.rpartition(" ")[2])
    if command.startswith("LOGIN "):
        return command.split(" ")[1].strip('"')
    return ""


async def _smtp_username(command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    if command.upper().startswith("AUTH PLAIN "):
        return _plain(command.rpartition(" ")[2])
    told = []
    for question in (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"):
        writer.write(question)
        told.append(base64.b64decode((await reader.readline()).strip()).decode())
    return told[0]


def _plain(coded: str) -> str:
    """The user name of SASL PLAIN (RFC 4616)."""
    try:
        return base64.b64decode(coded, validate=True).decode().split("\0")[1]
    except (binascii.Error, ValueError, IndexError):
        return "?"
