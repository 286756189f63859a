"""The page before an import: what would come, counted live, and who would see it (filing/dry_run.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from asgiref.sync import sync_to_async
from django.template.loader import render_to_string

from postroom.filing import dry_run
from postroom.filing.dry_run import Counts, Planned
from postroom.mailboxes.models import Kind, Mailbox, MailboxMember, Sharing
from postroom.mailboxes.sealing import Unsealable
from postroom.providers import catalogue
from postroom.providers.errors import ProviderError
from postroom.records.access import contacts
from postroom.web.lines import put
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership

EVERYTHING: Final = "Everything that is kept of it, on a record or not."
COLLEAGUES_SEE: Final = {
    Sharing.NOTHING: "Nothing.",
    Sharing.METADATA: "Of mail on a record: who wrote to whom and when. No subject, no text.",
    Sharing.SUBJECT: "Of mail on a record: people, times and subjects. No text.",
    Sharing.EVERYTHING: "Mail on a record, whole. Nothing that is on no record.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Who sees what of a mailbox."""

    who: str
    what: str


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact with the number of messages to or from it; `name` as it stands on the record."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The numbers of the page. `kept` would be stored; `rest` stays at the server alone."""

    counts: Counts
    kept: int
    rest: int
    contacts: tuple[KnownContact, ...]
    keeps_everything: bool
    days: int

    @property
    def more_contacts(self) -> bool:
        return len(self.counts.contacts) == dry_run.SHOWN_CONTACTS


def seen_by(member: Member, kind: str, sharing: str, mailbox: Mailbox | None = None) -> list[Seen]:
    """Who would see what of a mailbox that `member` connects, or has connected."""
    owner = mailbox.owner if mailbox else member.user
    people = Membership.objects.filter(workspace=member.workspace, left_at=None, user__is_active=True)
    others = people.exclude(user=member.user).count()
    if kind == Kind.PERSONAL and owner != member.user:
        return [Seen(str(owner), EVERYTHING), Seen("Everybody else, you too", COLLEAGUES_SEE[Sharing(sharing)])]
    if kind == Kind.PERSONAL:
        return [Seen("You", EVERYTHING), Seen(_colleagues(others), COLLEAGUES_SEE[Sharing(sharing)])]
    named = MailboxMember.objects.filter(mailbox=mailbox).select_related("user") if mailbox else []
    if not named:
        return [Seen("You", EVERYTHING), Seen(_colleagues(others), EVERYTHING)]
    besides = {one.user for one in named} | {owner}
    you = ["You"] if member.user in besides else []
    names = ", ".join(sorted(str(user) for user in besides - {member.user}))
    return [Seen(one, EVERYTHING) for one in (*you, *([names] if names else []), "Administrators")]


def preview(member: Member, planned: Planned, counts: Counts) -> Preview:
    """The counts with the contacts' names."""
    kept = counts.kept(keeps_everything=planned.keeps_everything)
    names = dict(contacts(member).filter(pk__in=[pk for pk, _ in counts.contacts]).values_list("pk", "name"))
    known = tuple(KnownContact(names[pk], count) for pk, count in counts.contacts if pk in names)
    return Preview(
        counts,
        kept,
        max(counts.listed - kept, 0),
        known,
        planned.keeps_everything,
        planned.backfill_days,
    )


async def lines(member: Member, mailbox: Mailbox) -> AsyncIterator[bytes]:
    """The numbers as they grow; last the whole of it, or why there is none. The button that asked is for another."""
    yield put("count-word", "Count again")
    try:
        planned = await sync_to_async(dry_run.planned_mailbox)(mailbox)
        counts = Counts()
        async for counts in dry_run.count(planned):
            yield put("preview-counts", await sync_to_async(counts_html)(member, planned, counts))
    except (ProviderError, Unsealable) as error:
        yield put("check-verdict", failure_html(error), over=True)
        return
    yield put("preview-counts", await sync_to_async(counts_html)(member, planned, counts), over=True)


async def whole(mailbox: Mailbox) -> tuple[Planned, Counts]:
    """The whole count at once. Raises ProviderError or sealing.Unsealable."""
    planned = await sync_to_async(dry_run.planned_mailbox)(mailbox)
    return planned, await dry_run.count_all(planned)


def counts_html(member: Member, planned: Planned, counts: Counts) -> str:
    return render_to_string("postroom/preview/_counts.html", {"preview": preview(member, planned, counts)})


def failure_html(error: ProviderError | Unsealable) -> str:
    """Why it could not be counted."""
    facts = error.facts if isinstance(error, ProviderError) else {}
    code = error.code if isinstance(error, ProviderError) else "secret_unreadable"
    context = {"entry": catalogue.explain_check(code, **facts), "words": getattr(error, "server_words", "")}
    return render_to_string("postroom/journeys/_verdict.html", context)


def _colleagues(others: int) -> str:
    if not others:
        return "Colleagues, when there are some"
    return "Your one colleague" if others == 1 else f"Your {others} colleagues"
