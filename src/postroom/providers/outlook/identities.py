"""The addresses an Outlook mailbox may send as, as far as Graph tells."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.providers.base import RemoteIdentity
from postroom.providers.errors import NeedsAdministrator, NeedsReconnect
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import Call, with_query


async def list_identities(graph: Graph) -> Sequence[RemoteIdentity]:
    """The mailbox's own address, and for one's own mailbox its other ones.

    `proxyAddresses` has "SMTP:" before the main address and "smtp:" before each other. Of a shared mailbox Graph tells
    these only to applications that may read all users, which we do not ask for.
    """
    address = graph.facts["address"]
    name, others = "", []
    if not graph.is_shared:
        path = with_query("/me", select="displayName,mail,proxyAddresses")
        try:
            told = (await graph.ask(Call("GET", path))).fields()
        except (NeedsAdministrator, NeedsReconnect):
            told = {}
        name = str(told.get("displayName") or "")
        proxies = told.get("proxyAddresses")
        for one in proxies if isinstance(proxies, list) else ():
            kind, _, proxy = str(one).partition(":")
            if kind.lower() == "smtp" and proxy and proxy.lower() != address.lower():
                others.append(proxy)
    return [RemoteIdentity(address, name, is_default=True), *(RemoteIdentity(one, name) for one in others)]
