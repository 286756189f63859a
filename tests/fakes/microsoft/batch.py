"""$batch (concepts/json-batching.md): at most 20 parts, answers in no order, a status and headers for each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.microsoft.errors import GraphError, bad_request
from tests.fakes.served import Answer, Request, json_answer

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft

MOST_PARTS = 20


def answer_batch(microsoft: FakeMicrosoft, request: Request, answer: Callable[[Request], Answer]) -> Answer:
    """Answer every part with `answer`; headers of the batch itself do not count for its parts."""
    parts = request.json().get("requests") or []
    if len(parts) > MOST_PARTS:
        raise bad_request(f"The number of requests must be at most {MOST_PARTS}.")
    known = [part.get("id") for part in parts]
    if not all(known) or len(set(known)) != len(known):
        raise bad_request("Each request needs an id of its own.")
    answers: dict[str, dict[str, Any]] = {}
    for part in parts:
        failed = [one for one in part.get("dependsOn") or [] if answers.get(one, {}).get("status", 500) >= 400]
        if failed:
            refused = GraphError(424, "FailedDependency", f"Request {failed[0]} failed.").answer()
            answers[part["id"]] = _shown(part["id"], refused)
        else:
            answers[part["id"]] = _shown(part["id"], _one(microsoft, request, part, answer))
    return json_answer(200, {"responses": list(answers.values())[::-1]})


def _one(
    microsoft: FakeMicrosoft, request: Request, part: Mapping[str, Any], answer: Callable[[Request], Answer]
) -> Answer:
    if microsoft.faults.took("throttle_batch_parts"):
        wait = microsoft.retry_after(microsoft.faults.retry_after_of_parts)
        return GraphError(429, "ApplicationThrottled", "Application is over its limit.", wait).answer()
    headers = {name.lower(): value for name, value in (part.get("headers") or {}).items()}
    body = part.get("body")
    if body is not None and "content-type" not in headers:
        return bad_request("A request with a body needs the header Content-Type.").answer()
    octets = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    parts = urlsplit(part["url"])
    return answer(
        Request(
            method=part["method"].upper(),
            path="/v1.0" + unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={**headers, "authorization": request.headers.get("authorization", "")},
            body=octets,
        )
    )


def _shown(part_id: str, answer: Answer) -> dict[str, Any]:
    kind = answer.headers.get("Content-Type", "")
    shown: dict[str, Any] = {"id": part_id, "status": answer.status, "headers": dict(answer.headers)}
    if answer.body:
        shown["body"] = json.loads(answer.body) if "json" in kind else base64.b64encode(answer.body).decode()
    return shown
