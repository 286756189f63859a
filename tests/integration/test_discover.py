"""Discovery as programs use it: by the API and from the command line, and what the operator may set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from postroom.ops import cli
from postroom.providers import registry
from postroom.providers.discovery.places import Places
from postroom.providers.guard import NetworkPolicy, UnfitSetting
from postroom.providers.name_server import NameServer
from tests.cast import Cast
from tests.servers.certs import Certificates
from tests.servers.dns import Dnsmasq
from tests.servers.settings_site import OWN, SettingsSite, settings_file
from tests.web.api_caller import Caller, caller_for, problem


@pytest.fixture
def local(dnsmasq: Dnsmasq, website: SettingsSite, certificates: Certificates) -> Iterator[SettingsSite]:
    """Discovery asks the test's name server and websites, as the environment says."""
    environ = {
        "POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8",
        "POSTROOM_CA_FILE": str(certificates.ca_file),
        "POSTROOM_NAME_SERVER": f"127.0.0.1:{dnsmasq.port}",
        "POSTROOM_AUTOCONFIG_PORT": str(website.port),
    }
    registry.configure(NetworkPolicy.from_environment(environ), environ)
    yield website
    registry.configure(NetworkPolicy(), {})


def discovered(caller: Caller, address: str) -> dict[str, Any]:
    answer = caller.post("/mailboxes/discover", {"address": address})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = json.loads(answer.content)
    return found


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    options = cli.parser().parse_args(["mailbox", "discover", *arguments])
    code = cli.answer(options.run, options, cli.Output(as_json=options.json))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_api_tells_the_servers_who_said_so_and_what_to_prepare(cast: Cast) -> None:
    told = discovered(caller_for(cast.bob), "ann@icloud.com")
    assert told["address"] == "ann@icloud.com"
    found = told["found"]
    assert (found["source"], found["title"], found["secret"]) == ("table", "iCloud Mail", "app_password")
    assert found["imap"] == {
        "host": "imap.mail.me.com",
        "port": 993,
        "security": "tls",
        "usernames": ["ann", "ann@icloud.com"],
    }
    assert found["smtp"]["security"] == "starttls" and found["not_offered"] == []
    (advice,) = found["advice"]
    assert advice["code"] == "prepare_icloud" and advice["fix"] and advice["docs"].endswith("/help/prepare_icloud/")
    assert [look["source"] for look in told["looks"]] == ["table"]


@pytest.mark.parametrize(("address", "provider"), [("a@gmail.com", "gmail"), ("a@hotmail.com", "outlook")])
def test_the_api_names_the_sign_in_that_comes_first(address: str, provider: str, cast: Cast) -> None:
    assert discovered(caller_for(cast.alice), address)["found"]["provider"] == provider


def test_the_api_shows_every_place_that_was_asked(cast: Cast, local: SettingsSite) -> None:
    local.put("autoconfig.redirected.test", OWN, settings_file("imap.x.test:993", "smtp.x.test:465", user="sales"))
    told = discovered(caller_for(cast.alice), "sales@redirected.test")
    assert [(look["source"], look["found"]) for look in told["looks"]] == [("table", False), ("autoconfig", True)]
    assert told["found"]["imap"]["usernames"] == ["sales", "sales@redirected.test"]
    nothing = discovered(caller_for(cast.alice), "sales@no-such-domain.test")
    assert nothing["found"] is None and all(look["words"] for look in nothing["looks"])


@pytest.mark.parametrize("body", [{}, {"address": "no address"}, {"address": "a\r\nb@c.test"}, {"address": 5}])
def test_what_is_no_address_is_refused(body: dict[str, Any], cast: Cast) -> None:
    found = problem(caller_for(cast.alice).post("/mailboxes/discover", body), 422, "invalid_fields")
    assert found["fields"].keys() == {"address"}


def test_nobody_discovers_without_a_token(db: None) -> None:
    problem(Caller(client=Client(raise_request_exception=False)).post("/mailboxes/discover", {}), 401, "unauthorized")


def test_the_command_tells_places_servers_and_what_to_prepare(
    capsys: pytest.CaptureFixture[str], local: SettingsSite
) -> None:
    code, out, err = ran(capsys, "ann@viagoogle.test")
    assert (code, err) == (0, "")
    for said in ("ok   mx MX viagoogle.test", "-    autoconfig https://", "imap.gmail.com port 993, tls", "Sign in at"):
        assert said in out, out


def test_the_command_says_what_is_not_offered_and_what_was_not_found(
    capsys: pytest.CaptureFixture[str], local: SettingsSite
) -> None:
    assert "smtp: not offered" in ran(capsys, "ann@readonly.test")[1]
    code, out, _ = ran(capsys, "ann@no-such-domain.test")
    assert code == 1 and "No settings were found" in out


def test_the_command_answers_programs_in_json(capsys: pytest.CaptureFixture[str], local: SettingsSite) -> None:
    code, out, _ = ran(capsys, "ann@services.test", "--json")
    told = json.loads(out)
    assert code == 0 and told["ok"] and told["found"]["smtp"]["host"] == "heavier.services.test"
    assert told["looks"][-1] | {"seconds": 0, "where": ""} == {
        "source": "srv",
        "where": "",
        "seconds": 0,
        "found": True,
        "words": "",
    }


@pytest.mark.parametrize(
    ("told", "server"),
    [
        ("", NameServer()),
        ("192.0.2.1", NameServer("192.0.2.1", 53)),
        ("192.0.2.1:5353", NameServer("192.0.2.1", 5353)),
        ("2001:db8::1", NameServer("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", NameServer("2001:db8::1", 5353)),
    ],
)
def test_a_name_server_is_named_by_its_address(told: str, server: NameServer) -> None:
    assert NetworkPolicy.from_environment({"POSTROOM_NAME_SERVER": told}).name_server == server


@pytest.mark.parametrize("told", ["ns.example.test", "127.0.0.1:0", "127.0.0.1:x", "127.0.0.1:99999", ":53", "::1:"])
def test_a_name_server_that_is_none_is_said_at_the_start(told: str) -> None:
    with pytest.raises(UnfitSetting, match="POSTROOM_NAME_SERVER is "):
        NetworkPolicy.from_environment({"POSTROOM_NAME_SERVER": told})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("POSTROOM_ASK_PUBLIC_DATABASE", "perhaps"),
        ("POSTROOM_AUTOCONFIG_PORT", "0"),
        ("POSTROOM_AUTOCONFIG_PORT", "https"),
    ],
)
def test_places_that_cannot_be_asked_are_said_at_the_start(name: str, told: str) -> None:
    with pytest.raises(UnfitSetting, match=f"{name} is {told!r}"):
        Places.from_environment({name: told})


def test_mozilla_is_not_asked_unless_the_operator_says_so() -> None:
    assert not Places.from_environment({}).asks_public_database
    assert Places.from_environment({"POSTROOM_ASK_PUBLIC_DATABASE": "Yes"}).asks_public_database
