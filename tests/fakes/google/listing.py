"""Lists of messages, threads, drafts and history: filters, order and pages."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.google.calls import Call, answers
from tests.fakes.google.history import KEYS, HistoryForgotten
from tests.fakes.google.letters import Letter, named
from tests.fakes.google.mailbox import SYSTEM_LABELS, GoogleMailbox, Refusal, not_found
from tests.fakes.google.search import BadQuery, World, understand

MOST_IN_A_PAGE = 500
LONGEST_QUERY = 8_000  # characters; the address of a request is limited
_METADATA = "https://www.googleapis.com/auth/gmail.metadata"
_READING = {
    "https://mail.google.com/",
    "https://www.googleapis.com/auth/gmail.modify",
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.compose",
}


@dataclass
class Searches:
    """The last searches of each mailbox, good until it changes: a page token goes on in the same list."""

    kept: dict[str, tuple[Any, list[Letter]]] = field(default_factory=dict)

    def find(self, call: Call, extra: frozenset[str] = frozenset()) -> list[Letter]:
        """What a list call asks for, newest first. Raises Refusal."""
        query, mailbox = call.request.query.get("q", ""), call.mailbox
        labels = frozenset(call.request.query_values("labelIds")) | extra
        asked = (mailbox.version, query, labels, call.flag("includeSpamTrash"))
        known = self.kept.get(mailbox.address)
        if known and known[0] == asked and not call.google.faults.search_lags_seconds:
            return known[1]
        found = _search(call, query, labels)
        self.kept[mailbox.address] = (asked, found)
        return found


def _search(call: Call, query: str, labels: frozenset[str]) -> list[Letter]:
    mailbox = call.mailbox
    if query and _METADATA in call.scopes and not call.scopes & _READING:
        raise Refusal(403, "forbidden", "Metadata scope does not support 'q' parameter")
    if len(query) > LONGEST_QUERY:
        raise Refusal(400, "invalidArgument", "Request Header Fields Too Large")
    for label in labels - {*SYSTEM_LABELS, *mailbox.labels}:
        raise Refusal(400, "invalidArgument", f"Invalid label: {label}")
    world = World(mailbox.search_names(), datetime.now(UTC), time.monotonic() - call.google.faults.search_lags_seconds)
    try:
        asked = understand(query, world)
    except (BadQuery, ValueError) as error:
        raise Refusal(400, "invalidArgument", f"The fake does not know {error}") from None
    everywhere = asked.looks_everywhere or call.flag("includeSpamTrash")
    hidden = frozenset() if everywhere else frozenset({"SPAM", "TRASH"}) - labels
    found = [
        letter
        for letter in mailbox.messages.values()
        if labels <= letter.labels and hidden.isdisjoint(letter.labels) and asked.matches(letter)
    ]
    return sorted(found, key=_newest_first)


def page_of(call: Call, found: list[Letter], default: int = 100) -> tuple[list[Letter], str]:
    """One page of a list, and the token of the next ("" at its end)."""
    size, token = call.number("maxResults", default, MOST_IN_A_PAGE), call.request.query.get("pageToken", "")
    if token and call.google.faults.page_tokens_expire:
        raise Refusal(400, "invalidArgument", "Invalid pageToken")
    start = 0
    if token.startswith("o") and token[1:].isdigit():
        start = int(token[1:])
    elif token:
        at_ms, _, remote_id = token.partition("-")
        if not at_ms.isdigit():
            raise Refusal(400, "invalidArgument", "Invalid pageToken")
        place = (-int(at_ms), remote_id)
        start = next((n for n, one in enumerate(found) if (-one.at_ms, _backwards(one)) > place), len(found))
    page = found[start : start + size]
    if start + size >= len(found):
        return page, ""
    last = page[-1]
    counted = call.google.faults.pages_shift
    return page, f"o{start + size}" if counted else f"{last.at_ms}-{_backwards(last)}"


@answers("messages.list")
def list_messages(call: Call) -> dict[str, Any]:
    """Ids and threads. An empty list has no key; the estimate is one."""
    page, following = page_of(call, call.google.searches.find(call))
    return _listed(call, "messages", [named(letter) for letter in page], following)


@answers("threads.list")
def list_threads(call: Call) -> dict[str, Any]:
    """Threads by their newest message that was found."""
    newest: dict[str, Letter] = {}
    for letter in call.google.searches.find(call):
        newest.setdefault(letter.thread_id, letter)
    page, following = page_of(call, list(newest.values()))
    rows = [{"id": one.thread_id, "snippet": one.snippet, "historyId": str(one.history_id)} for one in page]
    return _listed(call, "threads", rows, following)


@answers("drafts.list")
def list_drafts(call: Call) -> dict[str, Any]:
    """Drafts with their messages' ids."""
    page, following = page_of(call, call.google.searches.find(call, frozenset({"DRAFT"})))
    by_message = {message: draft for draft, message in call.mailbox.drafts.items()}
    rows = [{"id": by_message[one.remote_id], "message": named(one)} for one in page if one.remote_id in by_message]
    return _listed(call, "drafts", rows, following)


@answers("history.list")
def list_history(call: Call) -> dict[str, Any]:
    """What happened since startHistoryId, oldest first; 404 when that is too long ago."""
    query = call.request.query
    start, token = query.get("startHistoryId", ""), query.get("pageToken", "")
    if not start.isdigit():
        raise Refusal(400, "invalidArgument", "Invalid startHistoryId" if start else "Missing required parameter")
    kinds = call.request.query_values("historyTypes")
    if set(kinds) - set(KEYS):
        raise Refusal(400, "invalidArgument", "Invalid value at 'history_types'")
    if token and (not token.isdigit() or call.google.faults.page_tokens_expire):
        raise Refusal(400, "invalidArgument", "Invalid pageToken")
    history = call.mailbox.history
    try:
        found = history.since(int(start), kinds, query.get("labelId", ""))
    except HistoryForgotten:
        raise not_found() from None
    rest = [change for change in found if change.history_id > int(token)] if token else found
    size = call.number("maxResults", 100, MOST_IN_A_PAGE)
    tells = call.google.faults.history_tells_labels
    told: dict[str, Any] = {"historyId": str(history.latest)}
    if rest:
        told["history"] = [change.shape(tells) for change in rest[:size]]
    if len(rest) > size:
        told["nextPageToken"] = str(rest[size - 1].history_id)
        _after_page(call)
    return told


def _listed(call: Call, key: str, rows: list[dict[str, Any]], following: str) -> dict[str, Any]:
    told: dict[str, Any] = {"resultSizeEstimate": len(rows) if not following else 201}
    if rows:
        told[key] = rows
    if following:
        told["nextPageToken"] = following
        _after_page(call)
    return told


def _after_page(call: Call) -> None:
    if call.google.faults.after_page is not None:
        call.google.faults.after_page()


def _newest_first(letter: Letter) -> tuple[int, str]:
    return -letter.at_ms, _backwards(letter)


def _backwards(letter: Letter) -> str:
    """Its id so that later ones sort first."""
    return f"{0xFFFFFFFFFFFFFFFF - int(letter.remote_id, 16):016x}"


def mailbox_totals(mailbox: GoogleMailbox) -> dict[str, int]:
    """Counts of users.getProfile."""
    threads = {letter.thread_id for letter in mailbox.messages.values()}
    return {"messagesTotal": len(mailbox.messages), "threadsTotal": len(threads)}
