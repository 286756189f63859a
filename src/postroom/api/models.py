"""Idempotency keys: the same key and body get the same answer, another body is refused (DESIGN.md 11)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from postroom.workspaces.models import Workspace


class IdempotencyKey(models.Model):
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    response = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="one_answer_a_key")]
