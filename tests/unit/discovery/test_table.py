"""Every service of the table, against a list of its own; and how one is recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroom.providers import catalogue, registry
from postroom.providers.discovery.discover import discover
from postroom.providers.discovery.mail_services import is_below
from postroom.providers.discovery.places import Places
from postroom.providers.discovery.table import SERVICES, TABLE
from postroom.providers.guard import NetworkPolicy

CORPUS = Path(__file__).parents[2] / "corpus/discovery"
SECURITY = {"993": "tls", "465": "tls", "143": "starttls", "587": "starttls"}


def rows(name: str) -> list[list[str]]:
    lines = (CORPUS / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


DOMAINS = [(domain, row) for row in rows("services.tsv") for domain in row[0].split()]
MAIL_HOSTS = rows("mail_hosts.tsv")


@pytest.mark.parametrize(("domain", "row"), DOMAINS, ids=[domain for domain, _ in DOMAINS])
async def test_a_known_domain_has_its_service_s_settings_and_asks_nobody(domain: str, row: list[str]) -> None:
    _, imap, smtp, forms, secret, provider = row
    looks = [look async for look in discover(f"Ann.Lee@{domain.upper()}", NetworkPolicy(), places=Places())]
    assert [look.source for look in looks] == ["table"]
    found = looks[0].found
    assert found is not None and found.is_decided
    assert (found.secret, found.provider or "-", found.source_host) == (secret, provider, domain)
    names = {"address": f"Ann.Lee@{domain}", "local": "Ann.Lee"}
    wanted = [names.get(form) for form in forms.split(" / ")]
    for server, place, user in ((found.imap, imap, wanted[0]), (found.smtp, smtp, wanted[-1])):
        if place == "-":
            assert server is None
            continue
        assert server is not None
        assert (f"{server.host}:{server.port}", server.security) == (place, SECURITY[place.partition(":")[2]])
        assert server.usernames[0] == user


def test_at_least_sixty_domains_and_every_service_are_in_the_list() -> None:
    assert len(DOMAINS) >= 60
    listed = {domain for domain, _ in DOMAINS}
    reached = {service for row in MAIL_HOSTS if (service := TABLE.find_by_mail_host(row[0]))}
    assert [one.title for one in SERVICES if not listed & set(one.domains.split()) and one not in reached] == []


@pytest.mark.parametrize("row", MAIL_HOSTS, ids=[row[0] for row in MAIL_HOSTS])
def test_a_service_is_recognised_by_the_host_that_takes_the_mail(row: list[str]) -> None:
    host, imap, provider, secret = row
    service = TABLE.find_by_mail_host(host)
    if imap == "?":
        assert service is None
        return
    assert service is not None
    assert (service.imap.partition(":")[0] or "-", service.provider or "-", service.secret) == (imap, provider, secret)


def test_no_domain_belongs_to_two_services() -> None:
    for attribute in ("domains", "mx"):
        named = [domain for service in SERVICES for domain in getattr(service, attribute).split()]
        assert sorted(set(named)) == sorted(named)


def test_what_a_service_names_exists() -> None:
    for service in SERVICES:
        assert [code for code in service.advice if code not in catalogue.CATALOGUE] == []
        assert service.provider in ("", *registry.PROVIDERS)
        assert service.advice or service.secret == "password", service.title  # another kind is explained


def test_a_host_is_below_a_domain_by_whole_labels() -> None:
    assert is_below("mx.zoho.com", "zoho.com") and is_below("zoho.com", "zoho.com")
    assert not is_below("notzoho.com", "zoho.com") and not is_below("zoho.com.evil.test", "zoho.com")
