"""Signing in to IMAP with a token at servers that do it in other ways than Dovecot."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from postroom.providers.base import Credentials, ServerSettings
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect, ProviderError, Unsupported, WrongSettings
from postroom.providers.imap import bearer
from postroom.providers.imap.errors import error_for
from postroom.providers.imap.provider import ImapProvider
from tests.servers.certs import Certificates
from tests.unit.imap.stubs import loopback_policy, serving

CHALLENGE = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}').decode()


@dataclass
class Exchange:
    """An IMAP server without SASL-IR that takes the token "good"; `opens` folders or is "not connected"."""

    opens: bool = True
    heard: list[str] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2] ready\r\n")
        while line := (await reader.readline()).decode():
            tag, _, command = line.strip().partition(" ")
            self.heard.append(command)
            for answer in self.answers(tag, command):
                writer.write(answer.encode() + b"\r\n")
                if answer.startswith("+"):
                    said = (await reader.readline()).decode().strip()
                    self.heard.append(said)
                    if answer == "+ " and b"Bearer good" in decoded(said):
                        writer.write(f"{tag} OK in\r\n".encode())
                        break
            await writer.drain()

    def answers(self, tag: str, command: str) -> Iterable[str]:
        if command.startswith("AUTHENTICATE"):
            return ["+ ", f"+ {CHALLENGE}", f"{tag} NO AUTHENTICATE failed."]
        if command == "CAPABILITY":
            return ["* CAPABILITY IMAP4rev1", f"{tag} OK done"]
        if not self.opens and command.startswith(("LIST", "EXAMINE", "SELECT")):
            return [f"{tag} BAD User is authenticated but not connected."]
        return [f"{tag} OK done"]


def decoded(said: str) -> bytes:
    try:
        return base64.b64decode(said)
    except binascii.Error:
        return b""


@dataclass
class Tokens:
    given: list[str]

    async def access_token(self, refused: str = "") -> str:
        return self.given.pop(0)


@pytest.fixture
def certificate(certificates: Certificates, tmp_path: Path) -> Path:
    both = tmp_path / "both.pem"
    both.write_text(certificates.server.read_text() + certificates.server_key.read_text())
    return both


def opened(port: int, *tokens: str) -> Credentials:
    servers: dict[str, Any] = {"imap": {"host": "localhost", "port": port, "security": "tls"}}
    return Credentials("ann@tidewater.example", servers, tokens=Tokens(list(tokens)))


async def test_a_server_that_asks_first_gets_the_token_then(certificates: Certificates, certificate: Path) -> None:
    server = Exchange()
    async with serving(server.converse, certificate) as port:
        session = await ImapProvider(loopback_policy(certificates.ca_file)).open(opened(port, "good"))
        await session.close()
    assert server.heard[0] == "AUTHENTICATE XOAUTH2"
    assert decoded(server.heard[1]) == b"user=ann@tidewater.example\x01auth=Bearer good\x01\x01"


async def test_a_refusal_is_acknowledged_and_its_challenge_told(certificates: Certificates, certificate: Path) -> None:
    server = Exchange()
    async with serving(server.converse, certificate) as port:
        with pytest.raises(NeedsReconnect) as refused:
            await ImapProvider(loopback_policy(certificates.ca_file)).open(opened(port, "bad", "worse"))
    assert refused.value.code == "token_refused" and '"status":"400"' in refused.value.server_words
    assert server.heard[2] == "" and server.heard.count("AUTHENTICATE XOAUTH2") == 2


async def test_a_mailbox_that_is_not_connected_is_the_administrators(
    certificates: Certificates, certificate: Path
) -> None:
    server = Exchange(opens=False)
    async with serving(server.converse, certificate) as port:
        checked = opened(port, "good")
        checked.secrets["smtp"] = checked.secrets["imap"]
        provider = ImapProvider(loopback_policy(certificates.ca_file))
        steps = [step async for step in provider.check(checked) if step.server == "imap"]
    assert steps[-1].ok is False and "not connected" in steps[-1].server_words
    told = error_for("outlook.office365.com", "BAD User is authenticated but not connected.", NeedsReconnect)
    assert isinstance(told, NeedsAdministrator) and told.code == "microsoft_imap_off"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("NO AUTHENTICATE failed.", "token_refused"),
        ("535 5.7.3 Authentication unsuccessful", "token_refused"),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled", "microsoft_smtp_auth_off"),
        ("NO [UNAVAILABLE] later", "server_unavailable"),
    ],
)
def test_hints_about_passwords_do_not_fit_a_token(words: str, code: str) -> None:
    settings = ServerSettings("outlook.office365.com", 993, "tls", "ann@tidewater.example", "", "token")
    error: ProviderError = error_for(settings.host, words, NeedsReconnect)
    assert bearer.refusal(error, settings).code == code


def test_a_token_cannot_smuggle_another_user(certificates: Certificates) -> None:
    settings = ServerSettings("localhost", 993, "tls", "ann\x01user=ben", "", "token")
    for mechanism in bearer.FAREWELLS:
        with pytest.raises(Unsupported):
            bearer.initial_response(mechanism, settings)
    with pytest.raises(WrongSettings):
        bearer.choose({"PLAIN", "LOGIN"}, settings)
