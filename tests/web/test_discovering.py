"""The connect page after the address: where it looked, what it found, and which password it asks for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import QueryDict
from django.test import Client

from postroom.mailboxes.models import Mailbox
from postroom.providers.discovery.found import Found, FoundServer, Look
from postroom.web import discovering
from postroom.web.forms.mailboxes import ConnectForm, found_settings
from postroom.web.ways import ways
from postroom.workspaces import approval
from postroom.workspaces.members import Member
from tests.cast import Cast
from tests.fakes.google import FakeGoogle
from tests.web.streaming import closed_threads, stream

__all__ = ["closed_threads"]  # a fixture

DISCOVER = "/settings/mailboxes/discoveries/"
ADDRESS = "sales@tidewater.example"
IMAP = FoundServer("mail.tidewater.example", 993, "tls", (ADDRESS, "sales"))
SMTP = FoundServer("smtp.tidewater.example", 587, "starttls", (ADDRESS, "sales"))
FOUND = Found("autoconfig", "autoconfig.tidewater.example", IMAP, SMTP, title="Tidewater Mail")
NOTHING = Look("table", "tidewater.example", 0.0, words="Not in the list.")


def looks(*found: Found) -> list[Look]:
    return [NOTHING, *(Look(one.source, one.source_host, 0.12, one) for one in found)]


def lines(member: Member, told: Sequence[Look]) -> list[dict[str, Any]]:
    """What the member's page is told, line by line."""

    async def asked() -> AsyncIterator[Look]:
        for look in told:
            yield look

    async def all_lines() -> list[bytes]:
        return [line async for line in discovering.lines(question, asked(), {"member": member})]

    question = discovering.Question.of(member, ADDRESS)

    return [json.loads(line) for line in async_to_sync(all_lines)()]


def settings(cast: Cast, *found: Found, member: Member | None = None) -> str:
    """The part of the page below the address, as Alice sees it or another member."""
    told = lines(member or cast.alice, looks(*found))
    assert told[-1]["into"] == "settings" and told[-1]["over"]
    return str(told[-1]["html"])


def test_each_place_is_told_as_it_is_asked(cast: Cast) -> None:
    told = lines(cast.alice, looks(FOUND))
    asked = [line["html"] for line in told if line["place"] == "append"]
    assert len(asked) == 2
    assert "own list of mail services" in asked[0] and "tidewater.example. Not in the list." in asked[0]
    assert "settings file" in asked[1] and "120" in asked[1]
    assert any("Where we looked: 2 places" in line.get("html", "") for line in told)


def test_what_was_found_stands_there_with_its_source_and_in_the_form(cast: Cast) -> None:
    html = settings(cast, FOUND)
    for said in ("mail.tidewater.example", "993, TLS", "587, STARTTLS", "from the domain&#x27;s own settings file"):
        assert said in html, said
    assert 'name="imap_host" value="mail.tidewater.example"' in html
    assert 'name="smtp_port" value="587"' in html
    assert f'name="imap_username" value="{ADDRESS}"' in html
    assert '<details class="fold"><summary>Change the settings' in html


def test_the_password_is_asked_after_everything_else(cast: Cast) -> None:
    html = settings(cast, FOUND)
    assert html.index('name="imap_password"') > html.index('name="kind"') > html.index('name="imap_host"')


def test_where_nothing_was_found_the_fields_are_open_and_empty(cast: Cast) -> None:
    html = settings(cast)
    assert "We found no settings for" in html and "Change the settings" not in html
    assert 'name="imap_host"' in html and 'value="mail.' not in html


def test_a_server_that_is_not_offered_is_said_and_its_fields_are_open(cast: Cast) -> None:
    html = settings(cast, Found("srv", "tidewater.example", imap=IMAP, not_offered=("smtp",)))
    assert "Not offered" in html and '<details class="fold" open>' in html
    assert "Not found" in settings(cast, Found("srv", "tidewater.example", imap=IMAP))


@pytest.mark.parametrize(
    ("kind", "label"),
    [("app_password", "App password"), ("authorization_code", "Authorization code"), ("password", "Password")],
)
def test_the_kind_of_password_is_named(cast: Cast, kind: Any, label: str) -> None:
    html = settings(cast, Found("table", "tidewater.example", IMAP, SMTP, secret=kind))
    assert f'<label for="id_imap_password">{label}</label>' in html
    assert f'name="secret" value="{kind}"' in html


def test_advice_says_what_to_prepare(cast: Cast) -> None:
    html = settings(cast, Found("table", "tidewater.example", IMAP, SMTP, advice=("fastmail_app_password",)))
    assert html.index("app password") < html.index('name="imap_password"')


def test_one_password_does_for_two_forms_of_the_user_name(cast: Cast) -> None:
    imap = FoundServer("imap.mail.me.com", 993, "tls", ("sales", ADDRESS))
    smtp = FoundServer("smtp.mail.me.com", 587, "starttls", (ADDRESS,))
    html = settings(cast, Found("table", "x", imap, smtp))
    assert "for receiving," in html and "as this service wants them" in html
    form = ConnectForm(QueryDict(mutable=True))
    form.data.update(  # type: ignore[attr-defined]
        found_settings(ADDRESS, Found("table", "x", imap, smtp))
        | {"kind": "shared", "usage": "general", "backfill_days": "30", "imap_password": "one", "same_login": ""}
    )
    assert form.is_valid(), form.errors
    wanted = form.request().secrets
    assert [(wanted[server]["username"], wanted[server]["password"]) for server in ("imap", "smtp")] == [
        ("sales", "one"),
        (ADDRESS, "one"),
    ]


def test_a_service_without_servers_of_its_own_says_what_to_do_above_the_fields(cast: Cast) -> None:
    html = settings(cast, Found("table", "x", secret="bridge_password", advice=("use_proton_bridge",)))
    assert "Settings we found" not in html and "Password of the bridge" in html
    assert html.count("Proton needs its Bridge") == 1 and html.index("needs its Bridge") < html.index("imap_host")


def test_an_address_with_a_sign_in_page_gets_its_button_first_and_the_reason(cast: Cast) -> None:
    there = ways(cast.alice)[0]
    html = settings(cast, Found("mx", "mx.example", IMAP, SMTP, provider=there.provider, secret="app_password"))
    assert f"{ADDRESS} is at {there.owner}" in html and "is the better way" in html
    assert html.index(f"{there.title} is not set up") < html.index("Use the mail servers and a password instead")
    assert html.index("password instead") < html.index('name="imap_password"')


def test_where_the_app_is_set_up_the_button_takes_the_address_along(cast: Cast, google_app: FakeGoogle) -> None:
    html = settings(cast, Found("table", "x", IMAP, SMTP, provider="gmail", advice=("use_google_sign_in",)))
    assert 'href="/settings/mailboxes/connect/gmail/?address=sales%40tidewater.example">Connect with Google' in html
    assert "gives Postroom a permission for this mailbox" in html


def test_where_no_password_opens_a_mailbox_none_is_asked(cast: Cast) -> None:
    there = ways(cast.alice)[0]
    html = settings(cast, Found("mx", "mx.example", IMAP, SMTP, provider=there.provider, secret="none"))
    assert "lets no program in with a password any more" in html
    assert "imap_password" not in html


def test_a_kind_that_an_administrator_decides_about_is_told_before_the_password(cast: Cast) -> None:
    approval.change_policy(cast.alice, providers={}, personal="ask", shared="everyone", domains=[])
    html = settings(cast, FOUND, member=cast.bob)
    assert 'data-kind-refusal="personal"' in html and 'data-kind-refusal="shared"' not in html
    assert "Ask for approval" in html and "imap_password" in html
    assert "data-kind-refusal" not in settings(cast, FOUND)  # she decides herself


def test_who_may_not_connect_it_is_told_before_a_password_is_typed(cast: Cast) -> None:
    approval.change_policy(
        cast.alice, providers={"imap": "ask", "gmail": "ask"}, personal="everyone", shared="everyone", domains=[]
    )
    html = settings(cast, FOUND, member=cast.bob)
    assert "Ask for approval" in html and "imap_password" not in html
    at_google = Found("table", "x", IMAP, SMTP, provider="gmail")
    html = settings(cast, at_google, member=cast.bob)
    assert "provider=gmail" in html and "Connect with Google" not in html and "imap_password" not in html
    assert "imap_password" in settings(cast, FOUND)


def test_a_page_without_script_shows_the_fields_too(alice: Client) -> None:
    response = alice.post(DISCOVER, {"address": ADDRESS, "by": "hand"})
    html = response.content.decode()
    assert response.status_code == 200 and f'name="address" value="{ADDRESS}" data-address' in html
    assert 'name="imap_host"' in html


def test_an_address_that_is_connected_is_not_looked_for(alice: Client, sales: Mailbox) -> None:
    html = alice.post(DISCOVER, {"address": sales.address}).content.decode()
    assert f"{sales.address} is connected already" in html and "imap_host" not in html


def test_what_is_no_address_is_said_beside_it(alice: Client) -> None:
    response = alice.post(DISCOVER, {"address": "sales", "by": "hand"})
    assert response.status_code == 422 and "is not a mail address" in response.content.decode()


@pytest.mark.usefixtures("closed_threads")
@pytest.mark.django_db(transaction=True)
async def test_a_page_with_script_is_told_the_same(alice: Client) -> None:
    [line] = await stream(alice, DISCOVER, {"address": "sales"})
    assert line["into"] == "errors-address" and "is not a mail address" in line["html"] and line["over"]
    told = await stream(alice, DISCOVER, {"address": ADDRESS, "by": "hand"})
    assert told[-1]["into"] == "settings" and "csrfmiddlewaretoken" in told[-1]["html"]


def test_a_guest_discovers_nothing(guest: Client) -> None:
    assert guest.post(DISCOVER, {"address": ADDRESS}).status_code == 302
