"""Testing a connection: a mailbox writes to itself, or to a contact after a page that says what will be sent."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from postroom.mail.address import address_key
from postroom.mailboxes.access import sendable_mailboxes, visible_mailboxes
from postroom.mailboxes.models import Mailbox
from postroom.outbox.choice import choice_for
from postroom.outbox.composition import SubmitRefused
from postroom.outbox.connection_test import begin_test, subject_of, text_of, visible_tests
from postroom.records.access import contacts
from postroom.records.models import Contact, RecordType
from postroom.web.connection_test_page import shown
from postroom.web.forms.connection_tests import ChosenContactForm, ContactTestForm
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_POST
def begin(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """Have the mailbox write to itself; with `address`, go on to the page of the contact who has it."""
    mailbox = own(visible_mailboxes(request.member), mailbox_id)
    page = f"{reverse('mailbox', args=[mailbox.pk])}#test"
    if "address" in request.POST:
        return _choose_contact(request, mailbox)
    if _has_begun(request, mailbox):
        messages.success(request, f"{mailbox.address} writes to itself. Follow the message here.")
    return redirect(page)


@signed_in
@require_safe
def follow(request: MemberRequest, mailbox_id: UUID, test_id: UUID) -> HttpResponse:
    """One test as it is now: for the pages that show it, and as a page of its own."""
    test = own(visible_tests(request.member).filter(mailbox_id=mailbox_id), test_id)
    context = {"shown": shown(request.member, test), "section": "settings", "settings_page": "mailboxes"}
    name = "_connection_test" if request.htmx else "connection_test"
    return render(request, f"postroom/mailboxes/{name}.html", context)


@signed_in
def begin_with_contact(request: MemberRequest, record_id: UUID) -> HttpResponse:
    """Say what will be sent to whom, and send it once somebody has agreed."""
    contact = own(contacts(request.member).prefetch_related("addresses"), record_id)
    mailboxes = sendable_mailboxes(request.member)
    is_sent = request.method == "POST"
    form = ContactTestForm(contact, mailboxes, request.POST if is_sent else None, initial=_initial(request, contact))
    if is_sent and form.is_valid():
        mailbox = form.cleaned_data["mailbox"]
        if _has_begun(request, mailbox, contact, form.cleaned_data["address"]):
            messages.success(request, f"The test message to {contact.name} is on its way. Follow it here.")
        return redirect("contact_overview", contact.pk)
    context = {
        "section": "contacts",
        "contact": contact,
        "form": form,
        "can_send": mailboxes.exists(),
        "has_address": bool(contact.addresses.all()),
        "subject": subject_of(request.member),
        "text": text_of(request.member, has_contact=True),
    }
    return render(request, "postroom/contacts/test.html", context, status=422 if form.errors else 200)


def _initial(request: MemberRequest, contact: Contact) -> dict[str, object]:
    """What the page before has chosen, else the mailbox that a message to the contact would leave from."""
    choice = choice_for(request.member, RecordType.CONTACT, contact.pk)
    return {"mailbox": choice.mailbox_id if choice else None, **request.GET.dict()}


def _choose_contact(request: MemberRequest, mailbox: Mailbox) -> HttpResponse:
    form = ChosenContactForm(request.POST)
    typed = form.cleaned_data["address"] if form.is_valid() else ""
    found = contacts(request.member).filter(addresses__key=address_key(typed)).first() if typed else None
    if found is None:
        messages.error(request, "No contact has this address. Add the contact first, then start the test.")
        return redirect(f"{reverse('mailbox', args=[mailbox.pk])}#test")
    own_spelling = next(one.address for one in found.addresses.all() if one.key == address_key(typed))
    asked = urlencode({"mailbox": mailbox.pk, "address": own_spelling})
    return redirect(f"{reverse('contact_test', args=[found.pk])}?{asked}")


def _has_begun(request: MemberRequest, mailbox: Mailbox, contact: Contact | None = None, address: str = "") -> bool:
    """Begin a test; tell the member why not, if so."""
    try:
        begin_test(request.member, mailbox, contact, address=address)
    except SubmitRefused as refused:
        messages.error(request, refused.words)
        return False
    return True
