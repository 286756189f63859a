"""What a folder asks the mailbox's owner before Postroom goes on with it, and what becomes of the answer.

Two things are never decided without a person: removing a large part of a folder at once, because a broken server looks
just like somebody who tidied up (DESIGN.md 5, invariant 2), and reading a folder again and again that the server keeps
renumbering. New mail of the other folders goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from postroom.engine.journal import Kind
from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.journal import counted, note_of
from postroom.mailboxes.models import Folder, mailbox_topic
from postroom.workspaces import audit, events
from postroom.workspaces.members import Member

MASS_DELETION: Final = "mass_deletion"
RENUMBERED_OFTEN: Final = "renumbered_often"
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NotAsked(Exception):
    """The folder asks nothing, or not this: somebody else answered, or the cause is gone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its word for programs, what the button says, and what will happen."""

    answer: str
    title: str
    what: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a folder. `meanwhile` is the short form of `what`: what goes on until somebody answers.

    `told` is the toast after each answer, by the answer's word.
    """

    code: str
    title: str
    meanwhile: str
    what: str
    choices: tuple[Choice, ...]
    told: Mapping[str, str]


def question_of(folder: Folder) -> Question | None:
    """What the folder asks; None when it asks nothing, or was answered and Postroom is at it."""
    if not folder.is_asking:
        return None
    asks = _QUESTIONS.get(folder.held_code, _of_unknown)
    return asks(folder, folder.held_facts)


def asking(member: Member) -> QuerySet[Folder]:
    """Folders that wait for an answer this member may give, the longest waiting first."""
    folders = Folder.objects.filter(mailbox__in=manageable_mailboxes(member), may_remove=False).exclude(held_code="")
    return folders.select_related("mailbox").order_by("held_at", "pk")


def asking_in(member: Member, mailbox_ids: Sequence[UUID]) -> QuerySet[Folder]:
    """Those of some mailboxes."""
    return asking(member).filter(mailbox_id__in=mailbox_ids)


@transaction.atomic
def answer(member: Member, folder: Folder, said: str) -> str:
    """Do what the answer says and tell so in a sentence. Raises NotAsked.

    Who may answer is the caller's to look after: a folder from `asking` is one.
    """
    locked = Folder.objects.select_for_update(of=("self",)).select_related("mailbox").get(pk=folder.pk)
    question = question_of(locked)
    if question is None or said not in question.told:
        raise NotAsked
    _ANSWERS[said](locked)
    note_of(member, locked.mailbox, Kind.ANSWERED, {"folder": str(locked), "answer": said})
    audit.record(member, f"mailbox.{locked.held_code}.{said}", f"{locked.mailbox.address}: {locked}")
    events.wake(locked.mailbox_id)
    events.notify(mailbox_topic(locked.mailbox_id))
    return question.told[said]


def _remove(folder: Folder) -> None:
    """The next look may remove; it takes the question back with the messages."""
    Folder.objects.filter(pk=folder.pk).update(may_remove=True)


def _wait(folder: Folder) -> None:
    """The question stays. A sweep is due (engine/rhythm.py): the woken session compares the folder whole."""
    Folder.objects.filter(pk=folder.pk).update(swept_at=LONG_AGO)


def _read_again(folder: Folder) -> None:
    Folder.objects.filter(pk=folder.pk).update(
        held_code="", held_facts={}, held_at=None, rebuilds=0, rebuilds_since=None
    )


_ANSWERS: Final[Mapping[str, Callable[[Folder], None]]] = {
    "remove": _remove,
    "wait": _wait,
    "read_again": _read_again,
}


def _of_mass_deletion(folder: Folder, facts: Mapping[str, int]) -> Question:
    gone, known = facts.get("gone", 0), facts.get("known", 0)
    return Question(
        MASS_DELETION,
        f"{gone:,} of {counted(known, 'message')} are gone from {folder} on the server.",
        "Nothing was removed here so far. New mail goes on coming.",
        "Somebody may have tidied up, or the server may have lost them. Nothing was removed here so far. What is on "
        "records stays there in any case, and new mail goes on coming.",
        (
            Choice(
                "remove",
                "They were deleted on purpose",
                "Postroom removes them from the folder. What is on records stays there.",
            ),
            Choice(
                "wait",
                "They should come back",
                "Postroom keeps them, and compares the folder with the server now, every 15 minutes, and when somebody "
                "asks for a look. The question goes by itself when they are back.",
            ),
        ),
        {
            "remove": f"Postroom removes the {counted(gone, 'message')} from {folder}.",
            "wait": f"Postroom looks again whether {folder} is back, and takes in new mail meanwhile.",
        },
    )


def _of_renumbering(folder: Folder, facts: Mapping[str, int]) -> Question:
    times = facts.get("rebuilds", 0) or folder.rebuilds
    often = f"{counted(times, 'time')} within a day" if times else "again and again"
    return Question(
        RENUMBERED_OFTEN,
        f"The server renumbered {folder} {often}.",
        "Postroom stopped reading this folder. The others go on, and nothing is lost.",
        "Each time Postroom has to compare the whole folder anew, so it stopped reading this one. That is mostly a "
        "fault of the server: tell its administrator that the folder's UIDVALIDITY keeps changing. Nothing is lost, "
        "and the other folders go on. Without an answer this one is read again after a day.",
        (
            Choice(
                "read_again",
                "Read it again",
                "Postroom compares the folder with what is here and goes on. What is here is not fetched twice.",
            ),
        ),
        {"read_again": f"Postroom reads {folder} again."},
    )


def _of_unknown(folder: Folder, facts: Mapping[str, int]) -> Question:
    """A question of a later version, seen by this one: it can be told, not answered."""
    what = "Nothing is removed meanwhile, and new mail of the other folders goes on coming."
    return Question(folder.held_code, f"Postroom stopped reading {folder}.", what, what, (), {})


_QUESTIONS: Final[Mapping[str, Callable[[Folder, Mapping[str, int]], Question]]] = {
    MASS_DELETION: _of_mass_deletion,
    RENUMBERED_OFTEN: _of_renumbering,
}
