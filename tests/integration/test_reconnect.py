"""Reconnecting keeps row, history and cursors behind new servers and secrets; another account is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from postroom.correspondence.models import Message
from postroom.mailboxes.connect import ConnectRequest, reconnect, store_mailbox
from postroom.mailboxes.credentials import Granted, load_credentials, store_credentials
from postroom.mailboxes.models import Folder, Grant, Mailbox
from postroom.mailboxes.ownership import PostgresOwnership
from postroom.mailboxes.same_account import OtherAccount, OtherServer, is_same_user, require_same_account
from postroom.ops import sync_once
from postroom.providers import registry
from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.database import in_thread
from tests.cast import Cast, make_cast
from tests.contract.imap_place import settings as server
from tests.servers.dovecot import Dovecot

ADDRESS = "kept@rotated.example"
OTHER = "other@rotated.example"


@pytest.fixture
def cast(transactional_db: None) -> Iterator[Cast]:
    yield make_cast()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")  # a table Django does not flush


@pytest.fixture
def loopback() -> Iterator[None]:
    registry.configure(NetworkPolicy.from_environment({"POSTROOM_ALLOWED_NETWORKS": "127.0.0.0/8"}))
    yield
    registry.configure(NetworkPolicy.from_environment({}))


def letter(name: str) -> bytes:
    return f"From: a@customer.example\r\nMessage-ID: <{name}@x>\r\nSubject: {name}\r\n\r\nHello\r\n".encode()


def opened_as(dovecot: Dovecot, user: str, *, password: str = "pass") -> ConnectRequest:
    own = server(dovecot.imap, user, password=password)
    return ConnectRequest("imap", ADDRESS, "shared", secrets={"imap": own, "smtp": own})


async def synced(cast: Cast, dovecot: Dovecot, user: str) -> Mailbox:
    mailbox = await in_thread(store_mailbox, cast.alice, opened_as(dovecot, user))
    await sync_once.run(None, lambda said: None)
    return mailbox


def as_is() -> dict[str, Any]:
    mailbox = Mailbox.objects.get()
    return {
        "mailbox": (mailbox.pk, mailbox.kept_count, mailbox.import_finished_at),
        "cursors": dict(Folder.objects.exclude(cursor="").values_list("remote_name", "cursor")),
        "messages": set(Message.objects.values_list("pk", flat=True)),
    }


async def test_a_renamed_account_is_known_by_its_mail_and_another_one_is_refused_by_name(
    cast: Cast, dovecot: Dovecot, loopback: None
) -> None:
    for user in (ADDRESS, "renamed@rotated.example"):
        dovecot.deliver(user, letter("one"))
    dovecot.deliver(OTHER, letter("strangers"))
    mailbox = await synced(cast, dovecot, ADDRESS)
    before = await in_thread(as_is)
    assert len(before["messages"]) == 1 and before["cursors"]

    with pytest.raises(OtherAccount) as refused:
        await in_thread(reconnect, cast.alice, mailbox, opened_as(dovecot, OTHER))
    assert refused.value.facts == {"expected": ADDRESS, "address": OTHER}
    kept = await in_thread(load_credentials, mailbox)
    assert kept.secrets["imap"]["username"] == ADDRESS

    await in_thread(reconnect, cast.alice, mailbox, opened_as(dovecot, "renamed@rotated.example"))
    assert await in_thread(as_is) == before
    kept = await in_thread(load_credentials, mailbox)
    assert kept.secrets["imap"]["username"] == "renamed@rotated.example"


async def test_where_nobody_knows_any_more_who_signed_in_its_mail_tells_another_account(
    cast: Cast, dovecot: Dovecot, loopback: None
) -> None:
    """The secret is lost, as after a wrong restore: its address or its mail has to do."""
    address, other = f"lost-{ADDRESS}", f"lost-{OTHER}"
    for user in (address, f"renamed-{address}"):
        dovecot.deliver(user, letter("lost"))
    dovecot.deliver(other, letter("strangers"))
    mailbox = await synced(cast, dovecot, address)
    await in_thread(lambda: Grant.objects.update(sealed=b"nobody opens this"))
    with pytest.raises(OtherAccount) as refused:
        await in_thread(require_same_account, mailbox, opened_as(dovecot, other).credentials, None)
    assert refused.value.facts == {"expected": ADDRESS, "address": other}
    await in_thread(require_same_account, mailbox, opened_as(dovecot, f"renamed-{address}").credentials, None)
    await in_thread(lambda: Message.objects.all().delete())  # then nothing can be mixed up
    await in_thread(require_same_account, mailbox, opened_as(dovecot, other).credentials, None)


async def test_the_same_user_name_elsewhere_is_known_by_its_mail_or_somebody_has_to_say_that_the_server_moved(
    cast: Cast, dovecot: Dovecot, loopback: None
) -> None:
    """ "info" is somebody at every hoster."""
    address = f"moved-{ADDRESS}"
    dovecot.deliver(address, letter("moved"))
    mailbox = await synced(cast, dovecot, address)
    here = opened_as(dovecot, address)
    await in_thread(read_before_from, mailbox, "mail.old-hoster.example", here)
    await in_thread(require_same_account, mailbox, here.credentials, None)  # its mail is there
    await in_thread(lambda: Message.objects.update(internet_message_id="<not-copied@x>"))
    with pytest.raises(OtherServer) as refused:
        await in_thread(reconnect, cast.alice, mailbox, here)
    assert refused.value.facts["before"] == "mail.old-hoster.example"
    assert (await in_thread(load_credentials, mailbox)).secrets["imap"]["host"] == "mail.old-hoster.example"
    for before in ("mail.old-hoster.example", "MAIL2.old-hoster.example"):  # two servers of one hoster
        await in_thread(read_before_from, mailbox, before, here)
        elsewhere = replace(here, secrets={"imap": here.secrets["imap"] | {"host": "mail.old-hoster.example"}})
        await in_thread(require_same_account, mailbox, elsewhere.credentials, None)
    await in_thread(lambda: reconnect(cast.alice, mailbox, here, has_moved=True))
    assert (await in_thread(load_credentials, mailbox)).secrets == here.secrets
    await in_thread(read_before_from, mailbox, "mail.old-hoster.example", here)
    await in_thread(lambda: Message.objects.all().delete())  # then nothing can be mixed up
    await in_thread(require_same_account, mailbox, here.credentials, None)


def read_before_from(mailbox: Mailbox, host: str, request: ConnectRequest) -> None:
    """As if the mailbox had been on that server until now."""
    secrets = {name: server | {"host": host} for name, server in request.secrets.items()}
    store_credentials(mailbox, secrets, sign_in_user="")


async def test_a_new_password_goes_on_from_the_cursor(cast: Cast, dovecot: Dovecot, loopback: None) -> None:
    address = f"fresh-{ADDRESS}"
    dovecot.deliver(address, letter("first"))
    mailbox = await synced(cast, dovecot, address)
    before = await in_thread(as_is)
    refused = replace(opened_as(dovecot, address, password="changed meanwhile"))
    await in_thread(reconnect, cast.alice, mailbox, refused)  # as if the server's password had changed
    await sync_once.run(None, lambda said: None)
    assert await in_thread(lambda: Mailbox.objects.get().needs_reconnect)
    dovecot.deliver(address, letter("second"))
    await in_thread(reconnect, cast.alice, mailbox, opened_as(dovecot, address))
    await sync_once.run(None, lambda said: None)
    after = await in_thread(as_is)
    assert after["mailbox"] == before["mailbox"]
    assert before["messages"] < after["messages"] and len(after["messages"]) == 2


def test_a_reconnected_mailbox_is_claimed_at_once_whatever_patience_said(cast: Cast, dovecot: Dovecot) -> None:
    mailbox = store_mailbox(cast.alice, opened_as(dovecot, ADDRESS))
    worker = PostgresOwnership()
    worker.join()
    try:
        [(_, epoch)] = worker.claim(5)
        later = timezone.now() + timedelta(hours=1)
        Mailbox.objects.update(failures=9, not_before=later, needs_reconnect=True, error_code="sign_in_refused")
        reconnect(cast.alice, mailbox, opened_as(dovecot, ADDRESS, password="new"))
        assert list(worker.lost([mailbox.pk])) == [mailbox.pk]  # the old session may be on another server
        [(mailbox_id, new_epoch)] = worker.claim(5)
    finally:
        worker.leave()
    mailbox.refresh_from_db()
    assert (mailbox_id, mailbox.state) == (mailbox.pk, "connecting") and new_epoch > epoch
    assert (mailbox.failures, mailbox.not_before, mailbox.error_code) == (0, None, "")


def test_a_provider_names_the_person_and_another_one_is_refused(cast: Cast) -> None:
    now = timezone.now()
    granted = Granted(app="memory", subject="id-of-ann", scope="mail", expires_at=now)
    request = ConnectRequest("memory", ADDRESS, "shared", sign_in_user=ADDRESS, granted=granted)
    mailbox = store_mailbox(cast.alice, request)
    other = replace(request, sign_in_user=OTHER, granted=replace(granted, subject="id-of-bob"))
    with pytest.raises(OtherAccount, match=f"{OTHER} signed in, and {ADDRESS} was expected"):
        reconnect(cast.alice, mailbox, other)
    # Who is renamed at the provider stays the same person.
    reconnect(cast.alice, mailbox, replace(request, sign_in_user="ann.new@rotated.example"))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("sales", "sales@tidewater.example", True),
        ("Sales@Tidewater.Example", "sales", True),
        ("u1234", "u1234", True),
        ("sales", "sales@elsewhere.example", False),
        ("u1234", "sales", False),
    ],
)
def test_the_two_forms_of_a_user_name_are_one(one: str, other: str, is_same: bool) -> None:
    assert is_same_user(one, other, "sales@tidewater.example") is is_same


def test_only_where_one_sign_in_opens_others_mailboxes_may_another_person_go_on(cast: Cast) -> None:
    """Elsewhere another person's permission opens that person's own mail, whatever the mailbox is called."""
    now = timezone.now()
    for provider, opens in (("gmail", False), ("outlook", True)):
        granted = Granted(app=provider, subject="id-of-ann", scope="mail", expires_at=now)
        address = f"{provider}-{ADDRESS}"
        request = ConnectRequest(provider, address, "shared", sign_in_user=f"ann-{address}", granted=granted)
        mailbox = store_mailbox(cast.alice, request)
        other = replace(request, sign_in_user=OTHER, granted=replace(granted, subject="id-of-bob"))
        if opens:
            require_same_account(mailbox, other.credentials, other.granted)
            other = replace(other, sign_in_user=address)  # the mailbox itself signs in: not what opened it before
        with pytest.raises(OtherAccount):
            require_same_account(mailbox, other.credentials, other.granted)
