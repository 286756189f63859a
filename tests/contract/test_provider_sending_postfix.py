"""SMTP against Postfix: submitted, delivered, filed, refused."""

from __future__ import annotations

import ipaddress
import uuid

import pytest

from postroom.providers.base import Credentials, Envelope
from postroom.providers.errors import Refused, SignInRefused, Throttled
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from tests.contract.imap_place import settings
from tests.contract.provider_place import make_mail
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix


@pytest.fixture
def provider(certificates: Certificates) -> ImapProvider:
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    return ImapProvider(NetworkPolicy(allowed=loopback, ca_file=certificates.ca_file))


def mailbox(dovecot: Dovecot, postfix: Postfix, *, security: str = "tls", password: str = "pass") -> Credentials:
    address = f"u{uuid.uuid4().hex[:12]}@example.test"
    port = postfix.submissions if security == "tls" else postfix.submission
    smtp = settings(port, address, security=security, password=password)
    return Credentials(address, {"imap": settings(dovecot.imaps, address, security="tls"), "smtp": smtp})


async def nothing(upload: str) -> None:
    """The caller's commit."""


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_message_arrives_as_it_was_sent(
    provider: ImapProvider, dovecot: Dovecot, postfix: Postfix, security: str
) -> None:
    own, other = mailbox(dovecot, postfix, security=security), mailbox(dovecot, postfix)
    inbox = await provider.open(other)
    window = await inbox.list_window("INBOX", None)
    sender = await provider.open_sender(own)
    raw = make_mail(1, body="Grüße\r\n.\r\n..two\r\n" + ("x" * 70 + "\r\n") * 4_000)
    recipients = (other.address, "gone@customer.test")
    receipt = await sender.send(Envelope(own.address, recipients), raw, nothing)
    assert list(receipt.refused) == ["gone@customer.test"] and receipt.reply.startswith("250")
    await sender.send(Envelope(own.address, (other.address,)), make_mail(2), nothing)  # the conversation goes on
    await sender.close()
    while len((await inbox.list_changes("INBOX", window.cursor)).added) < 2:
        assert await inbox.wait("INBOX", 20)
    fetched = await inbox.fetch("INBOX", [m.remote_id for m in (await inbox.list_window("INBOX", None)).messages])
    assert any(message.raw.endswith(raw[-280_000:]) for message in fetched)
    await inbox.close()


async def test_a_server_that_files_sent_mail_is_seen_by_looking(
    provider: ImapProvider, dovecot: Dovecot, filing_postfix: Postfix
) -> None:
    own = mailbox(dovecot, filing_postfix)
    session = await provider.open(own)
    await session.list_window("Sent", None)
    sender = await provider.open_sender(own)
    await sender.send(Envelope(own.address, ("b@customer.test",)), make_mail(1), nothing)
    await sender.close()
    while not await session.find_by_message_id("Sent", "<letter-1@customer.test>"):
        assert await session.wait("Sent", 20)
    await session.close()


async def test_refusals_are_named(provider: ImapProvider, dovecot: Dovecot, postfix: Postfix) -> None:
    own = mailbox(dovecot, postfix)
    sender = await provider.open_sender(own)
    for envelope, error, code in (
        (Envelope(own.address, ("gone@customer.test",)), Refused, "recipient_unknown"),
        (Envelope(own.address, ("slow@customer.test",)), Throttled, "recipients_greylisted"),
    ):
        with pytest.raises(error) as caught:
            await sender.send(envelope, make_mail(1), nothing)
        assert caught.value.code == code
    with pytest.raises(Refused) as refused:
        await sender.send(Envelope("boss@example.test", ("b@customer.test",)), make_mail(1), nothing)
    # Postfix refuses the sender when it hears the recipient (smtpd_delay_reject): the words decide, not the place.
    assert refused.value.code == "sender_not_allowed"
    await sender.close()


async def test_a_wrong_password_is_refused(provider: ImapProvider, dovecot: Dovecot, postfix: Postfix) -> None:
    with pytest.raises(SignInRefused):
        await provider.open_sender(mailbox(dovecot, postfix, password="wrong"))


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_the_check_passes_step_by_step(
    provider: ImapProvider, dovecot: Dovecot, postfix: Postfix, security: str
) -> None:
    steps = [step async for step in provider.check(mailbox(dovecot, postfix, security=security))]
    assert [step for step in steps if not step.ok] == []
    named = {(step.server, step.name) for step in steps}
    first = {"name", "reach", "tls", "greeting", "sign_in"}
    assert named == {("imap", name) for name in first | {"folders"}} | {("smtp", name) for name in first | {"sender"}}
