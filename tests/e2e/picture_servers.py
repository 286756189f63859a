"""The mail servers, the name server and the website behind the pictures of connecting a mailbox by its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.steps import letter
from tests.servers.certs import make_certificates
from tests.servers.dns import Dnsmasq
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.settings_site import OWN, settings_file, settings_site

WAITING = "alice@example.test"  # has mail, and is connected; its domain says on its website which servers it has


@dataclass(frozen=True, slots=True)
class PictureServers:
    """`environment` is what makes Postroom find them; `imaps` the port of the mailbox whose import waits."""

    environment: dict[str, str]
    imaps: int


@contextmanager
def picture_servers(home: Path) -> Iterator[PictureServers]:
    """Start them below `home`; one mailbox has some mail."""
    home.chmod(0o755)  # the servers' users must pass
    (home / "certs").mkdir()
    certificates = make_certificates(home / "certs")
    with ExitStack() as stack:
        dovecot = Dovecot(home / "dovecot", certificates).start()
        stack.callback(dovecot.stop)
        postfix = Postfix(home / "postfix", certificates, dovecot).start()
        stack.callback(postfix.stop)
        dnsmasq = Dnsmasq(home / "dnsmasq").start()
        stack.callback(dnsmasq.stop)
        website = stack.enter_context(settings_site(certificates))
        file = settings_file(f"imap.example.test:{dovecot.imaps}", f"smtp.example.test:{postfix.submissions}")
        website.put("autoconfig.example.test", OWN, file)
        for day in range(12):
            dovecot.deliver(
                WAITING, letter("See the plan.", f"Charging room, part {day + 1}", to=WAITING, days_ago=day)
            )
        yield PictureServers(
            {
                "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
                "POSTROOM_CA_FILE": str(certificates.ca_file),
                "POSTROOM_NAME_SERVER": f"127.0.0.1:{dnsmasq.port}",
                "POSTROOM_AUTOCONFIG_PORT": str(website.port),
            },
            dovecot.imaps,
        )
