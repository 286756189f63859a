"""How complete a history is, and why a message is not here: /completeness, /coverage, /explain."""

from __future__ import annotations

from uuid import UUID

from ninja import Router

from postroom.api import history_schemas as shapes
from postroom.api.auth import ApiRequest
from postroom.api.fields import Line
from postroom.api.find import one
from postroom.api.problems import unfit
from postroom.filing.absence import Absence, Asked, why_not_here
from postroom.filing.coverage import Coverage, MailboxCoverage, coverage_of_contact, coverage_of_mailbox
from postroom.filing.near_misses import NearMiss, near_misses
from postroom.mailboxes.access import manageable_mailboxes, visible_mailboxes
from postroom.mailboxes.completeness import Counts, FolderProof, count_again, proofs_of
from postroom.mailboxes.models import Mailbox
from postroom.records.access import contacts

router = Router(tags=["history"])


@router.get("/mailboxes/{uuid:mailbox_id}/completeness", response=shapes.Completeness)
def read_completeness(request: ApiRequest, mailbox_id: UUID) -> shapes.Completeness:
    """What the server counts of a mailbox, folder by folder and month by month, and what of it is here."""
    return _completeness(one(visible_mailboxes(request.auth), mailbox_id))


@router.post("/mailboxes/{uuid:mailbox_id}/completeness", response=shapes.Completeness)
def count_completeness(request: ApiRequest, mailbox_id: UUID) -> shapes.Completeness:
    """Have every month counted again. Answers at once with the counts of before, `is_counting`. 409 `not_now` where
    the mailbox is not read."""
    mailbox = one(manageable_mailboxes(request.auth), mailbox_id)
    count_again(mailbox)
    return _completeness(mailbox)


@router.get("/mailboxes/{uuid:mailbox_id}/coverage", response=shapes.Coverage)
def mailbox_coverage(request: ApiRequest, mailbox_id: UUID) -> shapes.Coverage:
    """What of a mailbox was read, and what is left out by which rule."""
    mailbox = one(visible_mailboxes(request.auth), mailbox_id)
    return _coverage(coverage_of_mailbox(request.auth, mailbox), [])


@router.get("/contacts/{uuid:contact_id}/coverage", response=shapes.Coverage)
def contact_coverage(request: ApiRequest, contact_id: UUID) -> shapes.Coverage:
    """What a contact's history rests on, what is left out, and addresses that may be the contact's too (`near`)."""
    contact = one(contacts(request.auth), contact_id)
    return _coverage(coverage_of_contact(request.auth, contact), near_misses(request.auth, contact))


@router.get("/explain", response=shapes.Explanation)
def explain(
    request: ApiRequest, contact_id: UUID, internet_message_id: Line = "", query: Line = ""
) -> shapes.Explanation:
    """Why a message is not on a contact: asked for by its Message-ID, or with `query` an address or a subject."""
    contact = one(contacts(request.auth), contact_id)
    text = (internet_message_id or query).strip()
    if not text:
        raise unfit("internet_message_id", "Name a message by its Message-ID, or give a query.")
    return _explanation(why_not_here(request.auth, contact, Asked(text)))


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "at_server": counts.at_server,
        "here": counts.here,
        "left_out": counts.left_out,
        "missing": counts.missing,
    }


def _completeness(mailbox: Mailbox) -> shapes.Completeness:
    proofs = proofs_of(mailbox)
    return shapes.Completeness(
        **_counts(sum((proof.counts for proof in proofs), start=Counts())),
        is_counting=any(proof.is_counting for proof in proofs),
        folders=[_folder(proof) for proof in proofs],
    )


def _folder(proof: FolderProof) -> shapes.FolderCompleteness:
    months = [
        shapes.Month(
            at_server=row.at_server,
            here=row.here,
            left_out=row.left_out,
            missing=row.missing,
            month=row.month,
            checked_at=row.checked_at,
            repaired_at=row.repaired_at,
        )
        for row in proof.months
    ]
    folder = proof.folder
    return shapes.FolderCompleteness(
        **_counts(proof.counts),
        id=folder.pk,
        name=folder.name,
        role=folder.role,
        waiting=proof.waiting,
        months=months,
    )


def _coverage(coverage: Coverage, near: list[NearMiss]) -> shapes.Coverage:
    return shapes.Coverage(
        state=coverage.state,
        since=coverage.since,
        mailboxes=[_mailbox(covered) for covered in coverage.mailboxes],
        left_out=[
            shapes.LeftOut(rule=one.rule, sentence=one.sentence, count=one.count, mailbox_id=one.mailbox_id)
            for one in coverage.left_out
        ],
        near=[
            shapes.NearMiss(
                address=miss.address,
                name=miss.name,
                nearness=miss.nearness,
                messages=miss.messages,
                new=miss.new,
                last_at=miss.last_at,
            )
            for miss in near
        ],
    )


def _mailbox(covered: MailboxCoverage) -> shapes.MailboxCoverage:
    return shapes.MailboxCoverage(
        **_counts(covered.counts),
        mailbox_id=covered.mailbox.pk,
        address=covered.mailbox.address,
        state=covered.state,
        since=covered.since,
        last_synced_at=covered.mailbox.last_synced_at,
        folders_read=[proof.folder.name for proof in covered.proofs],
        folders_left_out=[
            shapes.UnreadFolder(name=folder.name, reason=why) for folder, why in covered.folders_left_out
        ],
        not_kept=covered.not_kept,
        wanted=covered.wanted,
    )


def _explanation(answer: Absence) -> shapes.Explanation:
    return shapes.Explanation(
        code=answer.code,
        title=answer.title,
        detail=answer.detail,
        address=answer.address or None,
        filing_id=answer.filing_id,
        contact_id=answer.contact.pk if answer.contact else None,
        message_ids=[message.pk for message in answer.messages],
        looks=[
            shapes.Look(name=look.name, title=look.title, state=look.state, detail=look.detail, seconds=look.seconds)
            for look in answer.looks
        ],
    )
