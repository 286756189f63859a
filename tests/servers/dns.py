"""A private dnsmasq with the zones that discovery is tried on. What is not listed does not exist."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postroom.providers.name_server import NameServer
from tests.servers import ServerMissing, free_ports, start_daemon, stop, wait_for_port

# Host names that the run's certificates are good for (tests/servers/certs.py).
CERTIFIED = (
    "autoconfig.thunderbird.net",
    "wellknown.test",
    *(f"*.{domain}" for domain in ("example.test", "hoster.test", "redirected.test", "guess.test", "onlymail.test")),
)

_CONFIGURATION = """
port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
user={user}
pid-file={folder}/dnsmasq.pid
log-queries
log-facility={folder}/dnsmasq.log
# what is not listed is NXDOMAIN, and never forwarded
local=/#/
# all ways at once; implicit TLS first (RFC 6186, RFC 8314); "." as a target: decidedly not offered
srv-host=_imaps._tcp.example.test,imap.example.test,14993,0,1
srv-host=_imap._tcp.example.test,imap.example.test,14143,10,1
srv-host=_submissions._tcp.example.test,smtp.example.test,14465,0,1
srv-host=_submission._tcp.example.test,smtp.example.test,14588,10,1
srv-host=_pop3._tcp.example.test
host-record=imap.example.test,127.0.0.1
host-record=smtp.example.test,127.0.0.1
host-record=autoconfig.example.test,127.0.0.1
mx-host=example.test,smtp.example.test,10
# only by service records; and one that sends no mail
srv-host=_imap._tcp.services.test,imap.services.test,143,0,1
srv-host=_submissions._tcp.services.test,smtp.services.test,465,0,5
srv-host=_submissions._tcp.services.test,heavier.services.test,465,0,50
srv-host=_imaps._tcp.readonly.test,imap.readonly.test,993,0,1
srv-host=_submissions._tcp.readonly.test
srv-host=_submission._tcp.readonly.test
srv-host=_imaps._tcp.gmail-inside.test,imap.gmail.com,993,0,1
srv-host=_submissions._tcp.gmail-inside.test,smtp.gmail.com,465,0,1
# custom domains whose mail a service keeps: found by MX only
mx-host=viagoogle.test,aspmx.l.google.com,1
mx-host=viam365.test,viam365-test.mail.protection.outlook.com,0
mx-host=viadane.test,viadane-test.k-v1.mx.microsoft,0
mx-host=viazoho.test,mx.zoho.com,10
mx-host=viabackup.test,mx.backup.example,20
mx-host=viabackup.test,in1-smtp.messagingengine.com,10
mx-host=nomail.test,.,0
# a hoster that nobody knows and that says where its servers are
mx-host=viahoster.test,mx1.in.hoster.test,10
host-record=autoconfig.hoster.test,127.0.0.1
# settings files elsewhere
host-record=wellknown.test,127.0.0.1
host-record=autoconfig.thunderbird.net,127.0.0.1
host-record=autoconfig.redirected.test,127.0.0.1
# usual names; a certificate for other names; names that lead into private networks
host-record=imap.guess.test,127.0.0.1
host-record=smtp.guess.test,127.0.0.1
host-record=mail.onlymail.test,127.0.0.1
host-record=imap.uncertified.test,127.0.0.1
host-record=smtp.uncertified.test,127.0.0.1
host-record=autoconfig.uncertified.test,127.0.0.1
{private}
{more}
"""
PRIVATE = ("10.0.0.7", "169.254.169.254", "192.168.1.1", "100.100.100.200", "fd00:ec2::254", "::1")


@dataclass
class Dnsmasq:
    """A running name server. `records` are further lines of its configuration."""

    folder: Path
    records: Sequence[str] = ()
    port: int = 0

    @property
    def name_server(self) -> NameServer:
        return NameServer("127.0.0.1", self.port)

    def start(self) -> Dnsmasq:
        program = shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            raise ServerMissing("dnsmasq")
        (self.port,) = free_ports(1)
        self.folder.mkdir(parents=True)
        names = ("autoconfig", "imap", "mail", "smtp")
        private = [
            f"host-record={name}.private{number}.test,{address}"
            for number, address in enumerate(PRIVATE)
            for name in names
        ]
        configuration = self.folder / "dnsmasq.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port,
                user=getpass.getuser(),
                folder=self.folder,
                private="\n".join(private),
                more="\n".join(self.records),
            )
        )
        start_daemon([program, "-C", str(configuration)], self.folder / "start.log")
        wait_for_port(self.port, self.folder / "dnsmasq.log")
        return self

    def stop(self) -> None:
        stop(self.folder / "dnsmasq.pid")

    def asked(self) -> str:
        """What was asked and answered, as dnsmasq logs it."""
        return (self.folder / "dnsmasq.log").read_text()
