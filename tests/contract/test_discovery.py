"""Discovery against a real name server, real websites over https and real mail servers: each place, and the ranks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from postroom.providers import name_server
from postroom.providers.discovery.discover import best, discover
from postroom.providers.discovery.found import Found, FoundServer, Look
from postroom.providers.discovery.places import Places
from postroom.providers.guard import NetworkPolicy
from postroom.providers.name_server import NameServer
from tests.servers import free_ports
from tests.servers.certs import Certificates
from tests.servers.dns import Dnsmasq
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.settings_site import OWN, WELL_KNOWN, SettingsSite, settings_file

LOOPBACK = {"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}
FILE = settings_file("imap.example.test:993", "smtp.example.test:587")
NO_MAIL = ((1, "tls"),)  # a port where nobody listens


class Asking:
    """Asks with the test's own name server, authorities and ports."""

    def __init__(self, certificates: Certificates, dnsmasq: Dnsmasq, website: SettingsSite) -> None:
        environ = {"POSTROOM_CA_FILE": str(certificates.ca_file), "POSTROOM_NAME_SERVER": f"127.0.0.1:{dnsmasq.port}"}
        self.policy = NetworkPolicy.from_environment(LOOPBACK | environ)
        self.places = {"https_port": website.port, "imap_ports": NO_MAIL, "smtp_ports": NO_MAIL}

    async def looks(self, address: str, **changed: object) -> list[Look]:
        places = Places(**(self.places | changed))  # type: ignore[arg-type]
        return [look async for look in discover(address, self.policy, places=places)]

    async def found(self, address: str, **changed: object) -> Found | None:
        return best(await self.looks(address, **changed))


@pytest.fixture
def asking(certificates: Certificates, dnsmasq: Dnsmasq, website: SettingsSite) -> Asking:
    return Asking(certificates, dnsmasq, website)


def sources(looks: Iterable[Look]) -> list[str]:
    return [look.source for look in looks]


def place(server: FoundServer | None) -> str:
    return f"{server.host}:{server.port} {server.security}" if server else ""


async def test_the_domain_s_own_settings_file_comes_before_all_records(asking: Asking, website: SettingsSite) -> None:
    website.put("autoconfig.example.test", OWN, FILE)
    website.put("example.test", WELL_KNOWN, settings_file("other.test:993", "other.test:465"))
    looks = await asking.looks("Ann+x@Example.test")
    assert sources(looks) == ["table", "autoconfig"]
    found = best(looks)
    assert found is not None and (found.source, found.source_host) == ("autoconfig", "autoconfig.example.test")
    assert (place(found.imap), place(found.smtp)) == ("imap.example.test:993 tls", "smtp.example.test:587 starttls")
    assert found.imap is not None and found.imap.usernames == ("Ann+x@example.test", "Ann+x")
    assert ("autoconfig.example.test", f"{OWN}?emailaddress=Ann%2Bx%40example.test") in website.visits
    assert looks[0].words and not looks[1].words and looks[1].found == found


async def test_the_domain_s_website_is_asked_next(asking: Asking, website: SettingsSite) -> None:
    website.put("wellknown.test", WELL_KNOWN, FILE)
    found = await asking.found("ann@wellknown.test")
    assert found is not None and (found.source, found.source_host) == ("well_known", "wellknown.test")


async def test_the_public_database_is_asked_only_if_the_operator_said_so(asking: Asking, website: SettingsSite) -> None:
    website.put("autoconfig.thunderbird.net", "/v1.1/public.test", FILE)
    assert await asking.found("ann@public.test") is None
    assert not website.visits
    found = await asking.found("ann@public.test", asks_public_database=True)
    assert found is not None and found.source == "public_database"
    assert website.visits == [("autoconfig.thunderbird.net", "/v1.1/public.test")]  # and not who asks


@pytest.mark.parametrize(
    ("domain", "title", "provider", "imap"),
    [
        ("viagoogle.test", "Google Workspace", "gmail", "imap.gmail.com:993 tls"),
        ("viam365.test", "Microsoft 365", "outlook", "outlook.office365.com:993 tls"),
        ("viadane.test", "Microsoft 365", "outlook", "outlook.office365.com:993 tls"),
        ("viazoho.test", "Zoho Mail (international)", "", "imap.zoho.com:993 tls"),
        ("viabackup.test", "Fastmail", "", "imap.fastmail.com:993 tls"),
    ],
)
async def test_a_domain_is_known_by_where_its_mail_goes(
    domain: str, title: str, provider: str, imap: str, asking: Asking
) -> None:
    found = await asking.found(f"ann@{domain}")
    assert found is not None
    assert (found.source, found.title, found.provider, place(found.imap)) == ("mx", title, provider, imap)
    assert found.advice


async def test_a_hoster_that_nobody_knows_says_itself_where_its_servers_are(
    asking: Asking, website: SettingsSite
) -> None:
    website.put("autoconfig.hoster.test", OWN, settings_file("imap.hoster.test:993", "smtp.hoster.test:465"))
    found = await asking.found("ann@viahoster.test")
    assert found is not None and (found.source, found.source_host) == ("mx", "mx1.in.hoster.test")
    assert found.imap is not None and found.imap.usernames[0] == "ann@viahoster.test"


async def test_a_domain_that_takes_no_mail_has_no_mail_hosts(asking: Asking) -> None:
    assert await asking.policy.name_server.mail_hosts("nomail.test") == []
    assert await asking.policy.name_server.mail_hosts("viabackup.test") == [
        "in1-smtp.messagingengine.com",
        "mx.backup.example",
    ]


async def test_service_records_name_servers_and_their_encryption(asking: Asking) -> None:
    found = await asking.found("ann@services.test")
    assert found is not None and found.source == "srv"
    assert (place(found.imap), place(found.smtp)) == (
        "imap.services.test:143 starttls",
        "heavier.services.test:465 tls",
    )
    assert found.imap is not None and found.imap.usernames == ("ann@services.test", "ann")


async def test_implicit_tls_comes_first_where_the_records_say_so(asking: Asking) -> None:
    found = await asking.found("ann@example.test")
    assert found is not None and (place(found.imap), place(found.smtp)) == (
        "imap.example.test:14993 tls",
        "smtp.example.test:14465 tls",
    )


async def test_a_service_that_is_not_offered_is_said_to_be_and_nobody_guesses_on(asking: Asking) -> None:
    looks = await asking.looks("ann@readonly.test")
    found = best(looks)
    assert found is not None and (place(found.imap), found.smtp) == ("imap.readonly.test:993 tls", None)
    assert found.not_offered == ("smtp",) and sources(looks)[-1] == "srv"


async def test_a_known_server_behind_records_brings_its_own_sign_in(asking: Asking) -> None:
    found = await asking.found("ann@gmail-inside.test")
    assert found is not None
    assert (found.source, found.provider, found.secret, found.title) == ("srv", "gmail", "app_password", "Gmail")
    assert found.advice == ("use_google_sign_in",)


@pytest.mark.parametrize(("domain", "names"), [("guess.test", ("imap", "smtp")), ("onlymail.test", ("mail", "mail"))])
async def test_a_usual_name_counts_when_it_greets_over_verified_tls(
    domain: str, names: tuple[str, str], asking: Asking, dovecot: Dovecot, postfix: Postfix
) -> None:
    found = await asking.found(
        f"ann@{domain}",
        imap_ports=((1, "tls"), (dovecot.imaps, "tls"), (dovecot.imap, "starttls")),
        smtp_ports=((1, "tls"), (postfix.submissions, "tls"), (postfix.submission, "starttls")),
    )
    assert found is not None and found.source == "guess"
    assert place(found.imap) == f"{names[0]}.{domain}:{dovecot.imaps} tls"
    assert place(found.smtp) == f"{names[1]}.{domain}:{postfix.submissions} tls"
    assert found.imap is not None and found.imap.usernames == (f"ann@{domain}", "ann")


async def test_a_guess_takes_starttls_where_there_is_nothing_better(
    asking: Asking, dovecot: Dovecot, postfix: Postfix
) -> None:
    found = await asking.found(
        "ann@guess.test",
        imap_ports=((1, "tls"), (dovecot.imap, "starttls")),
        smtp_ports=((1, "tls"), (postfix.submission, "starttls")),
    )
    assert found is not None
    assert (place(found.imap), place(found.smtp)) == (
        f"imap.guess.test:{dovecot.imap} starttls",
        f"smtp.guess.test:{postfix.submission} starttls",
    )


@pytest.mark.parametrize("kind", ["another certificate", "another protocol"])
async def test_a_guess_never_takes_what_does_not_prove_its_name_or_its_protocol(
    kind: str, asking: Asking, dovecot: Dovecot, postfix: Postfix
) -> None:
    domain, imap, smtp = "uncertified.test", dovecot.imaps, postfix.submissions
    if kind == "another protocol":
        domain, imap, smtp = "guess.test", smtp, imap
    found = await asking.found(f"ann@{domain}", imap_ports=((imap, "tls"),), smtp_ports=((smtp, "tls"),))
    assert found is None


async def test_a_website_without_a_certificate_for_its_name_says_nothing(asking: Asking, website: SettingsSite) -> None:
    website.put("autoconfig.uncertified.test", OWN, FILE)
    assert await asking.found("ann@uncertified.test") is None
    assert not website.visits


async def test_nothing_takes_longer_than_it_may(asking: Asking) -> None:
    started = time.monotonic()
    looks = await asking.looks("ann@guess.test", seconds=0.0)
    assert time.monotonic() - started < 1.0
    assert sources(looks) == ["table", "autoconfig", "well_known", "mx", "srv", "guess"]
    assert {look.words for look in looks[1:]} == {"No answer in time."}
    assert best(looks) is None


async def test_a_name_server_that_gives_no_answer_is_not_taken_for_a_domain_without_records(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_server, "ASK_SECONDS", 0.2)
    [closed] = free_ports(1)
    asking.policy = replace(asking.policy, name_server=NameServer("127.0.0.1", closed))
    looks = {look.source: look.words for look in await asking.looks("ann@guess.test")}
    assert looks["mx"] == looks["srv"] == "The name server gives no answer about the domain."


async def test_a_reader_who_goes_away_leaves_no_tasks_behind(asking: Asking) -> None:
    looks = discover("ann@guess.test", asking.policy, places=Places(**asking.places))  # type: ignore[arg-type]
    await anext(looks)
    await anext(looks)
    await looks.aclose()  # type: ignore[attr-defined]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "address", ["ann", "ann@", "@example.test", "ann@127.0.0.1", "ann@[127.0.0.1]", "ann@a b.test"]
)
async def test_what_has_no_domain_asks_nobody(address: str, asking: Asking, website: SettingsSite) -> None:
    assert await asking.looks(address) == []
    assert not website.visits


async def test_a_domain_beyond_ascii_is_asked_for_by_its_a_labels(asking: Asking, dnsmasq: Dnsmasq) -> None:
    looks = await asking.looks("ann@Müller.test")
    assert "autoconfig.xn--mller-kva.test" in looks[1].where
    assert "_imaps._tcp.xn--mller-kva.test" in dnsmasq.asked()
