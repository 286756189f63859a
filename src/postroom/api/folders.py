"""/mailboxes/{id}: its folders and what they ask, its pause, and what was done with it."""

from __future__ import annotations

from uuid import UUID

from ninja import Router

from postroom.api import folder_schemas, schemas
from postroom.api.auth import ApiRequest
from postroom.api.find import one
from postroom.api.mailboxes import show_mailbox
from postroom.api.paging import PageOf, PageQuery, page
from postroom.api.problems import Problem, unfit
from postroom.mailboxes import pause, questions
from postroom.mailboxes.access import manageable_mailboxes, visible_mailboxes
from postroom.mailboxes.folder_choice import choose_folders, reason
from postroom.mailboxes.journal import sentence
from postroom.mailboxes.models import Folder, JournalEntry

router = Router(tags=["mailboxes"])


@router.get("/{uuid:mailbox_id}/folders", response=schemas.Page[folder_schemas.Folder])
def list_folders(
    request: ApiRequest, mailbox_id: UUID, asked: PageQuery = PageOf
) -> schemas.Page[folder_schemas.Folder]:
    """All folders of a mailbox, those that are left out too."""
    mailbox = one(visible_mailboxes(request.auth), mailbox_id)
    return page(Folder.objects.filter(mailbox=mailbox), asked, schemas.Page[folder_schemas.Folder], show_folder)


@router.patch("/{uuid:mailbox_id}/folders", response=schemas.Page[folder_schemas.Folder])
def change_folders(
    request: ApiRequest, mailbox_id: UUID, body: folder_schemas.FolderChoices
) -> schemas.Page[folder_schemas.Folder]:
    """Choose which folders are read. Mail of a folder that is left out stays on its records. Answers those named."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    wanted = {choice.id: choice.is_synced for choice in body.folders}
    named = Folder.objects.filter(mailbox=mailbox, pk__in=wanted).order_by("-pk")
    if named.count() != len(wanted):
        raise unfit("folders", "Name folders of this mailbox.")
    choose_folders(request.auth, mailbox, wanted)
    return schemas.Page[folder_schemas.Folder](items=[show_folder(folder) for folder in named.all()], next=None)


@router.post("/{uuid:mailbox_id}/folders/{uuid:folder_id}/answer", response=folder_schemas.Answered)
def answer_question(
    request: ApiRequest, mailbox_id: UUID, folder_id: UUID, body: folder_schemas.AnswerIn
) -> folder_schemas.Answered:
    """Answer what a folder asks. 409 `not_asked` when it asks nothing, or offers no such answer."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    folder = one(Folder.objects.filter(mailbox=mailbox), folder_id)
    try:
        return folder_schemas.Answered(told=questions.answer(request.auth, folder, body.answer))
    except questions.NotAsked as error:
        raise Problem("not_asked") from error


@router.post("/{uuid:mailbox_id}/pause", response=schemas.Mailbox)
def pause_mailbox(request: ApiRequest, mailbox_id: UUID) -> schemas.Mailbox:
    """Stop receiving and importing. What arrives meanwhile stays on the server; sending goes on.

    409 `not_now` where nothing is received anyway.
    """
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    pause.pause(request.auth, mailbox)
    return show_mailbox(mailbox)


@router.post("/{uuid:mailbox_id}/resume", response=schemas.Mailbox)
def resume_mailbox(request: ApiRequest, mailbox_id: UUID) -> schemas.Mailbox:
    """Let a paused mailbox go on where it was."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    pause.resume(request.auth, mailbox)
    return show_mailbox(mailbox)


@router.get("/{uuid:mailbox_id}/journal", response=schemas.Page[folder_schemas.JournalEntry])
def read_journal(
    request: ApiRequest, mailbox_id: UUID, asked: PageQuery = PageOf
) -> schemas.Page[folder_schemas.JournalEntry]:
    """What was done with the mailbox in the last 30 days, newest first."""
    mailbox = one(visible_mailboxes(request.auth), mailbox_id)
    return page(mailbox.journal.all(), asked, schemas.Page[folder_schemas.JournalEntry], show_entry)


def show_folder(folder: Folder) -> folder_schemas.Folder:
    question = questions.question_of(folder)
    return folder_schemas.Folder(
        id=folder.pk,
        name=folder.name,
        role=folder.role,
        is_synced=folder.is_synced,
        is_chosen=folder.is_chosen,
        reason=reason(folder),
        complete_since=folder.listed_since,
        question=folder_schemas.FolderQuestion(
            code=question.code,
            title=question.title,
            what=question.what,
            answers=[choice.answer for choice in question.choices],
            asked_at=folder.held_at,
        )
        if question
        else None,
    )


def show_entry(entry: JournalEntry) -> folder_schemas.JournalEntry:
    return folder_schemas.JournalEntry(
        id=entry.pk, at=entry.at, kind=entry.kind, sentence=sentence(entry.kind, entry.facts), facts=entry.facts
    )
