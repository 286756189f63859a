"""A look on the servers as a page shows it: live by lines (lines.py), or whole (filing/server_look.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.middleware.csrf import get_token
from django.template.loader import render_to_string

from postroom.filing.absence import Asked
from postroom.filing.server_finds import Found
from postroom.filing.server_look import MailboxLook, ServerLook, prepare_look
from postroom.filing.server_verdict import sentence, verdict
from postroom.mailboxes.access import manageable_mailboxes
from postroom.records.models import Contact
from postroom.web.lines import put
from postroom.web.rights import MemberRequest

Cure = Literal["read_folder", "extend", "add_address", "ask_owner", ""]


@dataclass(frozen=True, slots=True)
class FoundRow:
    """What was found in one folder, in words; `cure` is what the member can do about it on this page."""

    found: Found
    sentence: str
    cure: Cure


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """How far one mailbox is, with what was found there at the end."""

    look: MailboxLook
    found: Sequence[FoundRow]


@dataclass(frozen=True, slots=True)
class LookPage:
    """What every part of a look's page needs. Made while the request lasts: a stream goes on after it."""

    contact: Contact
    csrf_token: str = field(repr=False)
    manageable: frozenset[UUID]
    look: ServerLook

    def row(self, one: MailboxLook) -> MailboxRow:
        found = [FoundRow(found, sentence(found), self._cure(found)) for found in one.found]
        return MailboxRow(one, found)

    def row_html(self, one: MailboxLook) -> str:
        context = {"row": self.row(one), "contact": self.contact, "csrf_token": self.csrf_token}
        return render_to_string("postroom/history/_look_mailbox.html", context)

    def _cure(self, found: Found) -> Cure:
        cure: Cure = ""
        if found.code == "not_kept" and found.address:
            return "add_address"  # to a contact, whoever the mailbox belongs to
        if found.code == "folder_not_read" and found.folder is not None:
            cure = "read_folder"
        elif found.code == "before_window" and found.days is not None:
            cure = "extend"
        return cure if not cure or found.mailbox.pk in self.manageable else "ask_owner"


def look_page(request: MemberRequest, contact: Contact, asked: Asked) -> LookPage:
    """A look that is prepared for the member; nothing was asked yet."""
    manageable = frozenset(manageable_mailboxes(request.member).values_list("pk", flat=True))
    return LookPage(contact, get_token(request), manageable, prepare_look(request.member, asked))


async def lines(page: LookPage) -> AsyncIterator[bytes]:
    """Each mailbox as it gets further, and the answer at the end."""
    latest = {one.mailbox.pk: one for one in page.look.waiting}
    yield put("look-verdict", render_to_string("postroom/history/_look_verdict.html", {"is_running": True}))
    yield put("look-mailboxes", "".join(map(page.row_html, latest.values())))
    async with aclosing(page.look.run()) as looks:
        async for one in looks:
            latest[one.mailbox.pk] = one
            yield put(f"look-{one.mailbox.pk}", page.row_html(one), "replace")
    html = render_to_string("postroom/history/_look_verdict.html", {"verdict": verdict(list(latest.values()))})
    yield put("look-verdict", html, over=True, scroll="look-verdict")
