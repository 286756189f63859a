"""Why is history incomplete? Of a contact and of a mailbox; and addresses near a contact, added with one click."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from postroom.filing.coverage import coverage_of_contact, coverage_of_mailbox, removed_by_hand
from postroom.filing.near_misses import near_misses
from postroom.filing.people import AddressTaken, add_address, remove_address
from postroom.mail.address import address_key
from postroom.mailboxes.access import visible_mailboxes
from postroom.records.access import contacts
from postroom.records.models import ContactAddress
from postroom.web.record_page import RecordPage, frame
from postroom.web.rights import MemberRequest, own, signed_in


@signed_in
@require_safe
def contact(request: MemberRequest, record_id: UUID) -> HttpResponse:
    record = own(contacts(request.member).select_related("company"), record_id)
    context = frame(request.member, RecordPage("contact", record), "history") | {
        "history": coverage_of_contact(request.member, record),
        "near": near_misses(request.member, record),
        "removed": removed_by_hand(request.member, record),
    }
    return render(request, "postroom/history/contact.html", context)


@signed_in
@require_safe
def mailbox(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    shown = own(visible_mailboxes(request.member), mailbox_id)
    context = {
        "section": "settings",
        "settings_page": "mailboxes",
        "mailbox": shown,
        "history": coverage_of_mailbox(request.member, shown),
    }
    return render(request, "postroom/history/mailbox.html", context)


@signed_in
@require_POST
def add(request: MemberRequest, record_id: UUID) -> HttpResponse:
    """Give the contact an address that was seen; its mail is filed at once. The notice can take it back."""
    record = own(contacts(request.member), record_id)
    address = request.POST.get("address", "")[:400]
    try:
        row, filed = add_address(request.member, record, address)
    except AddressTaken as taken:
        messages.error(request, f"{taken.address} belongs to {taken.contact.name} already. Take it off there first.")
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
    else:
        if filed is None:
            messages.success(request, f"{row.address} is an address of {record.name} already.")
            return redirect("contact_history", record.pk)
        came = f"{filed:,} message{'' if filed == 1 else 's'} came to {record.name}"
        undo = reverse("contact_address_removal", args=[record.pk, row.address])
        messages.success(request, f"{row.address} is added: {came}.", extra_tags=undo)
        return redirect("contact_emails", record.pk)
    return redirect("contact_history", record.pk)


@signed_in
@require_POST
def remove(request: MemberRequest, record_id: UUID, address: str) -> HttpResponse:
    record = own(contacts(request.member), record_id)
    row = ContactAddress.objects.filter(contact=record, key=address_key(address)).first()
    if row is not None:
        remove_address(request.member, record, row)
        messages.success(request, f"{row.address} is taken off {record.name}, and what came with it alone.")
    return redirect("contact_history", record.pk)
