"""Taking in what a folder has and we have not: read and saved page by page, the cursor with the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from postroom.sync.asks import SavePage, Steps
from postroom.sync.manner import Manner
from postroom.sync.pages import pages
from postroom.sync.placing import match_placed, without
from postroom.sync.reading import read_listed
from postroom.sync.remote import RemoteMessage
from postroom.sync.state import Page, Saved


def take_in(remote_name: str, added: Sequence[RemoteMessage], last: Page, manner: Manner) -> Steps[Saved]:
    """Read and save messages. `last` has what is saved with the final page: the cursor, what went, what is asked."""
    before = Page(last.mailbox_id, last.epoch, last.folder_id, (), is_live=last.is_live)
    total = Saved()
    bounds = list(pages([message.size for message in added], most=manner.page_messages)) or [(0, 0)]
    for start, end in bounds:
        page = last if end == len(added) else before
        if start < end:
            placed = yield from match_placed(added[start:end], manner)
            taken = yield from read_listed(remote_name, without(added[start:end], placed), manner)
            page = replace(page, messages=taken.messages, passed_over=taken.passed_over, placed=placed)
        saved: Saved = yield SavePage(page)
        total += saved
    return replace(total, removed=len(last.removed), asked=last.hold.code if last.hold else "")
