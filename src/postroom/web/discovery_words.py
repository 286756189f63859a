"""The words for where settings were looked for, and for what a mail service wants to be signed in with."""

from __future__ import annotations

from typing import Final

from postroom.providers.discovery.found import Found, FoundServer, Secret, Source

# As in "Asked ...".
PLACES: Final[dict[Source, str]] = {
    "table": "Postroom's own list of mail services",
    "autoconfig": "the domain's own settings file",
    "well_known": "the settings file on the domain's website",
    "public_database": "the public database of mail settings",
    "mx": "where the domain's mail goes (DNS, MX)",
    "srv": "the domain's service records (DNS, SRV)",
    "guess": "the usual names of mail servers, over TLS",
}

# As in "from ...", beside what was found.
ORIGINS: Final[dict[Source, str]] = {
    "table": "from Postroom's own list of mail services",
    "autoconfig": "from the domain's own settings file",
    "well_known": "from the settings file on the domain's website",
    "public_database": "from the public database of mail settings",
    "mx": "from where the domain's mail goes (DNS, MX)",
    "srv": "from the domain's service records (DNS, SRV)",
    "guess": "a usual name, and it answered over TLS",
}

SECURITIES: Final = {"tls": "TLS", "starttls": "STARTTLS", "none": "not encrypted"}

SECRETS: Final[dict[Secret, str]] = {
    "password": "Password",
    "app_password": "App password",
    "authorization_code": "Authorization code",
    "bridge_password": "Password of the bridge",
    "none": "Password",
}

SECRET_HINTS: Final[dict[Secret, str]] = {
    "password": "The one that opens this mailbox in a mail program.",
    "app_password": "Not the one you sign in with on the web: a password made for one program, in the settings of your "
    "account there.",
    "authorization_code": "Not your password: a code for mail programs, made in the mailbox's settings on the web.",
    "bridge_password": "The one that the bridge program shows, not that of your account.",
    "none": "",
}


def where(source: Source) -> str:
    """One place as the list of looks names it."""
    return PLACES[source]


def origin(found: Found) -> str:
    return ORIGINS[found.source]


def port(server: FoundServer) -> str:
    """ "993, TLS"."""
    return f"{server.port}, {SECURITIES[server.security]}"


def user_name(address: str, server: FoundServer) -> str:
    """Which form of the user name comes first, in words."""
    if not server.usernames or server.usernames[0] == address:
        return "the whole address"
    if server.usernames[0] == address.rpartition("@")[0]:
        return "the part before the @"
    return "the form that this server wants"
