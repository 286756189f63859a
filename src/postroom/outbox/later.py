"""Queues the jobs of sending. They are deferred on Django's connection: committed with the rows they are about.

Two jobs for one submission do no harm, because every change of a state is fenced (claims.py).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from procrastinate.contrib.django import app

SEND, LOOK, FILE_COPY = "send_submission", "look_for_submission", "file_sent_copy"
DROP_UPLOADS = "drop_uploads"
QUEUE = "light"


def send_later(submission_id: UUID, at: datetime | None = None) -> None:
    """Have it sent, not before `at`."""
    _defer(SEND, submission_id, at)


def look_later(submission_id: UUID, at: datetime | None = None) -> None:
    _defer(LOOK, submission_id, at)


def file_copy_later(submission_id: UUID, at: datetime | None = None) -> None:
    _defer(FILE_COPY, submission_id, at)


def drop_uploads_later(submission_id: UUID) -> None:
    _defer(DROP_UPLOADS, submission_id, None)


def _defer(task: str, submission_id: UUID, at: datetime | None) -> None:
    app.configure_task(task, queue=QUEUE, schedule_at=at).defer(submission_id=str(submission_id))
