"""pytest plugin: servers that live as long as the run. Register it with pytest_plugins = ["tests.servers.fixtures"]."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.certs import Certificates, make_certificates
from tests.servers.consent import ConsentServer, consent_server
from tests.servers.cyrus import Cyrus
from tests.servers.dns import Dnsmasq
from tests.servers.dovecot import Dovecot
from tests.servers.emulate import Emulator
from tests.servers.postfix import Postfix
from tests.servers.settings_site import SettingsSite, settings_site

# As Exchange Online announces itself: no CONDSTORE, no SPECIAL-USE, no ESEARCH, no LITERAL+.
POOR_CAPABILITY = "IMAP4rev1 SASL-IR UIDPLUS ID UNSELECT CHILDREN NAMESPACE"

# As Gmail: CONDSTORE without QRESYNC, no NOTIFY. As Yahoo: neither, LIST-STATUS, and a limit to each command (which
# Dovecot does not keep). Lines of research/providers.md 2.6.
GMAIL_CAPABILITY = (
    "IMAP4rev1 SASL-IR UNSELECT IDLE NAMESPACE ID CHILDREN UIDPLUS ENABLE MOVE CONDSTORE ESEARCH LIST-EXTENDED "
    "LIST-STATUS LITERAL- SPECIAL-USE"
)
YAHOO_CAPABILITY = (
    "IMAP4rev1 SASL-IR UIDPLUS LITERAL+ CHILDREN UNSELECT NAMESPACE ID IDLE ENABLE LIST-EXTENDED LIST-STATUS "
    "SPECIAL-USE MESSAGELIMIT=2"
)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    # Not tmp_path_factory: sockets need short paths, and the servers' users must pass all folders above.
    folder = Path(tempfile.mkdtemp(prefix="prs-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def certificates(servers_folder: Path) -> Certificates:
    (servers_folder / "certs").mkdir()
    return make_certificates(servers_folder / "certs")


@pytest.fixture(scope="session")
def dovecot(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    server = Dovecot(servers_folder / "dovecot", certificates).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def poor_dovecot(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    server = Dovecot(servers_folder / "poor", certificates, capability=POOR_CAPABILITY).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gmail_like_dovecot(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    server = Dovecot(servers_folder / "gmail", certificates, capability=GMAIL_CAPABILITY).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def yahoo_like_dovecot(servers_folder: Path, certificates: Certificates) -> Iterator[Dovecot]:
    server = Dovecot(servers_folder / "yahoo", certificates, capability=YAHOO_CAPABILITY).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cyrus(servers_folder: Path) -> Iterator[Cyrus]:
    server = Cyrus(servers_folder / "cyrus").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postfix(servers_folder: Path, certificates: Certificates, dovecot: Dovecot) -> Iterator[Postfix]:
    server = Postfix(servers_folder / "postfix", certificates, dovecot).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def filing_postfix(servers_folder: Path, certificates: Certificates, dovecot: Dovecot) -> Iterator[Postfix]:
    """One that files sent mail itself."""
    server = Postfix(servers_folder / "filing", certificates, dovecot, autosave=True).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emulated_google(servers_folder: Path) -> Iterator[Emulator]:
    """emulate's Google: sign-in and ordinary calls of Gmail."""
    server = Emulator(servers_folder / "emulated-google", "emulate", "google").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emulated_gmail(servers_folder: Path) -> Iterator[Emulator]:
    """@inbox-zero/emulate's Google: the same and batches."""
    server = Emulator(servers_folder / "emulated-gmail", "@inbox-zero/emulate", "google").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emulated_microsoft(servers_folder: Path) -> Iterator[Emulator]:
    """emulate's Microsoft: sign-in and /me only."""
    server = Emulator(servers_folder / "emulated-microsoft", "emulate", "microsoft").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def emulated_graph(servers_folder: Path) -> Iterator[Emulator]:
    """@inbox-zero/emulate's Microsoft: Graph's mail without delta."""
    server = Emulator(servers_folder / "emulated-graph", "@inbox-zero/emulate", "microsoft").start()
    yield server
    server.stop()


@pytest.fixture
def consent() -> Iterator[ConsentServer]:
    """An OpenID provider that can be told to refuse, to grant less and to forget."""
    with consent_server() as server:
        yield server


@pytest.fixture(scope="session")
def dnsmasq(servers_folder: Path) -> Iterator[Dnsmasq]:
    """A name server with the zones of tests/servers/dns.py."""
    server = Dnsmasq(servers_folder / "dns").start()
    yield server
    server.stop()


@pytest.fixture
def website(certificates: Certificates) -> Iterator[SettingsSite]:
    """The websites of those zones' domains, empty."""
    with settings_site(certificates) as site:
        yield site
