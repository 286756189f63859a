"""A private Postfix next to a Dovecot: submission with SASL, delivery by LMTP.

`gone@customer.test` is refused (550 5.1.1), `slow@customer.test` put off (451 4.3.0). A signed-in user may send as
itself only (553 5.7.1).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ServerMissing, free_ports, let_others_pass, start_daemon, stop, wait_for_port
from tests.servers.certs import Certificates
from tests.servers.dovecot import Dovecot

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = smtp.example.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.test, customer.test
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
virtual_mailbox_limit = 0
message_size_limit = 36700160
recipient_delimiter = +
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
default_transport = error:5.4.4 no route: this machine sends mail nowhere
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{gone@customer.test = 550 5.1.1 user unknown}}, \
{{slow@customer.test = 451 4.3.0 try again later}} }}, permit_mynetworks, permit_sasl_authenticated, reject
smtpd_tls_cert_file = {server}
smtpd_tls_key_file = {server_key}
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_sasl_security_options = noanonymous
smtpd_sender_login_maps = pcre:{folder}/etc/login.pcre
{autosave}
"""
_MASTER = """
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
  -o smtpd_sender_restrictions=reject_sender_login_mismatch -o mynetworks=0.0.0.0
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes
  -o smtpd_sender_restrictions=reject_sender_login_mismatch -o mynetworks=0.0.0.0
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    """A running server. With `autosave` it files what is sent in the sender's Sent folder, as Gmail does."""

    folder: Path
    certificates: Certificates
    dovecot: Dovecot
    autosave: bool = False
    submission: int = 0  # STARTTLS
    submissions: int = 0  # TLS

    def start(self) -> Postfix:
        program = shutil.which("postfix", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            raise ServerMissing("Postfix")
        self.submission, self.submissions = free_ports(2)
        for place in ("etc", "queue", "data"):
            (self.folder / place).mkdir(parents=True)
        shutil.chown(self.folder / "data", "postfix")
        let_others_pass(self.folder)
        (self.folder / "etc/login.pcre").write_text("/^(.*)$/ ${1}\n")
        (self.folder / "etc/sent.pcre").write_text("/^([^+@]+)@(.*)$/ ${1}+Sent@${2}\n")
        (self.folder / "etc/main.cf").write_text(
            _MAIN.format(
                folder=self.folder,
                lmtp=self.dovecot.lmtp,
                auth=self.dovecot.auth,
                server=self.certificates.server,
                server_key=self.certificates.server_key,
                autosave=f"sender_bcc_maps = pcre:{self.folder}/etc/sent.pcre" if self.autosave else "",
            )
        )
        (self.folder / "etc/master.cf").write_text(
            _MASTER.format(submission=self.submission, submissions=self.submissions)
        )
        start_daemon([program, "-c", f"{self.folder}/etc", "start"], self.folder / "start.log")
        wait_for_port(self.submission, self.folder / "postfix.log")
        return self

    def stop(self) -> None:
        stop(self.folder / "queue/pid/master.pid")
