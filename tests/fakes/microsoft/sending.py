"""send and sendMail (message-send.md, user-sendmail.md, outlook-things-to-know-about-send-mail.md).

202 says only that the message was taken. The draft becomes the copy in Sent Items under the same immutable id, perhaps
after a while in which the id is 404.
"""

from __future__ import annotations

from tests.fakes.microsoft.calls import Call
from tests.fakes.microsoft.errors import GraphError, access_denied, bad_request, send_as_denied
from tests.fakes.microsoft.listing import find
from tests.fakes.microsoft.mailbox import Message, Submitted
from tests.fakes.microsoft.mime import edited, parse, recipients, without_bcc
from tests.fakes.microsoft.writing import bytes_of, is_mime, raw_of
from tests.fakes.served import Answer


def send_draft(call: Call, message_id: str) -> Answer:
    """POST messages/{id}/send."""
    call.need("Mail.Send")
    message = find(call, message_id)
    if not message.is_draft:
        raise bad_request("The message was sent already.", "ErrorInvalidRequest")
    early = _fault_before(call)
    if early is not None:
        return early
    _check(call, message.raw)
    sent = call.mailbox.find_folder("sentitems")
    message.is_draft = False
    call.mailbox.move(message.id, sent.id)
    _submit(call, message)
    message.hidden_until = call.microsoft.now() + call.microsoft.faults.sent_copy_after_seconds
    return _fault_after(call) or Answer(202)


def send_mail(call: Call) -> Answer:
    """POST sendMail: no id comes back."""
    call.need("Mail.Send")
    early = _fault_before(call)
    if early is not None:
        return early
    keeps = True
    if is_mime(call.request):
        raw = bytes_of(call.request)
    else:
        asked = call.request.json()
        raw, keeps = raw_of(call, asked.get("message") or {}), asked.get("saveToSentItems", True) is not False
    _check(call, raw)
    message = call.mailbox.add(raw, call.mailbox.find_folder("sentitems"), is_read=True)
    _submit(call, message)
    if not keeps:
        call.mailbox.delete(message.id)
    return _fault_after(call) or Answer(202)


def _check(call: Call, raw: bytes) -> None:
    """Recipients, and whether this user may send as that address (outlook-send-mail-from-other-user.md)."""
    parsed = parse(raw)
    if not recipients(parsed, "To", "Cc", "Bcc"):
        raise bad_request("At least one recipient is not valid.", "ErrorInvalidRecipients")
    sender = next((address.lower() for _, address in recipients(parsed, "From")), call.mailbox.address)
    user = call.access.address
    if sender == user:
        return
    owner = call.microsoft.mailboxes.get(sender)
    if owner is None or user not in owner.send_as | owner.send_on_behalf:
        raise send_as_denied()
    if "Mail.Send.Shared" not in call.access.scopes:
        raise access_denied()


def _submit(call: Call, message: Message) -> None:
    """Let it leave, and deliver it to the mailboxes that are here."""
    handed_over = message.internet_message_id
    sender = next((address.lower() for _, address in recipients(message.parsed, "From")), call.mailbox.address)
    owner = call.microsoft.mailboxes.get(sender)
    if owner is not None and call.access.address not in {sender, *owner.send_as}:
        message.rewrite(edited(message.raw, headers={"Sender": f"{call.access.address}"}))  # on behalf
    if call.microsoft.faults.replaces_message_id:
        final = call.mailbox.made_message_id()
        message.rewrite(edited(message.raw, headers={"Message-ID": final}))
        message.internet_message_id = final
    elif message.parsed["Message-ID"] is None:
        message.rewrite(edited(message.raw, headers={"Message-ID": message.internet_message_id}))
    people = {address.lower() for _, address in recipients(message.parsed, "To", "Cc", "Bcc")}
    call.mailbox.submitted.append(
        Submitted(handed_over, message.internet_message_id, sender, tuple(sorted(people)), message.raw)
    )
    for address in sorted(people & set(call.microsoft.mailboxes)):
        call.microsoft.mailboxes[address].deliver(without_bcc(message.raw))


def _fault_before(call: Call) -> Answer | None:
    faults = call.microsoft.faults
    if faults.refuse_send is not None:
        (status, code, message), faults.refuse_send = faults.refuse_send, None
        raise GraphError(status, code, message)
    if faults.took("time_out_before_accepting"):
        return Answer(delay_seconds=faults.silence_seconds, torn=True)
    return None


def _fault_after(call: Call) -> Answer | None:
    faults = call.microsoft.faults
    if faults.took("time_out_after_accepting"):
        return Answer(delay_seconds=faults.silence_seconds, torn=True)
    if faults.took("drop_after_accepting"):
        return Answer(torn=True)
    if faults.took("fail_after_accepting"):
        raise GraphError(503, "ServiceUnavailable", "The service is temporarily unavailable.")
    return None
