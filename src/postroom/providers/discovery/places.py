"""Where discovery may ask, as the operator decided; and what tests change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from postroom.providers.base import Security
from postroom.providers.discovery.website import HTTPS_PORT
from postroom.providers.guard import UnfitSetting

# In the order in which they are taken: TLS from the start first (RFC 8314 section 3.3). Never 25, which is for servers.
IMAP_PORTS: Final[tuple[tuple[int, Security], ...]] = ((993, "tls"), (143, "starttls"))
SMTP_PORTS: Final[tuple[tuple[int, Security], ...]] = ((465, "tls"), (587, "starttls"))
_WORDS: Final = {"": False, "0": False, "no": False, "off": False, "1": True, "yes": True, "on": True}


@dataclass(frozen=True, slots=True)
class Places:
    """`asks_public_database` is off, since it tells Mozilla the domains of whoever connects a mailbox.

    The name server is the network policy's. Ports other than the usual ones are for tests.
    """

    asks_public_database: bool = False
    https_port: int = HTTPS_PORT
    imap_ports: tuple[tuple[int, Security], ...] = IMAP_PORTS
    smtp_ports: tuple[tuple[int, Security], ...] = SMTP_PORTS
    seconds: float = 9.5  # for all places together: somebody is watching

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Places:
        """Read POSTROOM_ASK_PUBLIC_DATABASE and POSTROOM_AUTOCONFIG_PORT; raise UnfitSetting."""
        asks = environ.get("POSTROOM_ASK_PUBLIC_DATABASE", "").strip().lower()
        if asks not in _WORDS:
            raise UnfitSetting(f"POSTROOM_ASK_PUBLIC_DATABASE is {asks!r}; it has to be yes or no.")
        port = environ.get("POSTROOM_AUTOCONFIG_PORT", "").strip() or str(HTTPS_PORT)
        if not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise UnfitSetting(f"POSTROOM_AUTOCONFIG_PORT is {port!r}; it has to be a port number.")
        return cls(asks_public_database=_WORDS[asks], https_port=int(port))
