"""A certificate authority of the run, and certificates good and bad."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.servers.dns import CERTIFIED


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files. `expired`, `unborn` (from tomorrow on), `foreign` (another host) and `stranger` (another
    authority) must be refused."""

    ca_file: Path
    server: Path
    server_key: Path
    expired: Path
    unborn: Path
    foreign: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """For localhost, 127.0.0.1 and the domains of tests/servers/dns.py. The bad ones have chain and key in one file."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    good = ca.issue_cert("localhost", "127.0.0.1", "::1", *CERTIFIED)
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in good.cert_chain_pems))
    good.private_key_pem.write_to_path(folder / "server.key")
    (folder / "server.key").chmod(0o600)
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    tomorrow = yesterday + datetime.timedelta(days=2)
    bad = {
        "expired": ca.issue_cert("localhost", not_before=yesterday - datetime.timedelta(days=9), not_after=yesterday),
        "unborn": ca.issue_cert("localhost", not_before=tomorrow, not_after=tomorrow + datetime.timedelta(days=9)),
        "foreign": ca.issue_cert("mail.somewhere-else.test"),
        "stranger": other.issue_cert("localhost"),
    }
    for name, certificate in bad.items():
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    paths = {name: folder / f"{name}.pem" for name in bad}
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key", **paths)
