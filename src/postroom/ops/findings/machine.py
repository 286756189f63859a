"""What Postroom stands on: the database, room on the disk, a clock that is right, names that can be looked up, keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final, Literal

from django.conf import settings
from django.db import connection

from postroom.correspondence.models import Placement
from postroom.mailboxes.models import Grant, OAuthApp
from postroom.mailboxes.oauth_apps import oauth_of, secret_of
from postroom.mailboxes.sealing import Unsealable, unseal_secrets
from postroom.ops import data_folder
from postroom.ops.findings.disk import room
from postroom.ops.findings.finding import Finding
from postroom.providers.errors import ProviderError
from postroom.providers.guard import NetworkPolicy, resolve
from postroom.providers.http import HttpClient
from postroom.providers.oauth import oauth_endpoints
from postroom.workspaces.ids import made_at

OLDEST_POSTGRESQL: Final = 140_000  # as server_version_num says 14.0
LARGEST_SKEW_SECONDS: Final = 5.0  # a worker that has not been seen for 7.5 s is taken for dead
MAIL_SKEW_SECONDS: Final = 120.0  # mail servers' own clocks differ by less
LATEST_MAIL: Final = 50
LOOK_UP_SECONDS: Final = 5.0
MOST_NAMES: Final = 50

Answer = Literal["found", "unknown", "silence"]  # of a name server about a name


def database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
        number, name = cursor.fetchone()
    is_new = number >= OLDEST_POSTGRESQL
    return Finding("database", is_new, f"PostgreSQL {name}", "Use PostgreSQL 14 or newer.")


def disk() -> Finding:
    """The data folder, and the attachments where they lie on another disk."""
    return room(_folders())


def _folders() -> Iterator[Path]:
    media = getattr(settings, "MEDIA_ROOT", "")
    if media:
        yield Path(media)
    yield data_folder.path()  # last: it is the one that an operator knows


def clock() -> Finding:
    """This machine's clock against the database's, and against the mail servers' by the mail that came last."""
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [theirs] = cursor.fetchone()
    skew = theirs.timestamp() - (before + time.time()) / 2
    fix = "Have the clocks of this machine and the database's set by the network: `timedatectl set-ntp true`."
    if abs(skew) > LARGEST_SKEW_SECONDS:
        return Finding("clock", False, f"{abs(skew):.0f} seconds {_side(skew)} the database's", fix)
    late = seconds_behind_mail()
    if late > MAIL_SKEW_SECONDS:
        return Finding("clock", False, f"{late / 60:.0f} minutes behind the mail servers'", fix)
    told = provider_time()
    if told and abs(off := told.seconds_ahead) > MAIL_SKEW_SECONDS:
        return Finding("clock", False, f"{abs(off) / 60:.0f} minutes {_side(off)} {told.owner}'s", fix)
    others = f"the database's and {told.owner}'s" if told else "the database's"
    return Finding("clock", True, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, as {others}")


def _side(skew: float) -> str:
    return "behind" if skew > 0 else "ahead of"


def seconds_behind_mail() -> float:
    """How much later servers received messages than we stored them, which a right clock makes impossible; 0 else.

    The third largest of the latest: one server, or one message, may be wrong itself.
    """
    latest = Placement.objects.exclude(received_at=None).order_by("-pk")[:LATEST_MAIL]
    ahead = sorted(
        (received_at - stored_at).total_seconds()
        for placement in latest
        if (received_at := placement.received_at) and (stored_at := made_at(placement.pk))
    )
    return max(ahead[-3], 0.0) if len(ahead) >= 3 else 0.0


@dataclass(frozen=True, slots=True)
class ProviderTime:
    """How far a provider's clock is ahead of ours, to the second (the Date field of RFC 9110 section 6.6.1)."""

    owner: str
    seconds_ahead: float


def provider_time() -> ProviderTime | None:
    """Asked of the first provider whose mailboxes are connected by OAuth; None where there is none, or no answer.

    Its public keys are fetched, which anybody may: nothing secret is sent.
    """
    provider = Grant.objects.filter(mailbox__disconnected_at=None).exclude(app="").values_list("app", flat=True).first()
    if provider is None:
        return None
    oauth = oauth_of(provider)
    keys_url = oauth_endpoints(os.environ, oauth).at(oauth.default_tenant).keys
    try:
        said = asyncio.run(_date_of(keys_url))
        ahead = parsedate_to_datetime(said).timestamp() - time.time()
    except (ProviderError, ValueError):
        return None
    return ProviderTime(oauth.owner, ahead)


async def _date_of(url: str) -> str:
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        answer = await http.request("GET", url, timeout_seconds=LOOK_UP_SECONDS)
        return str(answer.headers.get("Date", ""))
    finally:
        await http.close()


def names() -> Finding:
    """Whether the mail servers' names can be looked up from here."""
    hosts = sorted(_mail_hosts())[:MOST_NAMES]
    if not hosts:
        return Finding("dns", True, "no mail server to look up")
    began = time.perf_counter()
    policy = NetworkPolicy.from_environment(os.environ)
    unknown = unresolved(hosts, policy)
    what = f"{len(hosts)} mail server(s) looked up in {(time.perf_counter() - began) * 1000:.0f} ms"
    if not unknown:
        return Finding("dns", True, what)
    place = "POSTROOM_NAME_SERVER" if policy.name_server.host else "/etc/resolv.conf"
    if list(unknown.values()) == ["silence"] * len(hosts):
        fix = f"Look at {place}: is the name server there and reachable from this machine?"
        return Finding("dns", False, f"the name server gives no answer for {', '.join(unknown)}", fix)
    fix = f"Look at {place} and the network of this machine."
    if len(unknown) < len(hosts):
        fix = "Other names are found, so the name is wrong or gone: compare it with the provider's help page."
    named = (f"{host} (no answer)" if said == "silence" else host for host, said in unknown.items())
    return Finding("dns", False, f"not found: {', '.join(named)}", fix)


def unresolved(hosts: Iterable[str], policy: NetworkPolicy) -> dict[str, Answer]:
    """Those of `hosts` that mail connections would not find, with what the name server said of each in time."""
    said: dict[str, Answer] = dict.fromkeys(sorted(hosts), "silence")
    answers = Queue[tuple[str, Answer]]()

    def look_up(host: str) -> None:
        try:
            if policy.name_server.host:
                asyncio.run(resolve(host, 993, policy))
            else:
                socket.getaddrinfo(host, None)
            answers.put((host, "found"))
        except OSError as error:
            answers.put((host, "silence" if error.errno == socket.EAI_AGAIN else "unknown"))
        except ProviderError as error:
            answers.put((host, "silence" if error.code == "name_server_failed" else "unknown"))

    until = time.monotonic() + LOOK_UP_SECONDS
    for host in said:
        Thread(target=look_up, args=(host,), daemon=True).start()  # one that hangs must not hold the command
    with contextlib.suppress(Empty):
        for _ in range(len(said)):
            host, answer = answers.get(timeout=max(until - time.monotonic(), 0))
            said[host] = answer
    return {host: answer for host, answer in said.items() if answer != "found"}


def keys() -> Finding:
    """The sealing keys, and whether they open what is sealed: a backup may be of another installation."""
    try:
        found = data_folder.sealing_keys(data_folder.path())
    except data_folder.DataFolderError as error:
        return Finding("keys", False, str(error), "Restore the keys from a backup.")
    what = f"{len(found.keys)} sealing key(s), current {found.current}"
    closed = sum(1 for grant in _grants() if _opened(grant) is None)
    silent = sum(1 for app in OAuthApp.objects.exclude(client_id="") if not _has_secret(app))
    if closed or silent:
        named = [f"{closed} mailbox(es)"] * bool(closed) + [f"{silent} registration(s) at a provider"] * bool(silent)
        fix = "Restore the keys that belong to this database (POSTROOM_SECRET_KEYS_FILE, else in the data folder)."
        fix += " Where they are lost, reconnect these mailboxes, and save the registrations anew in Settings > Apps."
        return Finding("keys", False, f"{what}; {' and '.join(named)} cannot be opened with them", fix)
    return Finding("keys", True, what)


def _has_secret(app: OAuthApp) -> bool:
    try:
        return bool(secret_of(app))
    except Unsealable:
        return False


def _grants() -> Iterable[Grant]:
    return Grant.objects.filter(mailbox__disconnected_at=None).iterator()


def _opened(grant: Grant) -> dict[str, Any] | None:
    try:
        return unseal_secrets(bytes(grant.sealed), grant.mailbox_id, grant.workspace_id)
    except Unsealable:
        return None


def _mail_hosts() -> set[str]:
    """The hosts of all connected mailboxes' servers."""
    hosts = set()
    for grant in _grants():
        for server in (_opened(grant) or {}).values():
            if isinstance(server, dict) and server.get("host"):
                hosts.add(str(server["host"]))
    return hosts
