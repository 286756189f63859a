"""Encryption and certificates."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "tls_not_spoken",
        "No TLS on this port",
        "{host} does not speak TLS on port {port}.",
        "Choose STARTTLS for ports 143 and 587, TLS for 993 and 465.",
        meaning="settings",
    ),
    entry(
        "tls_expected",
        "Wrong encryption for this port",
        "{host} speaks TLS from the first octet on port {port}, so it never answered.",
        "Choose TLS for this port, or STARTTLS with port 143 or 587.",
        meaning="settings",
    ),
    entry(
        "tls_failed",
        "No encryption could be agreed",
        "{host} and Postroom found no encryption that both allow. Postroom wants TLS 1.2 or newer.",
        "Ask for TLS 1.2 on the mail server.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "starttls_not_offered",
        "STARTTLS is not offered",
        "{host} offers no encryption on port {port}. If it did yesterday, somebody in between may have removed it.",
        "Choose TLS with port 993 or 465.",
        meaning="settings",
    ),
    entry(
        "plain_text_after_starttls",
        "Somebody spoke before encryption",
        "{host} sent plain text where encryption had "
        "to begin. That is an attack or a broken server; no password was sent.",
        "Choose TLS with port 993 or 465.",
        "Tell the mail administrator.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "encryption_required",
        "The server wants encryption",
        "{host} takes no password without encryption.",
        "Choose TLS or STARTTLS.",
        meaning="settings",
    ),
    entry(
        "certificate_expired",
        "The certificate has expired",
        "The certificate of {host} is past its date. No password was sent.",
        "Renew the certificate of {host}.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "certificate_not_yet_valid",
        "The certificate begins later than now",
        "The certificate of {host} begins at a time that, by the clock of the Postroom server, has not come yet. No "
        "password was sent.",
        "Compare the clock of the Postroom server with another one (`postroom doctor` does), and set it right.",
        "If the clock is right, the certificate of {host} was made for a later day: tell who runs {host}.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "certificate_for_other_host",
        "The certificate is for another host",
        "The certificate that {host} shows bears another name. No password was sent.",
        "Use the name that the certificate bears; the provider's help page has it.",
        meaning="settings",
    ),
    entry(
        "certificate_not_trusted",
        "The certificate is not trusted",
        "Nobody whom Postroom trusts vouches for the certificate of {host}. No password was sent.",
        "For a certificate of your own authority: name its file in POSTROOM_CA_FILE.",
        who="Postroom administrator",
        meaning="operator",
    ),
)
