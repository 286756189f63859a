"""Messages, threads, labels, the profile, watches and send-as addresses of Gmail v1."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tests.fakes.google import letters
from tests.fakes.google.calls import Call, answers
from tests.fakes.google.letters import Letter
from tests.fakes.google.listing import mailbox_totals
from tests.fakes.google.mailbox import SYSTEM_LABELS, Refusal, Watch, not_found
from tests.fakes.google.sending import send

FORMS = ("full", "metadata", "minimal", "raw")
_METADATA_ONLY = frozenset({"https://www.googleapis.com/auth/gmail.metadata"})
_WATCH_MS = 7 * 24 * 3600 * 1000


@answers("getProfile")
def profile(call: Call) -> dict[str, Any]:
    """The address and the newest historyId."""
    mailbox = call.mailbox
    return {
        "emailAddress": mailbox.address,
        **mailbox_totals(mailbox),
        "historyId": str(mailbox.history.latest),
    }


@answers("messages.get")
def get_message(call: Call) -> dict[str, Any]:
    """One message in one of four formats."""
    letter, form = call.mailbox.get(call.path("id")), _form(call)
    return letters.shape(letter, form, call.request.query_values("metadataHeaders"))


@answers("messages.attachments.get")
def get_attachment(call: Call) -> dict[str, Any]:
    """One part's octets."""
    found = letters.attachment(call.mailbox.get(call.path("messageId")), call.path("id"))
    if found is None:
        raise Refusal(400, "invalidArgument", "Invalid attachment token")
    return found


@answers("messages.send")
def send_message(call: Call) -> dict[str, Any]:
    """Send at once."""
    return letters.labelled(send(call.google, call.mailbox, *call.message()))


@answers("messages.insert")
@answers("messages.import")
def insert_message(call: Call) -> dict[str, Any]:
    """Put a message in, without sending it."""
    raw, thread_id = call.message()
    mailbox, labels = call.mailbox, set(call.body.get("labelIds", []))
    for label in labels - {*SYSTEM_LABELS, *mailbox.labels}:
        raise Refusal(400, "invalidArgument", f"Invalid label: {label}")
    unkept = Letter("0", "", raw, set(), 0, 0)
    at = None
    # insert takes the moment of the call unless it is told otherwise, import the Date header.
    source = call.request.query.get("internalDateSource", "")
    if source == "dateHeader" or (not source and call.found.method.name == "messages.import"):
        at = _date_of(unkept)
    joined = thread_id if thread_id and mailbox.joins(unkept, thread_id) else ""
    return letters.labelled(mailbox.get(mailbox.deliver(raw, labels, at, joined)))


@answers("messages.modify")
def modify_message(call: Call) -> dict[str, Any]:
    """Put labels on and take them off."""
    return letters.labelled(call.mailbox.modify(call.path("id"), *_asked_labels(call)))


@answers("messages.batchModify")
def modify_messages(call: Call) -> None:
    """The same for up to 1,000 messages; unknown ones are passed over."""
    for remote_id in _ids(call):
        if remote_id in call.mailbox.messages:
            call.mailbox.modify(remote_id, *_asked_labels(call))


@answers("messages.batchDelete")
def delete_messages(call: Call) -> None:
    """Delete for good; unknown ones are passed over."""
    for remote_id in _ids(call):
        if remote_id in call.mailbox.messages:
            call.mailbox.delete(remote_id)


@answers("messages.trash")
def trash_message(call: Call) -> dict[str, Any]:
    """TRASH on, INBOX off."""
    return letters.labelled(call.mailbox.modify(call.path("id"), {"TRASH"}, {"INBOX", "SPAM"}))


@answers("messages.untrash")
def untrash_message(call: Call) -> dict[str, Any]:
    """TRASH off."""
    return letters.labelled(call.mailbox.modify(call.path("id"), set(), {"TRASH"}))


@answers("messages.delete")
def delete_message(call: Call) -> None:
    """Delete for good."""
    call.mailbox.get(call.path("id"))
    call.mailbox.delete(call.path("id"))


@answers("threads.get")
def get_thread(call: Call) -> dict[str, Any]:
    """A thread with its messages, oldest first."""
    form, wanted = _form(call), call.request.query_values("metadataHeaders")
    if form == "raw":
        raise Refusal(400, "invalidArgument", "Invalid format")
    found = _thread(call)
    return {**_thread_head(found), "messages": [letters.shape(one, form, wanted) for one in found]}


@answers("threads.modify")
def modify_thread(call: Call) -> dict[str, Any]:
    """The labels of all its messages."""
    return _changed_thread(call, *_asked_labels(call))


@answers("threads.trash")
def trash_thread(call: Call) -> dict[str, Any]:
    """All its messages to the trash."""
    return _changed_thread(call, {"TRASH"}, {"INBOX", "SPAM"})


@answers("threads.untrash")
def untrash_thread(call: Call) -> dict[str, Any]:
    """All its messages out of the trash."""
    return _changed_thread(call, set(), {"TRASH"})


@answers("threads.delete")
def delete_thread(call: Call) -> None:
    """All its messages for good."""
    for letter in _thread(call):
        call.mailbox.delete(letter.remote_id)


@answers("labels.list")
def list_labels(call: Call) -> dict[str, Any]:
    """All labels, without counts."""
    mailbox = call.mailbox
    return {"labels": [mailbox.label_shape(one) for one in (*SYSTEM_LABELS, *mailbox.labels)]}


@answers("labels.get")
def get_label(call: Call) -> dict[str, Any]:
    """One label with its counts."""
    return call.mailbox.label_shape(call.path("id"), counts=True)


@answers("labels.create")
def create_label(call: Call) -> dict[str, Any]:
    """A new label of the user."""
    return call.mailbox.label_shape(call.mailbox.make_label(call.body.get("name", "")))


@answers("labels.update")
@answers("labels.patch")
def rename_label(call: Call) -> dict[str, Any]:
    """Another name."""
    call.mailbox.rename_label(call.path("id"), call.body["name"])
    return call.mailbox.label_shape(call.path("id"))


@answers("labels.delete")
def delete_label(call: Call) -> None:
    """Delete a label of the user's."""
    if call.path("id") in SYSTEM_LABELS:
        raise Refusal(400, "invalidArgument", "Invalid delete request")
    call.mailbox.delete_label(call.path("id"))


@answers("settings.sendAs.list")
def list_send_as(call: Call) -> dict[str, Any]:
    """The addresses one may send as, also those that nobody has confirmed."""
    return {"sendAs": [one.shape() for one in call.mailbox.send_as]}


@answers("settings.sendAs.get")
def get_send_as(call: Call) -> dict[str, Any]:
    """One of them."""
    for one in call.mailbox.send_as:
        if one.address.lower() == call.path("sendAsEmail").lower():
            return one.shape()
    raise not_found()


@answers("watch")
def watch(call: Call) -> dict[str, Any]:
    """Publish changes to a topic of the same project for seven days; a first notification comes at once."""
    topic = call.body.get("topicName", "")
    if not re.fullmatch(r"projects/[^/]+/topics/[^/]+", topic):
        raise Refusal(400, "invalidArgument", "Invalid topicName does not match projects/{project}/topics/*")
    if call.google.topics and topic not in call.google.topics:
        raise Refusal(
            403,
            "forbidden",
            "Error sending test message to Cloud PubSub " + topic + " : User not authorized to perform this action.",
        )
    expires_ms = int(time.time() * 1000) + _WATCH_MS
    call.mailbox.watch = Watch(topic, frozenset(call.body.get("labelIds", [])), expires_ms)
    call.google.publish(call.mailbox)
    return {"historyId": str(call.mailbox.history.latest), "expiration": str(expires_ms)}


@answers("stop")
def stop(call: Call) -> None:
    """Publish no more."""
    call.mailbox.watch = None


def _form(call: Call) -> str:
    form = call.request.query.get("format", "full").lower()
    if form not in FORMS:
        raise Refusal(400, "invalidArgument", f"Invalid value at 'format': {form}")
    if form in ("full", "raw") and call.scopes & call.found.method.scopes == _METADATA_ONLY:
        raise Refusal(403, "forbidden", "Metadata scope doesn't allow format " + form.upper())
    return form


def _asked_labels(call: Call) -> tuple[set[str], set[str]]:
    return set(call.body.get("addLabelIds", [])), set(call.body.get("removeLabelIds", []))


def _ids(call: Call) -> Iterable[str]:
    ids: list[str] = call.body.get("ids", [])
    if not ids or len(ids) > 1_000:
        raise Refusal(400, "invalidArgument", "Too many ids" if ids else "No message ids specified.")
    return ids


def _thread(call: Call) -> list[Letter]:
    found = call.mailbox.thread(call.path("id"))
    if not found:
        raise not_found()
    return found


def _thread_head(found: list[Letter]) -> dict[str, Any]:
    return {"id": found[0].thread_id, "historyId": str(max(one.history_id for one in found))}


def _changed_thread(call: Call, add: set[str], remove: set[str]) -> dict[str, Any]:
    found = [call.mailbox.modify(one.remote_id, add, remove) for one in _thread(call)]
    return {"id": found[0].thread_id, "messages": [letters.labelled(one) for one in found]}


def _date_of(letter: Letter) -> datetime | None:
    try:
        at = parsedate_to_datetime(letter.header("Date"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
