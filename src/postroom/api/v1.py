"""The API v1, put together: routers, token, problems (DESIGN.md 11).

Mounted at /api/v1/. A cookie is never looked at, so no request needs a CSRF token. openapi.json describes everything.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import Any, NoReturn, cast

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLPattern, URLResolver, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.parser import Parser
from ninja.types import DictStrAny

from postroom import __version__
from postroom.api import (
    approvals,
    companies,
    connection_tests,
    contacts,
    deals,
    discovery,
    folders,
    health,
    history,
    mailbox_health,
    mailboxes,
    members,
    messages,
    preview,
    problems,
    server_look,
    submissions,
    timeline,
)
from postroom.api.auth import TokenAuth


class StrictParser(Parser):
    """JSON as RFC 8259 has it: no NaN, no Infinity (which PostgreSQL would refuse later)."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        return cast(DictStrAny, json.loads(request.body, parse_constant=_refuse_constant))


class ProblemApi(NinjaAPI):
    """Answers with a problem also where no view is reached: unknown addresses and methods."""

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = _with_problems(pattern.callback)
        return [*patterns, re_path(r"", _answer_absence)], app_name, namespace


def _with_problems(view: Any) -> Any:
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except RequestDataTooBig:
            return problems.respond(problems.Problem("too_large"))
        except Http404:
            return problems.respond(problems.Problem("not_found"))
        if isinstance(response, HttpResponseNotAllowed):
            problem = problems.respond(problems.Problem("method_not_allowed"))
            problem["Allow"] = response["Allow"]
            return problem
        return cast(HttpResponseBase, response)

    answered.csrf_exempt = True  # type: ignore[attr-defined]  # cookies are never looked at
    return answered


@csrf_exempt
def _answer_absence(request: HttpRequest) -> HttpResponse:
    return problems.respond(problems.Problem("not_found"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def assemble() -> NinjaAPI:
    api = ProblemApi(
        title="Postroom",
        version=__version__,
        urls_namespace="api",
        auth=TokenAuth(),
        docs_url=None,  # its page loads from a CDN
        parser=StrictParser(),
    )
    problems.install(api)
    for prefix, router in (
        ("/approvals", approvals.router),
        ("/connect-policy", approvals.policy),
        ("/members", members.router),
        ("/mailboxes", preview.router),
        ("/mailboxes", mailboxes.router),
        ("/mailboxes", discovery.router),
        ("/mailboxes", folders.router),
        ("/mailboxes", mailbox_health.router),
        ("/mailboxes", connection_tests.router),
        ("", timeline.router),
        ("/contacts", contacts.router),
        ("/companies", companies.router),
        ("/deals", deals.router),
        ("/messages", messages.router),
        ("/attachments", messages.files),
        ("/submissions", submissions.router),
        ("", history.router),
        ("/explain", server_look.router),
        ("/health", health.router),
    ):
        api.add_router(prefix, router)
    return api


api = assemble()
