"""/settings/mailboxes/<id>/settings/: what a mailbox is for, who owns and uses it, how it signs; and its end."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from postroom.mailboxes import settings
from postroom.mailboxes.access import manageable_mailboxes, sendable_mailboxes
from postroom.mailboxes.handover import NotAMember, hand_over
from postroom.mailboxes.models import Mailbox
from postroom.outbox.models import State, Submission
from postroom.web.forms.mailbox_settings import MailboxSettingsForm, OwnerForm
from postroom.web.forms.mailboxes import known_settings
from postroom.web.mailbox_card import card
from postroom.web.rights import MemberRequest, own, signed_in
from postroom.workspaces.models import Membership


@signed_in
def change(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    form = MailboxSettingsForm(mailbox, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            changed = settings.change(request.member, mailbox, form.change())
        except settings.Unfit as unfit:
            form.refuse(unfit.field, unfit.words)
        else:
            told = f"Saved: {', '.join(changed)}." if changed else "Nothing was changed."
            messages.success(request, told)
            return redirect("mailbox_settings", mailbox_id)
    return _page(request, mailbox, form)


@signed_in
@require_POST
def choose_owner(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    form = OwnerForm(mailbox, request.POST)
    if not form.is_valid():
        messages.error(request, "Choose who owns the mailbox from now on.")
        return redirect("mailbox_settings", mailbox_id)
    heir = form.cleaned_data["owner"].user
    try:
        hand_over(request.member, mailbox, heir)
    except NotAMember:
        messages.error(request, f"{heir} has left the workspace. Choose another owner.")
        return redirect("mailbox_settings", mailbox_id)
    messages.success(request, f"{mailbox.address} is {heir}'s now.")
    still_mine = manageable_mailboxes(request.member).filter(pk=mailbox_id).exists()
    return redirect("mailbox_settings", mailbox_id) if still_mine else redirect("mailboxes")


@signed_in
@require_POST
def choose_default(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """`for` is workspace or me, `is` yes or no."""
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    whose, is_chosen = request.POST.get("for"), request.POST.get("is") == "yes"
    try:
        settings.choose_default(
            request.member,
            mailbox,
            for_workspace=is_chosen if whose == "workspace" else None,
            for_me=is_chosen if whose == "me" else None,
        )
    except settings.Unfit as unfit:
        messages.error(request, unfit.words)
    else:
        words = "New messages start with" if is_chosen else "New messages do not start any more with"
        messages.success(request, f"{words} {mailbox.address}.")
    return redirect("mailbox_settings", mailbox_id)


@signed_in
@require_safe
def end(request: MemberRequest, mailbox_id: UUID) -> HttpResponse:
    """What disconnecting a mailbox would end, and what stays; the form posts to mailboxes.disconnect."""
    mailbox = own(manageable_mailboxes(request.member), mailbox_id)
    usual = Membership.objects.filter(workspace=request.member.workspace, default_mailbox_id=mailbox.pk, left_at=None)
    context = {
        "section": "settings",
        "settings_page": "mailboxes",
        "card": card(request.member, mailbox),
        "mailbox": mailbox,
        "queued": Submission.objects.filter(mailbox=mailbox, state=State.QUEUED).count(),
        "is_workspace_default": request.member.workspace.default_mailbox_id == mailbox.pk,
        "usual_of": [one.user for one in usual.select_related("user").order_by("user__name")],
    }
    return render(request, "postroom/mailboxes/end.html", context)


def _page(request: MemberRequest, mailbox: Mailbox, form: MailboxSettingsForm) -> HttpResponse:
    member = request.member
    context = {
        "section": "settings",
        "settings_page": "mailboxes",
        "card": card(member, mailbox),
        "mailbox": mailbox,
        "form": form,
        "owner_form": OwnerForm(mailbox),
        "servers": known_settings(mailbox),
        "editor_media": form.media.render(attrs={"nonce": str(request.csp_nonce)}),  # type: ignore[attr-defined]
        "is_mine_by_default": member.membership.default_mailbox_id == mailbox.pk,
        "is_workspace_default": member.workspace.default_mailbox_id == mailbox.pk,
        "can_send": sendable_mailboxes(member).filter(pk=mailbox.pk).exists(),
    }
    return render(request, "postroom/mailboxes/settings.html", context, status=422 if form.errors else 200)
