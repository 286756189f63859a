"""A private Dovecot 2.3: IMAP, IMAPS and LMTP. Any user name is a mailbox, the password is always "pass".

With `userinfo` it takes no passwords but access tokens (XOAUTH2, OAUTHBEARER), which it asks about at that address; a
token opens the mailbox of the address that is told there. With `most_messages` each mailbox is full at so many.
With `own_passwords` an address has the password of
`set_password`, and none before.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ServerMissing, free_ports, let_others_pass, start_daemon, stop, wait_for_port
from tests.servers.certs import Certificates

PASSWORD = "pass"

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
first_valid_gid = 1
mail_uid = nobody
mail_gid = nogroup
mail_home = {folder}/mail/%u
mail_location = {mail_location}
mail_fsync = never
ssl = yes
ssl_cert = <{server}
ssl_key = <{server_key}
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
disable_plaintext_auth = no
mail_max_userip_connections = 100
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
{capability}
{quota}
passdb {{
{passdb}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
{special}
}}
protocol lmtp {{
  auth_username_format = %u
}}
service anvil {{
  chroot =
  # No penalty for wrong passwords: it is by address, and all tests come from one
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service stats {{
  chroot =
}}
"""
_QUOTA = """
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = count:User quota
  quota_rule = *:messages={most}
  quota_vsizes = yes
}}"""
_SPECIAL = "".join(
    f"  mailbox {name} {{\n    special_use = \\{name}\n    auto = subscribe\n  }}\n"
    for name in ("Sent", "Drafts", "Junk", "Trash")
)


@dataclass
class Dovecot:
    """A running server. `capability` replaces what it announces, to look like a poorer server."""

    folder: Path
    certificates: Certificates
    capability: str = ""
    mail_location: str = "mdbox:~/mdbox"
    userinfo: str = ""
    own_passwords: bool = False
    most_messages: int = 0
    mechanisms: str = "xoauth2 oauthbearer"  # of those with tokens
    imap: int = 0
    imaps: int = 0
    lmtp: int = 0
    auth: int = 0

    def start(self) -> Dovecot:
        program = shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            raise ServerMissing("Dovecot")
        self.imap, self.imaps, self.lmtp, self.auth = free_ports(4)
        (self.folder / "run").mkdir(parents=True)
        (self.folder / "mail").mkdir()
        shutil.chown(self.folder / "mail", "nobody", "nogroup")
        let_others_pass(self.folder)
        (self.folder / "oauth2.conf").write_text(
            f"introspection_url = {self.userinfo}\nintrospection_mode = auth\nusername_attribute = email\n"
        )
        oauth2 = f"  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {self.folder}/oauth2.conf"
        configuration = self.folder / "dovecot.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                mail_location=self.mail_location,
                mechanisms=self.mechanisms if self.userinfo else "plain login",
                passdb=oauth2 if self.userinfo else self._passwords(),
                server=self.certificates.server,
                server_key=self.certificates.server_key,
                quota=_QUOTA.format(most=self.most_messages) if self.most_messages else "",
                capability=f"imap_capability = {self.capability}" if self.capability else "",
                special=_SPECIAL,
                imap=self.imap,
                imaps=self.imaps,
                lmtp=self.lmtp,
                auth=self.auth,
            )
        )
        start_daemon([program, "-c", str(configuration)], self.folder / "start.log")
        wait_for_port(self.imap, self.folder / "dovecot.log")
        return self

    def _passwords(self) -> str:
        if not self.own_passwords:
            return "  driver = static\n  args = password=pass"
        (self.folder / "passwords").touch()
        return f"  driver = passwd-file\n  args = scheme=PLAIN username_format=%u {self.folder}/passwords"

    def set_password(self, address: str, password: str) -> None:
        """From now on, for everybody who signs in; who is signed in stays so until `sign_out`."""
        file = self.folder / "passwords"
        others = [line for line in file.read_text().splitlines() if not line.startswith(f"{address}:")]
        stamp = file.stat().st_mtime
        file.write_text("".join(f"{line}\n" for line in [*others, f"{address}:{password}"]))
        # It looks once a second whether the file has another second or size.
        os.utime(file, times=(now := time.time(), max(now, stamp + 1)))
        time.sleep(1.05 - now % 1)

    def sign_out(self, address: str) -> None:
        """End all connections of an address."""
        self._doveadm("kick", address)

    def empty(self, address: str) -> None:
        """Delete all mail of an address: what an earlier test left, where its mail is counted."""
        self._doveadm("expunge", "-u", address, "mailbox", "*", "all")

    def _doveadm(self, *arguments: str) -> None:
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), *arguments]
        environment = os.environ | {"PATH": os.environ["PATH"] + ":/usr/bin:/usr/sbin"}
        subprocess.run(command, env=environment, capture_output=True, timeout=20, check=True)

    def stop(self) -> None:
        stop(self.folder / "run" / "master.pid")

    def deliver(self, address: str, raw: bytes) -> None:
        """Let a message arrive by LMTP; `name+Sent@…` puts it into the folder Sent."""
        with smtplib.LMTP("127.0.0.1", self.lmtp, timeout=10) as lmtp:
            lmtp.sendmail("sender@example.test", [address], raw)
