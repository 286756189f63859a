"""Folders and messages, page by page (api-reference/v1.0/api/user-list-messages.md, user-list-mailfolders.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from email.utils import getaddresses
from typing import Any

from tests.fakes.microsoft.calls import Call
from tests.fakes.microsoft.errors import GraphError, bad_request
from tests.fakes.microsoft.mailbox import ROOT, Folder, Message
from tests.fakes.microsoft.shapes import PROPERTIES, folder_json, message_json
from tests.fakes.served import Answer, json_answer

_TERM = re.compile(r"([\w/]+)\s+(eq|ne|ge|gt|le|lt)\s+('(?:[^']|'')*'|[^\s()]+)")
_LARGER = re.compile(  # by a numeric extended property (singlevaluelegacyextendedproperty-get.md)
    r"singleValueExtendedProperties/any\(ep: ?ep/id eq 'Integer 0x0E08' and cast\(ep/value, ?Edm\.Int32\) gt (\d+)\)"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "ge": lambda left, right: left >= right,
    "gt": lambda left, right: left > right,
    "le": lambda left, right: left <= right,
    "lt": lambda left, right: left < right,
}
_CAN_FILTER = {
    "receivedDateTime", "internetMessageId", "isRead", "isDraft", "conversationId", "subject", "hasAttachments",
    "from/emailAddress/address", "parentFolderId",
}  # fmt: skip


def list_folders(call: Call, parent: str) -> Answer:
    """mailFolders and childFolders: the children of one folder, ten a page unless more are asked for."""
    call.need_reading()
    hidden = call.request.query.get("includeHiddenFolders", "").lower() == "true"
    found = [
        folder
        for folder in call.mailbox.folders.values()
        if folder.parent == parent and (hidden or not folder.is_hidden)
    ]
    return _page(call, found, 10, lambda folder: folder_json(call.mailbox, folder, call.select))


def get_folder(call: Call, name: str) -> Answer:
    """One folder by id or well-known name."""
    call.need_reading()
    return json_answer(200, folder_json(call.mailbox, _folder(call, name), call.select))


def list_messages(call: Call, folder: str | None) -> Answer:
    """Messages of a folder, or of the whole mailbox, newest first."""
    call.need_reading()
    mailbox = call.mailbox
    held = mailbox.in_folder(_folder(call, folder).id) if folder else list(reversed(mailbox.messages))
    matches = matcher(call.request.query.get("$filter", ""))
    _check_order(call.request.query.get("$filter", ""), call.request.query.get("$orderby", ""))
    searched = searcher(call.request.query)
    found = [one for one in held if matches(one) and searched(one) and not is_hidden(call, one)]
    if call.request.query.get("$orderby", "").replace(" asc", "") == "receivedDateTime":
        found.reverse()
    sizes, select = call.wants_sizes, call.select
    return _page(
        call,
        found,
        10,
        lambda message: message_json(
            mailbox, message, immutable=call.immutable, select=select, sizes=sizes, as_text=call.wants_text
        ),
    )


def get_message(call: Call, message_id: str) -> Answer:
    """One message."""
    call.need_reading()
    message = find(call, message_id)
    return json_answer(
        200,
        message_json(
            call.mailbox,
            message,
            immutable=call.immutable,
            select=call.select,
            sizes=call.wants_sizes,
            as_text=call.wants_text,
        ),
    )


def get_bytes(call: Call, message_id: str) -> Answer:
    """$value: the message as MIME."""
    call.need_reading()
    return Answer(200, find(call, message_id).raw, {"Content-Type": "text/plain"})


def find(call: Call, message_id: str) -> Message:
    """A message that is to be seen by now; raise GraphError."""
    message = call.mailbox.find(message_id)
    if is_hidden(call, message):
        raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    return message


def is_hidden(call: Call, message: Message) -> bool:
    """Whether it is the copy of a sent message that has not appeared yet."""
    return message.hidden_until > call.microsoft.now()


def matcher(text: str) -> Callable[[Message], bool]:
    """What a $filter says, as a function; only comparisons joined by `and`."""
    if not text:
        return lambda message: True
    if larger := _LARGER.fullmatch(text):
        return lambda message: len(message.raw) > int(larger[1])
    terms = _TERM.findall(text)
    if " and ".join(" ".join(term) for term in terms) != " ".join(text.split()):
        raise bad_request(f"Invalid filter clause: {text}", "ErrorInvalidUrlQueryFilter")
    tests = [_term(*term) for term in terms]
    return lambda message: all(test(message) for test in tests)


def searcher(query: Mapping[str, str]) -> Callable[[Message], bool]:
    """What a $search says, as a function: people, words of the subject and days, joined by AND; nothing beside it."""
    if "$search" not in query:
        return lambda message: True
    if "$filter" in query or "$orderby" in query:
        raise bad_request("The query parameter '$search' is not supported with '$filter' or '$orderby'.")
    quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', query["$search"])
    if quoted is None:
        raise bad_request(f"Syntax error: {query['$search']}", "BadRequest")
    tests = [_searched(term) for term in re.sub(r"\\(.)", r"\1", quoted[1]).split(" AND ")]
    return lambda message: all(test(message) for test in tests)


def _searched(term: str) -> Callable[[Message], bool]:
    if people := re.fullmatch(r'participants:"([^"]*)"', term):
        return lambda message: people[1].lower() in _people_of(message)
    if subject := re.fullmatch(r'subject:"([^"]*)"', term):
        words = re.findall(r"\w+", subject[1].lower())
        return lambda message: _has_phrase(re.findall(r"\w+", str(message.parsed["Subject"] or "").lower()), words)
    if day := re.fullmatch(r"received(>=|<=)(\d{4}-\d\d-\d\d)", term):
        compare, bound = _COMPARE["ge" if day[1] == ">=" else "le"], date.fromisoformat(day[2])
        return lambda message: compare(message.received_at.date(), bound)
    raise bad_request(f"Syntax error: {term}", "BadRequest")


def _people_of(message: Message) -> set[str]:
    fields = [str(message.parsed[name]) for name in ("From", "To", "Cc", "Bcc") if message.parsed[name]]
    return {word.lower() for who, address in getaddresses(fields) for word in (address, *who.split())}


def _has_phrase(words: list[str], phrase: list[str]) -> bool:
    """Whether these words stand in a row: whole words, as the index has them."""
    return any(words[start : start + len(phrase)] == phrase for start in range(len(words)))


def _term(name: str, operator: str, value: str) -> Callable[[Message], bool]:
    if name not in _CAN_FILTER:
        raise bad_request(f"The property '{name}' does not support filtering.", "ErrorInvalidUrlQueryFilter")
    compare = _COMPARE[operator]
    if name == "receivedDateTime":
        when = datetime.fromisoformat(value)  # raises where the zone is missing: see below
        if when.tzinfo is None:
            raise bad_request(f"Invalid date '{value}'.", "ErrorInvalidUrlQueryFilter")
        return lambda message: compare(message.received_at, when)
    if name == "from/emailAddress/address":
        asked = value.strip("'").lower()
        return lambda message: compare(
            ((PROPERTIES["from"](message) or {}).get("emailAddress") or {}).get("address", "").lower(), asked
        )
    wanted: Any = value[1:-1].replace("''", "'") if value.startswith("'") else {"true": True, "false": False}[value]
    return lambda message: compare(PROPERTIES[name](message), wanted)


def _check_order(filter_: str, order: str) -> None:
    """Properties of $orderby must stand in $filter too, first and in the same order (user-list-messages.md)."""
    if not filter_ or not order:
        return
    ordered = [part.split()[0] for part in order.split(",")]
    filtered = list(dict.fromkeys(name for name, _, _ in _TERM.findall(filter_)))
    if filtered[: len(ordered)] != ordered:
        raise bad_request("The restriction or sort order is too complex for this operation.", "InefficientFilter")


def _folder(call: Call, name: str) -> Folder:
    if name == ROOT:
        return Folder(ROOT, "Top of Information Store", "")
    return call.mailbox.find_folder(name)


def _page(call: Call, found: Sequence[Any], usual: int, shown: Callable[[Any], dict[str, Any]]) -> Answer:
    """A page by $skip: mail that comes meanwhile shifts the next one."""
    query = call.request.query
    size = min(call.page_size or 1000, call.number("$top", call.page_size or usual, 1000)) or usual
    skip = call.number("$skip", 0, 10**9)
    answer: dict[str, Any] = {
        "@odata.context": f"https://graph.microsoft.com/v1.0/$metadata#{call.owner_path.lstrip('/')}",
        "value": [shown(item) for item in found[skip : skip + size]],
    }
    if query.get("$count", "").lower() == "true":
        answer["@odata.count"] = len(found)
    if skip + size < len(found):
        answer["@odata.nextLink"] = call.url("/" + "/".join(call.parts), {**query, "$skip": skip + size})
    return json_answer(200, answer)
