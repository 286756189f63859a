"""Discovery cannot be used to reach, or to learn about, what stands in the operator's network (CWE-918).

A domain is its owner's: its names may lead anywhere, its website may send anybody anywhere, its name server may change
its mind. Whatever it tries, nothing closed is connected to, and the answer is the one that a missing page gets.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from postroom.providers.base import CheckStep, Credentials
from postroom.providers.discovery import settings_file as fetching
from postroom.providers.discovery.discover import best, discover
from postroom.providers.discovery.found import Look
from postroom.providers.discovery.places import Places
from postroom.providers.guard import NetworkPolicy
from postroom.providers.imap.provider import ImapProvider
from postroom.providers.name_server import NameServer
from tests.fakes.rebinding_dns import rebinding_dns
from tests.servers.certs import Certificates
from tests.servers.dns import PRIVATE, Dnsmasq
from tests.servers.settings_site import OWN, Page, SettingsSite, settings_file, settings_site

CLOSED = [
    line
    for line in (Path(__file__).parents[1] / "corpus/ssrf/closed_hosts.txt").read_text().splitlines()
    if not line.startswith("#") and line not in ("127.0.0.1", "localhost", "LOCALHOST.")  # the one that is open here
]
FILE = settings_file("imap.example.test:993", "smtp.example.test:587")
HOST = "autoconfig.redirected.test"


@pytest.fixture
def policy(certificates: Certificates, dnsmasq: Dnsmasq) -> NetworkPolicy:
    """One address is open, as it is to an operator's own mail server."""
    environ = {"POSTROOM_ALLOWED_NETWORKS": "127.0.0.1/32", "POSTROOM_CA_FILE": str(certificates.ca_file)}
    return replace(NetworkPolicy.from_environment(environ), name_server=dnsmasq.name_server)


@contextmanager
def listener(address: str = "127.0.0.1", port: int = 0, words: bytes = b"") -> Iterator[tuple[int, list[object]]]:
    """A port that nobody may connect to: (port, who did)."""
    visits: list[object] = []
    endpoint = socket.create_server((address, port))
    endpoint.settimeout(0.1)
    is_over = threading.Event()

    def accept() -> None:
        while not is_over.is_set():
            with suppress(TimeoutError):
                client, who = endpoint.accept()
                visits.append(who)
                with client, suppress(OSError):
                    client.sendall(words)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield endpoint.getsockname()[1], visits
    finally:
        is_over.set()
        thread.join()
        endpoint.close()


async def looks_at(domain: str, policy: NetworkPolicy, website: SettingsSite, port: int = 1) -> list[Look]:
    places = Places(https_port=website.port, imap_ports=((port, "tls"),), smtp_ports=((port, "tls"),))
    return [look async for look in discover(f"ann@{domain}", policy, places=places)]


def without_times(looks: list[Look], domain: str) -> list[tuple[str, str, bool, str]]:
    """What a member can see of the looks, with the domain's name taken out."""
    return [(look.source, look.where.replace(domain, "DOMAIN"), look.found is None, look.words) for look in looks]


@pytest.fixture
async def nothing(policy: NetworkPolicy, website: SettingsSite) -> list[tuple[str, str, bool, str]]:
    """What is answered about a domain that does not exist."""
    looks = await looks_at("no-such-domain.test", policy, website)
    assert best(looks) is None and len(looks) == 6
    return without_times(looks, "no-such-domain.test")


@pytest.mark.parametrize("number", range(len(PRIVATE)), ids=PRIVATE)
async def test_names_that_lead_into_private_networks_are_answered_as_if_there_were_none(
    number: int, policy: NetworkPolicy, website: SettingsSite, nothing: list[tuple[str, str, bool, str]]
) -> None:
    domain = f"private{number}.test"
    started = time.monotonic()
    assert without_times(await looks_at(domain, policy, website, port=993), domain) == nothing
    assert time.monotonic() - started < 3, "nothing was connected to"
    assert not website.visits


async def test_redirects_to_closed_hosts_are_answered_like_a_missing_page(
    policy: NetworkPolicy, website: SettingsSite, nothing: list[tuple[str, str, bool, str]]
) -> None:
    for host in CLOSED:
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        for place in {shown, f"{shown}:{website.port}"}:
            website.redirect(HOST, OWN, f"https://{place}/latest/meta-data/".encode().decode("latin-1"))
            looks = await looks_at("redirected.test", policy, website)
            assert without_times(looks, "redirected.test") == nothing, host
    assert {host for host, _ in website.visits} == {HOST}


async def test_a_redirect_over_https_to_an_open_host_is_followed_and_no_other(
    policy: NetworkPolicy, website: SettingsSite
) -> None:
    website.put("autoconfig.hoster.test", "/file.xml", FILE)
    elsewhere = f"autoconfig.hoster.test:{website.port}/file.xml"
    website.redirect(HOST, OWN, f"https://{elsewhere}")
    found = best(await looks_at("redirected.test", policy, website))
    assert found is not None and found.source_host == HOST  # whose word it is
    with listener() as (port, visits):
        for target in (
            f"http://{elsewhere}",
            f"http://127.0.0.1:{port}/",
            f"https://127.0.0.1:{port}/",
            f"https://autoconfig.hoster.test:{port}/file.xml",
            f"https://user:word@{elsewhere}",
            f"//127.0.0.1:{port}/",
            f"gopher://127.0.0.1:{port}/_x",
            "file:///etc/passwd",
            "https://",
            "https://[::1",
            "https://autoconfig.hoster.test:99999/",
            "",
        ):
            website.redirect(HOST, OWN, target)
            assert best(await looks_at("redirected.test", policy, website)) is None, target
        assert visits == []


async def test_redirects_in_a_circle_end_soon(policy: NetworkPolicy, website: SettingsSite) -> None:
    website.redirect(HOST, OWN, OWN)
    assert best(await looks_at("redirected.test", policy, website)) is None
    assert len(website.visits) == 4


@pytest.mark.parametrize(
    "answer",
    [
        Page(body=FILE + b" " * 70_000),
        Page(body=FILE, headers={"Content-Encoding": "gzip"}),
        Page(status=500, body=FILE),
        Page(status=401, body=FILE, headers={"WWW-Authenticate": "Basic"}),
        Page(body=b'<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]><clientConfig>&x;</clientConfig>'),
    ],
    ids=["too large", "packed", "failing", "asks who we are", "entities"],
)
async def test_a_page_that_is_no_settings_file_is_answered_like_a_missing_one(
    answer: Page, policy: NetworkPolicy, website: SettingsSite, nothing: list[tuple[str, str, bool, str]]
) -> None:
    website.pages[HOST, OWN] = answer
    assert without_times(await looks_at("redirected.test", policy, website), "redirected.test") == nothing
    assert (HOST, f"{OWN}?emailaddress=ann%40redirected.test") in website.visits


async def test_a_website_that_drips_or_says_nothing_is_left_alone_soon(
    policy: NetworkPolicy, website: SettingsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes the connection, nobody reads it
        places = Places(https_port=silent.getsockname()[1], imap_ports=((1, "tls"),), smtp_ports=((1, "tls"),))
        started = time.monotonic()
        looks = [look async for look in discover("ann@example.test", policy, places=places)]
    assert 0.4 < time.monotonic() - started < 3.0
    assert [look.source for look in looks if look.found] == ["srv"]


async def test_a_name_that_changes_its_address_gains_nothing(
    policy: NetworkPolicy, certificates: Certificates, website: SettingsSite
) -> None:
    website.put("autoconfig.example.test", OWN, FILE)
    with (
        rebinding_dns(["127.0.0.1"], ["127.0.0.9"]) as server,
        settings_site(certificates, "127.0.0.9", website.port) as inside,
    ):
        inside.put("autoconfig.example.test", OWN, settings_file("inside.test:993", "inside.test:465"))
        rebound = replace(policy, name_server=NameServer("127.0.0.1", server.port))
        found = best(await looks_at("example.test", rebound, website))
        assert found is not None and found.imap is not None and found.imap.host == "imap.example.test"
        assert server.asked["autoconfig.example.test"] == 1, "what was checked is what is connected to"
        assert inside.visits == []


async def test_one_closed_address_among_open_ones_closes_the_name(policy: NetworkPolicy, website: SettingsSite) -> None:
    website.put("autoconfig.example.test", OWN, FILE)
    with rebinding_dns(["127.0.0.1", "127.0.0.9"], ["127.0.0.1"]) as server:
        rebound = replace(policy, name_server=NameServer("127.0.0.1", server.port))
        assert best(await looks_at("example.test", rebound, website)) is None
    assert website.visits == []


async def test_what_another_service_says_on_a_port_is_never_repeated(
    policy: NetworkPolicy, website: SettingsSite
) -> None:
    with listener(words=b"SSH-2.0-very-secret-banner\r\n") as (port, visits):
        for security in ("tls", "starttls"):
            places = Places(https_port=website.port, imap_ports=((port, security),), smtp_ports=((port, security),))
            looks = [look async for look in discover("ann@guess.test", policy, places=places)]
            assert best(looks) is None
            assert "secret" not in repr(looks) and str(port) not in repr(looks)
    assert visits, "the test listens where discovery looks"


async def test_a_name_server_that_never_answers_costs_no_more_than_the_time_there_is(
    policy: NetworkPolicy, website: SettingsSite
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        deaf = replace(policy, name_server=NameServer("127.0.0.1", silent.getsockname()[1]))
        places = Places(https_port=website.port, seconds=0.5)
        started = time.monotonic()
        looks = [look async for look in discover("ann@silent.test", deaf, places=places)]
        assert 0.4 < time.monotonic() - started < 3.0
    assert best(looks) is None and len(looks) == 6


@pytest.mark.parametrize("port", [993, 5432])
async def test_the_check_answers_alike_about_every_closed_host(port: int, policy: NetworkPolicy) -> None:
    for host in CLOSED:
        step = await _first_step(host, port, policy)
        assert (step.name, step.ok, step.code) == ("name", False, "host_not_allowed"), host
        assert (step.note, step.server_words, step.facts) == ("", "", {"host": host})


async def _first_step(host: str, port: int, policy: NetworkPolicy) -> CheckStep:
    server = {"host": host, "port": port, "security": "tls", "username": "ann", "password": "word"}
    credentials = Credentials("ann@example.test", {"imap": server, "smtp": server})
    async for step in ImapProvider(policy).check(credentials):
        return step
    raise AssertionError("a check has steps")
