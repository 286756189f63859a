"""Finding a server and reaching it."""

from __future__ import annotations

from postroom.providers.catalogue.entry import RETRY, Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "host_not_allowed",
        "This host is not allowed",
        "Postroom connects to public mail servers only, on ports 25, 143, 465, 587 and 993; {host} is none of them, "
        "or its port is none of these.",
        "Check the host name and the port.",
        "For a mail server in your own network: add its network to POSTROOM_ALLOWED_NETWORKS.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "host_unknown",
        "There is no such host",
        "No server is known by the name {host}.",
        "Check the spelling.",
        "The provider's help page names the host for IMAP and SMTP.",
        meaning="settings",
    ),
    entry(
        "name_server_failed",
        "The name could not be looked up",
        "The name server did not answer for {host}. " + RETRY,
        "If it lasts, check the network of the Postroom server.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "connection_refused",
        "Nothing answers on this port",
        "{host} refuses connections on port {port}.",
        "Wait if it worked before: the server is being restarted. If it lasts, ask who runs it whether it has moved.",
        "Check the port: 993 with TLS or 143 with STARTTLS for IMAP, 465 with TLS or 587 with STARTTLS for SMTP.",
        meaning="slow",  # a mailbox's settings have worked once, else it would not be connected
    ),
    entry(
        "no_route",
        "There is no way to the server",
        "The network has no route to {host}. " + RETRY,
        "Check the network of the Postroom server.",
        who="Postroom administrator",
        meaning="operator",
    ),
    entry(
        "timed_out",
        "The server did not answer in time",
        "{host} did not answer on port {port}. " + RETRY,
        "If only SMTP is silent: many hosters block ports 25, 465 and 587 until asked to open them.",
        "Check the encryption: a server waiting for TLS is silent without it.",
        meaning="slow",
    ),
    entry(
        "counting_slow",
        "Counting took too long",
        "{host} answers so slowly that not even one folder could be listed for the preview.",
        "Count again later, or begin the import without the numbers: it takes the time that it needs.",
        meaning="slow",
    ),
    entry(
        "connection_lost",
        "The connection was lost",
        "{host} closed the connection. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
    entry(
        "connection_closed",
        "The connection was closed",
        "Postroom closed the connection to {host}. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
    entry(
        "server_closed",
        "The server said goodbye",
        "{host} ended the conversation. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
    entry(
        "server_unavailable",
        "The server has a fault of its own",
        "{host} says that it cannot serve now. " + RETRY,
        who="nobody",
        meaning="slow",
    ),
    entry(
        "smtp_answers",
        "A server for sending answers here",
        "{host} on port {port} is a server for sending (SMTP), and one for receiving (IMAP) is looked for.",
        "Use the name of the IMAP server, with port 993 and TLS or port 143 and STARTTLS.",
        meaning="settings",
    ),
    entry(
        "imap_answers",
        "A server for receiving answers here",
        "{host} on port {port} is a server for receiving (IMAP), and one for sending (SMTP) is looked for.",
        "Use the name of the SMTP server, with port 465 and TLS or port 587 and STARTTLS.",
        meaning="settings",
    ),
    entry(
        "pop_answers",
        "A POP server answers here",
        "{host} on port {port} speaks POP. Postroom reads mail by IMAP, which leaves it on the server.",
        "Use the name of the IMAP server, with port 993 and TLS or port 143 and STARTTLS.",
        "If the provider has POP only, forward its mail to a mailbox with IMAP, and connect that one.",
        meaning="settings",
    ),
    entry(
        "no_mail_server",
        "No mail server answers here",
        "Something answers at {host} on port {port}, and it is no mail server.",
        "Compare host and port with the provider's help page.",
        meaning="settings",
    ),
    entry(
        "sending_ports_blocked",
        "The way to the sending server seems blocked",
        "{host} is silent on port {port}, and the receiving server answers. Many hosters block the ports for sending "
        "(25, 465 and 587) until they are asked to open them.",
        "Ask whoever hosts the Postroom server to open port {port} towards {host}.",
        "Try the other port for sending: 465 with TLS, 587 with STARTTLS.",
        who="Postroom administrator",
        meaning="operator",
    ),
)
