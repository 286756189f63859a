"""Taking in what a folder has and we have not: read and saved page by page, the cursor with the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from postroom.sync.asks import SavePage, Steps
from postroom.sync.pages import pages
from postroom.sync.reading import read
from postroom.sync.remote import RemoteMessage
from postroom.sync.state import Page, Saved


def take_in(remote_name: str, added: Sequence[RemoteMessage], last: Page, *, headers_first: bool) -> Steps[Saved]:
    """Read and save messages. `last` has what is saved with the final page: the cursor, what went, what is asked."""
    before = Page(last.mailbox_id, last.epoch, last.folder_id, (), is_live=last.is_live)
    total = Saved()
    for start, end in list(pages([message.size for message in added])) or [(0, 0)]:
        page = last if end == len(added) else before
        if start < end:
            ids = [message.remote_id for message in added[start:end]]
            sizes = [message.size for message in added[start:end]]
            taken = yield from read(remote_name, ids, headers_first=headers_first, sizes=sizes)
            page = replace(page, messages=taken.messages, passed_over=taken.passed_over)
        saved: Saved = yield SavePage(page)
        total += saved
    return replace(total, removed=len(last.removed), asked=last.hold.code if last.hold else "")
