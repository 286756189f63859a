"""/contacts/{id}/timeline, and the same for companies and deals: messages, notes and submissions, newest first."""

from __future__ import annotations

from uuid import UUID

from ninja import Router

from postroom.api import schemas
from postroom.api.auth import ApiRequest
from postroom.api.contacts import show_note
from postroom.api.messages import summary_of
from postroom.api.paging import PageOf, PageQuery
from postroom.api.problems import Problem, unfit
from postroom.api.submissions import summary_of as submission_summary
from postroom.filing.timeline import Entry, Position, timeline
from postroom.records.access import find_record
from postroom.records.models import RecordType
from postroom.workspaces.members import Member

TimelinePage = schemas.Page[schemas.TimelineEntry]

router = Router(tags=["timelines"])


@router.get("/contacts/{uuid:record_id}/timeline", response=TimelinePage, by_alias=True)
def contact_timeline(request: ApiRequest, record_id: UUID, asked: PageQuery = PageOf) -> TimelinePage:
    """What happened with a contact."""
    return _page(request.auth, RecordType.CONTACT, record_id, asked)


@router.get("/companies/{uuid:record_id}/timeline", response=TimelinePage, by_alias=True)
def company_timeline(request: ApiRequest, record_id: UUID, asked: PageQuery = PageOf) -> TimelinePage:
    """What happened with a company."""
    return _page(request.auth, RecordType.COMPANY, record_id, asked)


@router.get("/deals/{uuid:record_id}/timeline", response=TimelinePage, by_alias=True)
def deal_timeline(request: ApiRequest, record_id: UUID, asked: PageQuery = PageOf) -> TimelinePage:
    """What happened with a deal."""
    return _page(request.auth, RecordType.DEAL, record_id, asked)


def _page(member: Member, record_type: RecordType, record_id: UUID, asked: PageQuery) -> TimelinePage:
    if find_record(member, record_type, record_id) is None:
        raise Problem("not_found")
    if asked.next and Position.find(asked.next) is None:
        raise unfit("next", "This is not the `next` of a page.")
    found = timeline(member, record_type, record_id, before=asked.next, limit=asked.limit)
    return TimelinePage(items=[_show(entry) for entry in found.entries], next=found.next or None)


def _show(entry: Entry) -> schemas.TimelineEntry:
    shown = schemas.TimelineEntry(kind=entry.kind, at=entry.at)
    if entry.message is not None:
        shown.message = schemas.MessageSummary(**summary_of(entry.message, entry.details))
        shown.shared = entry.shared
    if entry.note is not None:
        shown.note = show_note(entry.note)
    if entry.submission is not None:
        shown.submission = schemas.SubmissionSummary(**submission_summary(entry.submission))
    if entry.filing is not None:
        shown.filing = schemas.Filed(reason=entry.filing.reason, address=entry.filing.address or None)
    return shown
