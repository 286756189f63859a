"""Where to go on after a mailbox was connected."""

from __future__ import annotations

from django.urls import reverse

from postroom.mailboxes.models import Mailbox


def next_url(mailbox: Mailbox) -> str:
    """To what would come, where that was asked for; else to the mailboxes."""
    return reverse("mailbox_preview", args=[mailbox.pk]) if mailbox.awaits_start else reverse("mailboxes")
