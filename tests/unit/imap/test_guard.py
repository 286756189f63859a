"""The guard against hosts in private networks, in every spelling that we know."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path

import pytest

from postroom.providers.errors import Unreachable, WrongSettings
from postroom.providers.guard import FailedNames, NetworkPolicy, UnfitSetting, ascii_host, resolve

CLOSED = [
    line
    for line in (Path(__file__).parents[2] / "corpus/ssrf/closed_hosts.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("host", CLOSED)
async def test_a_closed_address_is_refused_in_every_spelling_with_the_same_words(host: str) -> None:
    with pytest.raises(WrongSettings) as caught:
        await resolve(host, 993, NetworkPolicy())
    assert caught.value.code == "host_not_allowed" and caught.value.server_words == ""


@pytest.mark.parametrize("host", ["2001:0db8:85a3:0000:0000:8a2e:0370:7334", "8.8.8.8", "[2606:4700::1111]"])
async def test_a_public_address_is_allowed_on_mail_ports_only(host: str) -> None:
    assert len(await resolve(host, 993, NetworkPolicy())) == 1
    for port in (22, 80, 443, 5432, 11211):
        with pytest.raises(WrongSettings) as caught:
            await resolve(host, port, NetworkPolicy())
        assert caught.value.code == "host_not_allowed"


async def test_the_operator_opens_networks_with_any_port() -> None:
    policy = NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8, ::1/128"})
    assert ipaddress.ip_address("127.0.0.1") in await resolve("localhost", 10143, policy)
    with pytest.raises(WrongSettings):
        await resolve("10.0.0.1", 993, policy)


@pytest.mark.parametrize(
    "host", ["", " ", "a..b", "-a.test", "a b.test", "x" * 300, "no-such-host.invalid", "a/b", "a@b"]
)
async def test_what_is_no_host_is_unknown(host: str) -> None:
    with pytest.raises(WrongSettings) as caught:
        await resolve(host, 993, NetworkPolicy())
    assert caught.value.code == "host_unknown"


def test_a_host_with_umlauts_becomes_its_a_labels() -> None:
    assert ascii_host("Mail.Müller.example.") == "mail.xn--mller-kva.example"


def test_a_network_that_is_none_is_said_at_the_start() -> None:
    with pytest.raises(UnfitSetting, match="POSTROOM_ALLOWED_NETWORKS holds 'nonsense'"):
        NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "10.0.0.0/8, nonsense"})


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_authorities_is_said_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnfitSetting, match=r"POSTROOM_CA_FILE names \S+ca\.pem, which"):
        NetworkPolicy.from_environment({"POSTROOM_CA_FILE": str(file)})


async def test_a_name_that_has_just_failed_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = FailedNames()
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    async def no_answer(name: str, *rest: object, **more: object) -> list[object]:
        asked.append(name)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(loop, "getaddrinfo", no_answer)
    policy = NetworkPolicy()
    for _ in range(3):
        with pytest.raises(Unreachable) as caught:
            await resolve("mail.slow.example", 993, policy, failures)
        assert caught.value.code == "name_server_failed"
    assert asked == ["mail.slow.example"]
    assert failures.find("mail.slow.example", loop.time() + 3600) is None, "it is asked for again later"
    with pytest.raises(Unreachable):  # a person who checks what was typed is not told what was
        await resolve("mail.slow.example", 993, policy)
    assert len(asked) == 2
