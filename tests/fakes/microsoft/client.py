"""A bare Graph client for tests of the fake itself: HTTP, a token, and no cleverness."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from email.policy import SMTP
from types import TracebackType
from typing import Any, Self

import httpx

from tests.fakes.microsoft.server import EVERYTHING, FakeMicrosoft


class GraphClient:
    """Speaks to the fake as one person."""

    def __init__(
        self, microsoft: FakeMicrosoft, address: str, *, scope: str = EVERYTHING, immutable: bool = True
    ) -> None:
        self._microsoft = microsoft
        prefer = {"Prefer": 'IdType="ImmutableId"'} if immutable else {}
        self._http = httpx.Client(
            verify=False,  # making a context for TLS takes longer than most tests
            headers={"Authorization": f"Bearer {microsoft.token_for(address, scope)}", **prefer},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET a path below v1.0, or a whole address."""
        return self._http.get(self._whole(path), **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """POST JSON."""
        return self._http.post(self._whole(path), json=json, **more)

    def post_mime(self, path: str, raw: bytes) -> httpx.Response:
        """POST MIME, as base64."""
        headers = {"Content-Type": "text/plain"}
        return self._http.post(self._whole(path), content=base64.b64encode(raw), headers=headers)

    def patch(self, path: str, json: Any) -> httpx.Response:
        """PATCH JSON."""
        return self._http.patch(self._whole(path), json=json)

    def delete(self, path: str) -> httpx.Response:
        """DELETE."""
        return self._http.delete(self._whole(path))

    def walk(self, path: str, page: int = 100) -> tuple[list[dict[str, Any]], str]:
        """Every item of a delta round, and its deltaLink."""
        items, prefer = [], f'IdType="ImmutableId", odata.maxpagesize={page}'
        while True:
            answer = self.get(path, headers={"Prefer": prefer}).raise_for_status().json()
            items += answer["value"]
            if "@odata.deltaLink" in answer:
                return items, answer["@odata.deltaLink"]
            path = answer["@odata.nextLink"]

    def _whole(self, path: str) -> str:
        return path if path.startswith("http") else f"{self._microsoft.api}{path}"


def letter(
    number: int = 0, *, sender: str = "Ann <ann@customer.example>", to: str = "bob@work.example", **headers: str
) -> bytes:
    """A plain message."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, f"Offer {number}"
    message["Date"], message["Message-ID"] = "Mon, 23 Nov 2026 07:00:00 +0000", f"<m{number}@customer.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(f"This is number {number}.\n")
    return message.as_bytes()
