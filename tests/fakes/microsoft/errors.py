"""Graph's errors, in Graph's shape (learn.microsoft.com/graph/errors)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

from tests.fakes.served import Answer, json_answer


class GraphError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """The error as it is sent."""
        request_id = str(uuid4())
        inner = {
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": request_id,
        }
        body = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return json_answer(self.status, body, {"request-id": request_id, **self.headers})


def item_not_found() -> GraphError:
    """A message or folder that is not there (any more)."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def access_denied() -> GraphError:
    """A scope or a right is missing."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def send_as_denied() -> GraphError:
    """The right to send as that address is missing."""
    return GraphError(
        403,
        "ErrorSendAsDenied",
        "The user account which was used to submit this request does not have the right to send mail on behalf of "
        "the specified sending account.",
    )


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """The client's mistake."""
    return GraphError(400, code, message)


def token_refused(message: str) -> GraphError:
    """An access token that is missing, unknown, expired or for something else."""
    return GraphError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": 'Bearer realm=""'})
