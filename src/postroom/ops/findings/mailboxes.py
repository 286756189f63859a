"""Each connected mailbox: whether it works, and who has to do what where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.utils import timezone

from postroom.mailboxes.models import Mailbox, Worker
from postroom.mailboxes.troubles import meaning, troubles_of
from postroom.ops.findings.finding import Finding, since

LONGEST_SILENCE: Final = timedelta(hours=1)  # between two looks at a mailbox that is neither paused nor in trouble


def mailboxes() -> Iterator[Finding]:
    """All of them in one line, then one by one."""
    found = list(Mailbox.objects.filter(disconnected_at=None).select_related("owner").order_by("address"))
    yield _together(found)
    has_worker = Worker.living().filter(kind="sessions").exists()
    for mailbox in found:
        yield _alone(mailbox, has_worker=has_worker)


def _together(found: list[Mailbox]) -> Finding:
    troubled = [one for one in found if troubles_of(one)]
    named = (
        f"{one.address} ({one.error_code or one.sending_code or 'needs_reconnect'}"
        f"{f' for {since(one.failing_since)}' if one.failing_since else ''})"
        for one in troubled
    )
    what = ", ".join(named) if troubled else f"{len(found)} connected, none in trouble"
    return Finding("mailboxes", not troubled, what, "Open Settings > Mailboxes to see what to do.")


def _alone(mailbox: Mailbox, *, has_worker: bool) -> Finding:
    name = f"mailbox {mailbox.address}"
    facts = {"mailbox": str(mailbox.pk), "owner": mailbox.owner.email, "meaning": meaning(mailbox)}
    found = troubles_of(mailbox)
    if found:
        told = []
        for trouble in found:
            begun = f" for {since(trouble.since)}" if trouble.since else ""
            told.append(f"{trouble.direction}{begun}: {trouble.entry.what} {trouble.words.title}.")
        steps = [step for trouble in found for step in trouble.entry.fix] or [found[0].words.who]
        return Finding(name, False, " ".join(told), " ".join(dict.fromkeys(steps)), facts)
    if mailbox.paused_at:
        return Finding(name, True, f"paused for {since(mailbox.paused_at)}", facts=facts)
    looked = mailbox.last_synced_at
    if has_worker and mailbox.is_read and (looked or mailbox.created_at) < timezone.now() - LONGEST_SILENCE:
        what = f"nobody has looked at it for {since(looked or mailbox.created_at)}"
        return Finding(name, False, what, "Restart Postroom. The worker's log says what keeps it.", facts)
    words = "not read here" if not mailbox.is_read else f"looked at {since(looked)} ago" if looked else "not read yet"
    return Finding(name, True, words, facts=facts)
