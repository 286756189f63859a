"""/settings/mailboxes/<id>/: is everything here? Counting again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import Folder, FolderMonth, Mailbox

HTMX: Any = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def inbox(sales: Mailbox) -> Folder:
    Mailbox.objects.update(import_planned_at=timezone.now(), import_finished_at=timezone.now())
    return Folder.objects.create(
        workspace=sales.workspace,
        mailbox=sales,
        remote_name="INBOX",
        name="INBOX",
        role="inbox",
        cursor="1",
        listed_since=timezone.now().date().replace(day=1),
    )


def month(folder: Folder, **counted: Any) -> FolderMonth:
    today = timezone.now().date()
    return FolderMonth.objects.create(
        workspace=folder.workspace, folder=folder, month=today.replace(day=1), **({"at_server": 0, "here": 0} | counted)
    )


def test_the_page_says_how_many_of_how_many_are_here(alice: Client, sales: Mailbox, inbox: Folder) -> None:
    path = f"/settings/mailboxes/{sales.pk}/"
    assert "are counted in a moment" in alice.get(path).content.decode()
    month(inbox, at_server=12480, here=12000, left_out=480)
    html = alice.get(path).content.decode()
    assert (
        "12,480 of 12,480" in html and "480 of them were seen and not kept" in html and "missing and being" not in html
    )


def test_a_gap_is_told_with_its_number(bob: Client, sales: Mailbox, inbox: Folder) -> None:
    month(inbox, at_server=10, here=7, missing=3)
    html = bob.get(f"/settings/mailboxes/{sales.pk}/proof/", **HTMX).content.decode()
    assert "7 of 10" in html and "3 are missing and being fetched" in html
    assert "Count again" not in html, "a plain member may look, and not have a shared mailbox counted"


def test_a_folder_of_which_months_are_not_counted_yet_is_not_called_complete(
    alice: Client, sales: Mailbox, inbox: Folder
) -> None:
    month(inbox, at_server=10, here=10)
    path = f"/settings/mailboxes/{sales.pk}/proof/"
    assert "All <b" in alice.get(path, **HTMX).content.decode()
    Folder.objects.update(listed_since=timezone.now().date().replace(day=1) - timedelta(days=40))
    html = alice.get(path, **HTMX).content.decode()
    assert "All <b" not in html and "2 months to count" in html and "10 of 10" in html


def test_counting_again_marks_every_month(alice: Client, bob: Client, sales: Mailbox, inbox: Folder) -> None:
    month(inbox, at_server=10, here=10)
    address = f"/settings/mailboxes/{sales.pk}/counts/"
    assert bob.post(address).status_code == 404
    assert alice.get(address).status_code == 405
    assert "is being counted again" in alice.post(address, follow=True).content.decode()
    assert FolderMonth.objects.get().is_asked


def test_a_foreign_mailbox_has_no_proof(charlie: Client, sales: Mailbox, inbox: Folder) -> None:
    assert charlie.get(f"/settings/mailboxes/{sales.pk}/proof/").status_code == 404
    assert charlie.get(f"/settings/mailboxes/{sales.pk}/proof/", **HTMX).status_code == 204
    assert charlie.post(f"/settings/mailboxes/{sales.pk}/counts/").status_code == 404
