"""Drafts: a message that wears DRAFT under an id of its own, until it is sent."""

from __future__ import annotations

from typing import Any

from tests.fakes.google import letters
from tests.fakes.google.calls import Call, answers
from tests.fakes.google.letters import Letter
from tests.fakes.google.mailbox import Refusal, not_found
from tests.fakes.google.sending import send


@answers("drafts.create")
def create(call: Call) -> dict[str, Any]:
    """Keep a draft; it joins a thread by the rule that a sent message joins it by."""
    draft_id = f"r-{7_000_000_000_000_000_000 + len(call.mailbox.drafts) + call.mailbox.history.latest}"
    return _kept(call, draft_id)


@answers("drafts.update")
def update(call: Call) -> dict[str, Any]:
    """Replace a draft's message, which gets another id."""
    before = _letter(call, call.path("id"))
    draft_id = call.path("id")
    told = _kept(call, draft_id)
    kept = call.mailbox.drafts[draft_id]
    call.mailbox.delete(before.remote_id)
    call.mailbox.drafts[draft_id] = kept
    return told


@answers("drafts.get")
def get(call: Call) -> dict[str, Any]:
    """A draft with its message."""
    letter = _letter(call, call.path("id"))
    form = call.request.query.get("format", "full").lower()
    return {"id": call.path("id"), "message": letters.shape(letter, form, [])}


@answers("drafts.delete")
def delete(call: Call) -> None:
    """Delete a draft for good."""
    call.mailbox.delete(_letter(call, call.path("id")).remote_id)


@answers("drafts.send")
def send_draft(call: Call) -> dict[str, Any]:
    """Send a draft: it is deleted, and a new message with another id wears SENT."""
    draft_id = call.body.get("id", "")
    if not draft_id:
        return letters.labelled(send(call.google, call.mailbox, *call.message()))
    letter = _letter(call, draft_id)
    raw = call.message()[0] if "message" in call.body or call.media is not None else letter.raw
    in_thread = letter.thread_id if len(call.mailbox.thread(letter.thread_id)) > 1 else ""
    sent = send(call.google, call.mailbox, raw, in_thread)
    call.mailbox.delete(letter.remote_id)
    return letters.labelled(sent)


def _letter(call: Call, draft_id: str) -> Letter:
    if draft_id not in call.mailbox.drafts:
        raise not_found()
    return call.mailbox.get(call.mailbox.drafts[draft_id])


def _kept(call: Call, draft_id: str) -> dict[str, Any]:
    raw, thread_id = call.message()
    mailbox = call.mailbox
    if thread_id and not mailbox.thread(thread_id):
        raise Refusal(404, "notFound", "Requested entity was not found.")
    joined = thread_id if thread_id and mailbox.joins(Letter("0", "", raw, set(), 0, 0), thread_id) else ""
    remote_id = mailbox.deliver(raw, ("DRAFT",), thread_id=joined)
    mailbox.drafts[draft_id] = remote_id
    return {"id": draft_id, "message": letters.labelled(mailbox.get(remote_id))}
