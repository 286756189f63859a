"""From a TCP connection to a signed-in one: greeting, encryption, password or token, capabilities, ID."""

from __future__ import annotations

from postroom import __version__
from postroom.providers.base import ServerSettings
from postroom.providers.errors import SignInRefused, Unreachable, WrongSettings
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap import bearer
from postroom.providers.imap.commands import Verbatim, sasl_plain
from postroom.providers.imap.errors import error_for, scrub
from postroom.providers.imap.responses import Event, Status
from postroom.providers.imap.transport import Connection


async def greet(connection: Connection, settings: ServerSettings) -> Status:
    """Read the greeting. Raises ProviderError when the server says BYE, ProtocolViolation when it is no IMAP server."""
    greeting = await connection.greet()
    if greeting.condition not in ("OK", "PREAUTH"):
        raise error_for(settings.host, greeting.words, Unreachable, "server_closed")
    return greeting


async def encrypt(connection: Connection, settings: ServerSettings, policy: NetworkPolicy) -> None:
    """STARTTLS where the settings want it."""
    if settings.security == "starttls":
        if not connection.capabilities:
            await connection.run(Verbatim("CAPABILITY"))
        await connection.start_tls(policy)


async def sign_in(connection: Connection, settings: ServerSettings) -> None:
    """Give user name and password or token, ask what the server offers now, and say who we are.

    Raises SignInRefused, NeedsReconnect, NeedsAdministrator or Throttled as the server's words mean it.
    """
    if not connection.capabilities:
        await connection.run(Verbatim("CAPABILITY"))
    before = connection.capabilities
    if settings.token:
        status = await _sign_in_with_token(connection, settings)
    else:
        status = await _sign_in_with_password(connection, settings)
    # What is offered differs before and after (Gmail, Dovecot). Most servers say it in the OK; the rest are asked.
    if connection.capabilities is before or (status.code is None or status.code.name != "CAPABILITY"):
        await connection.run(Verbatim("CAPABILITY"))
    await identify(connection)
    if connection.offers("QRESYNC") and connection.offers("ENABLE"):
        await connection.run(Verbatim("ENABLE QRESYNC"))


async def _sign_in_with_password(connection: Connection, settings: ServerSettings) -> Status:
    secrets = (settings.password, sasl_plain(settings.username, settings.password))
    if connection.offers("AUTH=PLAIN") and connection.offers("SASL-IR"):
        status = await connection.run(Verbatim("AUTHENTICATE PLAIN"), Verbatim(secrets[1]))
    elif connection.offers("LOGINDISABLED"):
        raise WrongSettings("encryption_required", host=settings.host, port=settings.port)
    else:
        status = await connection.run(Verbatim("LOGIN"), settings.username, settings.password)
    if status.condition != "OK":
        raise error_for(
            settings.host,
            status.words,
            SignInRefused,
            port=settings.port,
            username=settings.username,
            secrets=secrets,
        )
    return status


async def _sign_in_with_token(connection: Connection, settings: ServerSettings) -> Status:
    offered = {name.removeprefix("AUTH=") for name in connection.capabilities if name.startswith("AUTH=")}
    mechanism = bearer.choose(offered, settings)
    response, challenges = bearer.initial_response(mechanism, settings), [""]

    def respond(_: str) -> bytes:
        return response.encode() + b"\r\n"

    def give_up(challenge: str) -> bytes:
        challenges.append(bearer.challenge_words(challenge))
        return bearer.FAREWELLS[mechanism].encode() + b"\r\n"

    command = Verbatim(f"AUTHENTICATE {mechanism}")
    if connection.offers("SASL-IR"):
        status = await connection.run(command, Verbatim(response), replies=[give_up])
    else:
        status = await connection.run(command, replies=[respond, give_up])
    if status.condition != "OK":
        words, secrets = f"{status.words} {challenges[-1]}".strip(), (settings.token, response)
        error = error_for(settings.host, words, SignInRefused, port=settings.port, secrets=secrets)
        raise bearer.refusal(error, settings)
    return status


async def identify(connection: Connection) -> None:
    """ID (RFC 2971): Coremail (163, 126) opens no folder before it, and wants no blank after the parenthesis."""
    if connection.offers("ID"):
        await connection.run(Verbatim(f'ID ("name" "Postroom" "version" "{__version__}")'), answer=_swallow)


def _swallow(event: Event) -> bool:
    return not isinstance(event, Status)


def server_says(status: Status, settings: ServerSettings) -> str:
    """A status for people, without the password should a server repeat it."""
    return scrub(status.words, settings.password)
