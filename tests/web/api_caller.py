"""Calls the API as a program does: with a token and JSON, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

from postroom.workspaces.members import Member
from postroom.workspaces.models import ApiToken


@dataclass(slots=True)
class Caller:
    """A program with a member's token; without one when `token` is empty."""

    token: str = ""
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True, raise_request_exception=False))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        return self.client.generic(method, address, raw, content_type="application/json", headers=headers)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, body, **headers)


def caller_for(member: Member) -> Caller:
    return Caller(ApiToken.issue(member.membership, "test")[1])


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem's members, after looking that it is one."""
    assert response.status_code == status, response.content[:500]
    assert response["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(response.content)
    assert found["code"] == code
    assert found["status"] == status
    assert found.keys() >= {"type", "title", "status", "code", "detail", "fix", "docs", "fields"}
    return found
