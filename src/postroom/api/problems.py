"""Errors as RFC 9457 problem details: every answer that is not a success has a code, a reason and what to do.

PROBLEMS lists the codes of the API itself; codes of mail servers come from providers/catalogue.py. Both are printed
into docs/reference/api.md, and a guard test fails when one is missing there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError
from ninja.errors import ValidationError as UnfitRequest

from postroom.engine.outage import RETRY_AFTER_SECONDS, is_outage
from postroom.mailboxes.access import MailboxGone
from postroom.mailboxes.actions import NotNow

_log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
DOCS: Final = f"{settings.BASE_URL}/help/"  # names both lists; config/urls.py


@dataclass(frozen=True, slots=True)
class Kind:
    """One code of the API: its status, what it says, and what the caller can do."""

    status: int
    title: str
    fix: str


PROBLEMS: Final[Mapping[str, Kind]] = {
    "malformed_json": Kind(400, "The body is not JSON.", "Send one JSON object, in UTF-8, without NaN or Infinity."),
    "unauthorized": Kind(
        401,
        "The token is missing, wrong or withdrawn.",
        "Send `Authorization: Bearer TOKEN`. Make a token in Settings or with `postroom token create`.",
    ),
    "not_allowed": Kind(403, "Your role does not allow this.", "Ask an owner or admin of the workspace."),
    "approval_needed": Kind(
        403,
        "The workspace does not let you connect this mailbox by yourself.",
        "Ask with POST /approvals where `may_ask` is true; else ask an administrator to connect it.",
    ),
    "not_found": Kind(404, "There is nothing here for you.", "Check the address and the id."),
    "method_not_allowed": Kind(405, "This address does not take that method.", "See `Allow` for those it takes."),
    "already_connected": Kind(409, "This address is connected already.", "Use the mailbox that is there."),
    "address_taken": Kind(409, "Another contact has this address.", "Take the address off that contact first."),
    "domain_taken": Kind(409, "Another company has this domain.", "Take the domain off that company first."),
    "not_asked": Kind(
        409,
        "The folder asks nothing like that, or no more.",
        "Read the folder again; `question.answers` lists what fits.",
    ),
    "not_now": Kind(
        409,
        "The mailbox has no use for that as it is now.",
        "Read `detail` for what comes first; `actions` of the mailbox lists what it takes now.",
    ),
    "not_open": Kind(409, "The request was decided or withdrawn meanwhile.", "Read it to see what became of it."),
    "too_late": Kind(409, "It is no longer waiting to be sent.", "Read the submission to see what became of it."),
    "idempotency_key_reused": Kind(
        409, "This Idempotency-Key came with another request before.", "Use a new key for a new request."
    ),
    "idempotency_key_in_use": Kind(
        409, "A request with this Idempotency-Key is at work.", "Repeat the request in a moment for its answer."
    ),
    "too_large": Kind(413, "The request is too large.", "Send less than 40 MB; leave out or shrink attachments."),
    "invalid_fields": Kind(422, "Some fields cannot be used.", "Correct the fields named in `fields`."),
    "check_failed": Kind(422, "The mailbox was not saved: a step of its check failed.", "See the failed step's `fix`."),
    "submit_refused": Kind(422, "The message cannot be sent like this.", "Correct the field named in `fields`."),
    "file_gone": Kind(410, "The attachment's content is missing.", "Restore the attachment folder from a backup."),
    "database_away": Kind(503, "The database cannot be reached just now.", "Send the request again after Retry-After."),
    "internal_error": Kind(500, "Something broke here.", "Try again; if it stays, read the log of the web process."),
}


class Problem(Exception):
    """An answer that is no success. `fields` says for each refused field why; `more` adds members of its own."""

    def __init__(self, code: str, detail: str = "", *, fields: Mapping[str, str] | None = None, **more: Any) -> None:
        self.code = code
        self.detail = detail
        self.fields = dict(fields or {})
        self.more = more
        super().__init__(code)


def unfit(field: str, reason: str) -> Problem:
    """One field cannot be used."""
    return Problem("invalid_fields", reason, fields={field: reason})


def respond(problem: Problem) -> HttpResponse:
    """The problem as the client gets it."""
    kind = PROBLEMS[problem.code]
    members = {
        "type": f"{DOCS}#{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "code": problem.code,
        "detail": problem.detail or kind.title,
        "fix": kind.fix,
        "docs": f"{DOCS}#{problem.code}",
        "fields": problem.fields,
    }
    response = JsonResponse(members | problem.more, status=kind.status, content_type=CONTENT_TYPE)
    if kind.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Postroom"'
    return response


def install(api: NinjaAPI) -> None:
    """Answer every exception of a view, of the parser and of the sign-in with a problem."""

    def on_problem(request: HttpRequest, error: Problem) -> HttpResponse:
        return respond(error)

    def on_unfit_request(request: HttpRequest, error: UnfitRequest) -> HttpResponse:
        return respond(Problem("invalid_fields", fields=dict(_field(item) for item in error.errors)))

    def on_refused_model(request: HttpRequest, error: ValidationError) -> HttpResponse:
        return respond(refused_by_model(error))

    def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
        if isinstance(error, AuthenticationError):
            return respond(Problem("unauthorized"))
        too_large = isinstance(error.__cause__, RequestDataTooBig)
        return respond(Problem("too_large" if too_large else "malformed_json"))

    def on_not_now(request: HttpRequest, refused: NotNow) -> HttpResponse:
        return respond(Problem("not_now", str(refused), stage=refused.stage))

    def on_absence(request: HttpRequest, error: Http404 | MailboxGone) -> HttpResponse:
        return respond(Problem("not_found"))

    def on_defect(request: HttpRequest, error: Exception) -> HttpResponse:
        if is_outage(error):
            response = respond(Problem("database_away"))
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
        return respond(Problem("internal_error"))

    handlers: list[tuple[type[Exception], Any]] = [
        (Problem, on_problem),
        (UnfitRequest, on_unfit_request),
        (ValidationError, on_refused_model),
        (HttpError, on_http_error),
        (NotNow, on_not_now),
        (Http404, on_absence),
        (MailboxGone, on_absence),
        (RequestDataTooBig, lambda request, error: respond(Problem("too_large"))),
        (Exception, on_defect),
    ]
    for kind, handler in handlers:
        api.add_exception_handler(kind, handler)


def refused_by_model(error: ValidationError, otherwise: str = "") -> Problem:
    """What a model or Django's validators refused, by field; without one the reason is the detail."""
    if hasattr(error, "error_dict"):
        return Problem("invalid_fields", fields={name: " ".join(said) for name, said in error.message_dict.items()})
    reason = " ".join(error.messages)
    return Problem("invalid_fields", reason, fields={otherwise: reason} if otherwise else {})


def _field(item: Mapping[str, Any]) -> tuple[str, str]:
    """The dotted name of a field as the caller wrote it, and what is wrong with it (never its value)."""
    source, *path = item["loc"]
    if source == "body":
        path = path[1:]  # the view's own name for the whole body
    return ".".join(str(part) for part in path) or str(source), str(item["msg"]).removeprefix("Value error, ")
