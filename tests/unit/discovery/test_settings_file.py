"""A settings file is a stranger's: what it may say, and what it may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.discovery.found import Found, FoundServer
from postroom.providers.discovery.settings_file import NoSettings, own_file, parse

ADDRESS = "ann.lee@shop.test"
USUAL = (ADDRESS, "ann.lee")


def server(kind: str, host: str = "mail.shop.test", port: str = "993", socket: str = "SSL", user: str = "") -> str:
    tag = "incomingServer" if kind != "smtp" else "outgoingServer"
    name = f"<username>{user}</username>" if user else ""
    return (
        f'<{tag} type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{socket}</socketType>{name}</{tag}>"
    )


def document(*servers: str, title: str = "Shop Mail", head: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?>{head}<clientConfig version="1.1"><emailProvider id="shop.test">'
        f"<domain>shop.test</domain><displayName>{title}</displayName>{''.join(servers)}"
        "</emailProvider></clientConfig>"
    ).encode()


def read(octets: bytes) -> Found:
    return parse(octets, ADDRESS, "autoconfig", "autoconfig.shop.test")


@pytest.mark.parametrize("port", ["0", "65536", "993000000", "9" * 6000, "000993" + "1" * 6000, "-1", "²", ""])
def test_a_port_that_is_none_leaves_its_server_out(port: str) -> None:
    found = read(document(server("imap", port=port), server("imap", "next.shop.test")))
    assert found.imap is not None and (found.imap.host, found.imap.port) == ("next.shop.test", 993)


def test_the_first_usable_server_of_each_kind_is_taken() -> None:
    found = read(
        document(
            server("pop3", port="995"),
            server("imap", "plain.shop.test", "143", "plain"),
            server("imap", "imap.%EMAILDOMAIN%", "143", "STARTTLS", "%EMAILLOCALPART%"),
            server("imap", "later.shop.test"),
            server("smtp", "smtp.shop.test", "465", "SSL", "%EMAILADDRESS%"),
        )
    )
    assert found.imap == FoundServer("imap.shop.test", 143, "starttls", ("ann.lee", ADDRESS))
    assert found.smtp == FoundServer("smtp.shop.test", 465, "tls", USUAL)
    assert (found.title, found.source, found.source_host) == ("Shop Mail", "autoconfig", "autoconfig.shop.test")


def test_a_server_without_encryption_is_never_taken() -> None:
    with pytest.raises(NoSettings):
        read(document(server("imap", socket="plain"), server("smtp", socket="plain", port="25")))


@pytest.mark.parametrize(
    "bad",
    [
        server("imap", host=""),
        server("imap", host="a b.test"),
        server("imap", host="0x7f.1"),
        server("imap", host="x" * 300),
        server("imap", port="0"),
        server("imap", port="65536"),
        server("imap", port="99999999999999999999999"),
        server("imap", port="-1"),
        server("imap", port="٩٩٣x"),
        server("imap", socket="ssl?"),
        server("imap", host="mail.shop.test\n.evil.test"),
    ],
)
def test_a_server_that_makes_no_sense_is_passed_over(bad: str) -> None:
    good = server("imap", "good.shop.test")
    assert read(document(bad, good)).imap == FoundServer("good.shop.test", 993, "tls", USUAL)


@pytest.mark.parametrize("user", ["%REALNAME%", "two\nlines", "", "%EMAILADDRESS"])
def test_a_user_name_that_cannot_be_filled_in_gives_way_to_the_usual_forms(user: str) -> None:
    found = read(document(server("imap", user=user)))
    assert found.imap is not None and found.imap.usernames == USUAL


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<html><body>Not found</body></html>",
        b"<clientConfig/>",
        b"<clientConfig><emailProvider>",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="no-such-code"?><clientConfig/>',
        b"<a>" * 20_000,
        document(head='<!DOCTYPE clientConfig [<!ENTITY a "b">]>'),
        document(server("imap", "&x;"), head='<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        document(server("imap"), head='<!DOCTYPE c SYSTEM "https://evil.test/x.dtd">'),
        document(),
    ],
)
def test_what_is_no_settings_file_says_nothing(octets: bytes) -> None:
    with pytest.raises(NoSettings):
        read(octets)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: document(server("imap", text, user=text))))
def test_no_octets_break_the_reader(octets: bytes) -> None:
    try:
        found = read(octets)
    except NoSettings:
        return
    for one in found.servers.values():
        assert one.security in ("tls", "starttls") and 1 <= one.port <= 65535
        assert all(name.isprintable() for name in (one.host, *one.usernames))


def test_the_title_is_one_short_line() -> None:
    found = read(document(server("imap"), title="A\n  long\u202e " + "x" * 200))
    assert found.title.startswith("A long x") and len(found.title) <= 80


def test_the_address_is_quoted_in_the_query() -> None:
    assert own_file("shop.test", "a&b=c#d@shop.test").endswith("?emailaddress=a%26b%3Dc%23d%40shop.test")
