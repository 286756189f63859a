"""A private Cyrus IMAP 3.6, from packages that bin/install-test-servers unpacked: a second opinion beside Dovecot."""

from __future__ import annotations

import os
import smtplib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ServerMissing, free_ports, let_others_pass, start_daemon, stop, wait_for_port

ROOT = Path("/opt/postroom-test/cyrus")
PROGRAMS = ROOT / "usr/lib/cyrus/bin"
DOMAIN = "example.test"
PASSWORD = "pass"

_IMAPD = """
configdirectory: {folder}/lib
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
defaultpartition: default
partition-default: {folder}/spool
servername: localhost
virtdomains: userid
defaultdomain: local.invalid
unixhierarchysep: yes
altnamespace: yes
cyrus_user: nobody
admins: cyrus
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
autocreate_post: yes
autocreate_quota: 0
autocreate_inbox_folders: Sent|Drafts|Trash|Junk
xlist-sent: Sent
xlist-drafts: Drafts
xlist-trash: Trash
xlist-junk: Junk
expunge_mode: delayed
imapidlepoll: 1
idlesocket: {folder}/run/idle
lmtpsocket: {folder}/run/lmtp
notifysocket: {folder}/run/notify
syslog_prefix: cyrus
"""
_CYRUS = """
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {folder}/imapd.conf -U 30" listen="127.0.0.1:{imap}" prefork=1
  lmtp cmd="{programs}/lmtpd -C {folder}/imapd.conf -a" listen="127.0.0.1:{lmtp}" prefork=0
}}
DAEMON {{
  idled cmd="{programs}/idled -C {folder}/imapd.conf"
}}
"""


@dataclass
class Cyrus:
    """A running server, without TLS. Mailboxes are NAME@example.test, made by add_user."""

    folder: Path
    imap: int = 0
    lmtp: int = 0

    def start(self) -> Cyrus:
        if not (PROGRAMS / "master").exists():
            raise ServerMissing("Cyrus IMAP")
        self.imap, self.lmtp = free_ports(2)
        for place in ("lib", "run/proc", "run/lock", "spool"):
            (self.folder / place).mkdir(parents=True)
        let_others_pass(self.folder)
        told = {"folder": self.folder, "programs": PROGRAMS, "imap": self.imap, "lmtp": self.lmtp}
        (self.folder / "imapd.conf").write_text(_IMAPD.format(**told))
        (self.folder / "cyrus.conf").write_text(_CYRUS.format(**told))
        self.add_user("first")
        subprocess.run(["chown", "-R", "nobody:nogroup", str(self.folder)], check=True)
        arguments = ["-C", f"{self.folder}/imapd.conf", "-M", f"{self.folder}/cyrus.conf", "-p", f"{self.folder}/pid"]
        start_daemon([str(PROGRAMS / "master"), "-d", *arguments], self.folder / "master.log", _environment())
        wait_for_port(self.imap, self.folder / "master.log")
        return self

    def stop(self) -> None:
        stop(self.folder / "pid")

    def add_user(self, name: str) -> str:
        """Make a mailbox's user; its folders appear when it signs in. Return the address."""
        subprocess.run(
            [str(ROOT / "usr/sbin/saslpasswd2"), "-p", "-c", "-f", f"{self.folder}/sasldb2", "-u", DOMAIN, name],
            input=PASSWORD.encode(), check=True, env=_environment(), capture_output=True, timeout=10,
        )  # fmt: skip
        subprocess.run(["chown", "nobody:nogroup", f"{self.folder}/sasldb2"], check=True)
        return f"{name}@{DOMAIN}"

    def deliver(self, address: str, raw: bytes) -> None:
        with smtplib.LMTP("127.0.0.1", self.lmtp, timeout=10) as lmtp:
            lmtp.sendmail("sender@example.test", [address], raw)


def _environment() -> dict[str, str]:
    libraries = [*ROOT.glob("usr/lib/*-linux-gnu*"), *ROOT.glob("lib/*-linux-gnu*")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
