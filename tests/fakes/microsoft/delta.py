"""What changed since: delta of messages in a folder, and of folders (concepts/delta-query-messages.md).

A walk lists what the folder held when it began, in pages; its deltaLink names the place in the log of changes where the
walk began, so that what happened meanwhile is told again: duplicates and replays are allowed, losses are not. Tokens
stand for what was asked for on the first call and can be used again and again.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.microsoft.calls import Call
from tests.fakes.microsoft.errors import GraphError, bad_request
from tests.fakes.microsoft.listing import is_hidden, matcher
from tests.fakes.microsoft.mailbox import Change, Folder
from tests.fakes.microsoft.shapes import folder_json, id_of, message_json
from tests.fakes.served import Answer, json_answer

_TOKENS = ("$skiptoken", "$deltatoken")
_MOST_FILTERED = 5_000  # with $filter by receivedDateTime


@dataclass(frozen=True, slots=True)
class Asked:
    """What the first call of a walk asked for."""

    select: tuple[str, ...] = ()
    sizes: bool = False
    filter: str = ""
    immutable: bool = False
    change_types: tuple[str, ...] = ()
    top: int = 0


@dataclass(slots=True)
class Walk:
    """A round through a folder, page by page. `items` are ids, or finished entries for what is gone."""

    asked: Asked
    folder: str
    items: list[str | dict[str, Any]]
    until: int  # the number of the newest change when it began
    changed: dict[str, frozenset[str]] = field(default_factory=dict)  # updated items: what is another one now


def messages_delta(call: Call, folder_name: str) -> Answer:
    """GET mailFolders/{id}/messages/delta."""
    call.need_reading()
    folder = call.mailbox.find_folder(folder_name)
    given = {name: call.request.query[name] for name in _TOKENS if name in call.request.query}
    if given and set(call.request.query) - set(given):
        raise bad_request("Query options are allowed on the first call of a delta only.")
    path = f"/mailFolders('{folder.id}')/messages/delta"
    if "$skiptoken" in given:
        if call.microsoft.faults.took("expire_pages"):
            raise _expired(call, path, {}, "410")
        token = _read(given["$skiptoken"])
        return _page(call, call.microsoft.walks[token["walk"]], token["at"], token["walk"], path)
    if "$deltatoken" in given:
        token = _read(given["$deltatoken"])
        asked = call.microsoft.walks[token["walk"]].asked
        if token["folder"] != folder.id:
            raise bad_request("The delta token belongs to another folder.")
        kind, call.microsoft.faults.expire_delta = call.microsoft.faults.expire_delta, ""
        if kind or token["since"] < call.mailbox.forgotten:
            raise _expired(call, path, _first_query(asked), kind or "410")
        if asked.immutable != call.immutable:
            raise bad_request("The id type of a delta cannot be changed.")
        return _page(call, *_begin(call, _changes(call, folder, asked, token["since"])), path)
    return _page(call, *_begin(call, _listing(call, folder)), path)


def _begin(call: Call, walk: Walk) -> tuple[Walk, int, int]:
    call.microsoft.walks.append(walk)
    if call.microsoft.faults.shuffles:
        random.Random(len(call.microsoft.walks)).shuffle(walk.items)
    return walk, 0, len(call.microsoft.walks) - 1


def _listing(call: Call, folder: Folder) -> Walk:
    query = call.request.query
    for name in query:
        if name not in ("$select", "$top", "$expand", "$filter", "$orderby", "changeType"):
            raise bad_request(f"The query option '{name}' is not supported by delta.")
    if "singleValueExtendedProperties" in query.get("$expand", ""):  # microsoft-graph-docs#1993, #2270
        raise GraphError(500, "InternalServerError", "Value cannot be null.\r\nParameter name: type")
    filter_ = query.get("$filter", "")
    if filter_ and not filter_.startswith(("receivedDateTime ge ", "receivedDateTime gt ")):
        raise bad_request("Only receivedDateTime ge and gt are supported by delta.", "ErrorInvalidUrlQueryFilter")
    if query.get("$orderby", "receivedDateTime desc") != "receivedDateTime desc":
        raise bad_request("Only receivedDateTime desc is supported by delta.")
    types = tuple(query["changeType"].split(",")) if "changeType" in query else ()
    asked = Asked(call.select, call.wants_sizes, filter_, call.immutable, types, call.number("$top", 0, 1000))
    matches = matcher(filter_)
    found = [
        message.id for message in call.mailbox.in_folder(folder.id) if matches(message) and not is_hidden(call, message)
    ]
    if filter_:
        found = found[:_MOST_FILTERED]
    return Walk(asked, folder.id, list(found), _told_until(call, folder))


def _changes(call: Call, folder: Folder, asked: Asked, since: int) -> Walk:
    mailbox = call.mailbox
    last: dict[str, Change] = {}
    changed: dict[str, frozenset[str]] = {}
    is_new: set[str] = set()
    until = _told_until(call, folder)
    for change in mailbox.changes[since:until]:
        if change.folder != folder.id:
            continue
        last.pop(change.item, None)
        last[change.item] = change
        if change.kind == "created":
            is_new.add(change.item)
        changed[change.item] = changed.get(change.item, frozenset()) | change.properties
    items: list[str | dict[str, Any]] = []
    for item, change in last.items():
        if change.kind == "removed":
            removed = item if asked.immutable else change.mutable_id
            items.append({"@removed": {"reason": change.reason}, "id": removed})
        elif item in mailbox.by_id:
            items.append(item)
    sparse = {item: names for item, names in changed.items() if item not in is_new}
    return Walk(asked, folder.id, items, until, sparse)


def _told_until(call: Call, folder: Folder) -> int:
    """The number of the newest change that may be told: the copy of a sent message may appear later."""
    late = {message.id for message in call.mailbox.by_id.values() if is_hidden(call, message)}
    for change in call.mailbox.changes if late else ():
        if change.item in late and change.folder == folder.id and change.kind == "created":
            return change.number - 1
    return len(call.mailbox.changes)


def _page(call: Call, walk: Walk, at: int, number: int, path: str) -> Answer:
    faults = call.microsoft.faults
    size = call.page_size or walk.asked.top or 10
    begin = max(0, at - 2) if faults.repeats_items and at else at
    value = [shown for item in walk.items[begin : at + size] if (shown := _shown(call, walk, item)) is not None]
    answer: dict[str, Any] = {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#Collection(message)",
        "value": value,
    }
    if at + size < len(walk.items):
        link = {"$skiptoken": _token({"walk": number, "at": at + size})}
        answer["@odata.nextLink"] = call.url(path, link)
        if faults.after_page is not None:
            faults.after_page()
    else:
        link = {"$deltatoken": _token({"folder": walk.folder, "since": walk.until, "walk": number})}
        answer["@odata.deltaLink"] = call.url(path, link)

    return json_answer(200, answer)


def _shown(call: Call, walk: Walk, item: str | dict[str, Any]) -> dict[str, Any] | None:
    if isinstance(item, dict):
        return item if not walk.asked.change_types or "deleted" in walk.asked.change_types else None
    message = call.mailbox.by_id.get(item)
    if message is None or message.folder != walk.folder:
        return None  # went while the walk was under way: the deltaLink tells
    immutable, changed = walk.asked.immutable, walk.changed.get(item)
    kind = "created" if changed is None else "updated"
    if walk.asked.change_types and kind not in walk.asked.change_types:
        return None
    select = walk.asked.select
    if changed and not call.microsoft.faults.whole_updates:
        select = tuple(name for name in select if name in changed) if select else tuple(changed)
        if not select:
            return {"@odata.type": "#microsoft.graph.message", "id": id_of(call.mailbox, message, immutable)}
        shown = message_json(call.mailbox, message, immutable=immutable, select=select)
    else:
        shown = message_json(call.mailbox, message, immutable=immutable, select=select, sizes=walk.asked.sizes)
    return {"@odata.type": "#microsoft.graph.message", **shown}


def folders_delta(call: Call) -> Answer:
    """GET mailFolders/delta: all folders, at any depth, then what changed."""
    call.need_reading()
    token, mailbox = call.request.query.get("$deltatoken"), call.mailbox
    since = _read(token)["since"] if token else 0
    select = tuple(_read(token)["select"]) if token else call.select
    last = {change.item: change for change in mailbox.folder_changes[since:]}
    value: list[dict[str, Any]] = []
    for item, change in last.items():
        if change.kind != "removed" and item in mailbox.folders:
            value.append(folder_json(mailbox, mailbox.folders[item], select))
        elif token:
            value.append({"@removed": {"reason": "deleted"}, "id": item})
    link = {"$deltatoken": _token({"since": len(mailbox.folder_changes), "select": list(select)})}
    return json_answer(200, {"value": value, "@odata.deltaLink": call.url("/mailFolders/delta", link)})


def _expired(call: Call, path: str, query: dict[str, str], kind: str) -> GraphError:
    """concepts/delta-query-overview.md, "Synchronization reset": 410 with Location, or 40x with a code."""
    if kind == "410":
        location = {"Location": call.url(path, {**query, "$deltatoken": ""})}
        words = "Sync state generation is too old; restart with a full synchronization."
        return GraphError(410, "resyncRequired", words, location)
    return GraphError(400, "syncStateNotFound", "The sync state generation is not found.")


def _first_query(asked: Asked) -> dict[str, str]:
    return {"$select": ",".join(asked.select)} if asked.select else {}


def _token(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _read(token: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:
        raise GraphError(400, "syncStateInvalid", "The sync state is not valid.") from None
