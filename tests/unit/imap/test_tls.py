"""A server that is not who it says, or speaks an old dialect, hears no secret (fault 10 of the table of faults)."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from postroom.providers.errors import ProviderError, WrongSettings
from postroom.providers.imap.connect import tls_context
from tests.servers.certs import Certificates
from tests.unit.imap.stubs import serving
from tests.unit.imap.test_bad_servers import open_session


def self_signed(folder: Path) -> Path:
    """A certificate for localhost that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "self-signed.pem"
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize("kind", ["expired", "foreign", "stranger", "self_signed"])
async def test_a_server_with_a_bad_certificate_hears_nothing(
    certificates: Certificates, tmp_path: Path, kind: str
) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY IMAP4rev1] hello\r\n")
        heard.append(await reader.read(1_000))

    certificate = self_signed(tmp_path) if kind == "self_signed" else getattr(certificates, kind)
    async with serving(listen, certificate=certificate) as port:
        with pytest.raises(WrongSettings):
            await open_session(port, "tls", certificates)
        await asyncio.sleep(0.05)
    assert b"".join(heard) == b""


def test_old_dialects_are_refused() -> None:
    context = tls_context(None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_a_server_that_speaks_only_an_old_dialect_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    both = tmp_path / "server.pem"
    both.write_bytes(certificates.server_key.read_bytes() + certificates.server.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    try:
        with pytest.raises(ProviderError) as caught:
            await open_session(server.sockets[0].getsockname()[1], "tls", certificates)
        assert caught.value.code in ("tls_failed", "connection_lost"), "the server may hang up without an alert"
    finally:
        server.close()
        await server.wait_closed()
