"""A mailbox at a public emulator of Gmail, behind a door that mends what these do not have.

What emulate 0.12.2 and @inbox-zero/emulate 0.4.5 lack or do otherwise than Google (seen on 2026-11-23):
- no users.getProfile; a multipart upload is taken and not read;
- the fork's answers to a batch name no call (no Content-ID), and the other has no batch;
- a message is written anew from what was understood of it, so its bytes do not come back, and without a Content-Type
  the body neither; it was received when its own Date says;
- startHistoryId is never too old, whatever it is, and history ids have 21 digits, one more than a uint64;
- an unknown token is the first user of the seed;
- `larger:`, `rfc822msgid:`, braces and `has:nouserlabels` find nothing; a label that is not there is an empty list.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

from postroom.providers.base import Credentials
from postroom.providers.gmail.provider import GmailProvider
from tests.contract.gmail_place import LOOPBACK, FixedTokens
from tests.contract.provider_place import Place
from tests.fakes.google.calls import split_multipart
from tests.fakes.served import Answer, Request, Served, json_answer
from tests.servers.emulate import Emulator

ME = "/gmail/v1/users/me"


class Door(Served):
    """Passes requests on to an emulator, and answers what that one cannot."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self._emulator = emulator
        self._client = httpx.Client(base_url=emulator.url)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._client.close()

    async def answer(self, request: Request) -> Answer:
        if request.path == f"{ME}/profile":
            return self._profile(request)
        if request.path == f"/upload{ME}/messages":
            return self._insert(request)
        told = self._pass(request, request.method, request.path, content=request.body, query=request.query_string)
        kind = told.headers.get("content-type", "")
        body = _with_content_ids(told.content) if kind.startswith("multipart/mixed") else told.content
        return Answer(told.status_code, body, {"Content-Type": kind})

    def _profile(self, request: Request) -> Answer:
        history = self._pass(request, "GET", f"{ME}/history", query="startHistoryId=1").json()
        return json_answer(200, {"emailAddress": "", "historyId": history["historyId"]})

    def _insert(self, request: Request) -> Answer:
        (_, about), (_, raw) = split_multipart(request.headers["content-type"], request.body)
        body = json.loads(about) | {"raw": base64.urlsafe_b64encode(raw).decode()}
        headers = {"content-type": "application/json"}
        told = self._pass(request, "POST", f"{ME}/messages", content=json.dumps(body).encode(), headers=headers)
        return Answer(told.status_code, told.content, {"Content-Type": "application/json"})

    def _pass(
        self,
        request: Request,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        kept = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        url = f"{path}?{query}" if query else path
        return self._client.request(method, url, content=content, headers={**kept, **(headers or {})})


def _with_content_ids(body: bytes) -> bytes:
    """The parts in their order, named as Google names them."""
    head, *parts = body.split(b"Content-Type: application/http\r\n")
    named = (
        b"Content-Type: application/http\r\nContent-ID: <response-%d>\r\n%s" % (number, part)
        for number, part in enumerate(parts)
    )
    return head + b"".join(named)


class EmulatedGmailPlace(Place):
    inbox, sent, trash, junk = "INBOX", "SENT", "TRASH", "SPAM"
    nowhere = "Label_404"
    tells_sizes = False
    names_stay = True
    pushes_others = True

    def __init__(self, emulator: Emulator, door: Door) -> None:
        self.address = emulator.person()
        self._delivered = 0
        token = emulator.token_for(self.address)
        self.provider: GmailProvider = GmailProvider(LOOPBACK, endpoints=_through(emulator, door), poll_seconds=0.1)
        self.credentials = Credentials(self.address, {}, tokens=FixedTokens(token))
        self._client = httpx.Client(
            base_url=f"{emulator.url}{ME}/", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )

    def close(self) -> None:
        self._client.close()

    async def deliver(self, raw: bytes) -> None:
        self._delivered += 1
        arrived = datetime.now(UTC) + timedelta(seconds=self._delivered - 100)
        fields = f"Date: {format_datetime(arrived)}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8"
        raw = re.sub(rb"(?m)^Date: [^\r]*", fields.encode(), raw, count=1)
        body = {"raw": base64.urlsafe_b64encode(raw).decode(), "labelIds": ["INBOX", "UNREAD"]}
        self._ask("POST", "messages", body)

    async def set_flags(self, remote_id: str, flags: tuple[str, ...]) -> None:
        marks = {"UNREAD": "\\Seen" not in flags, "STARRED": "\\Flagged" in flags}
        body = {
            "addLabelIds": [label for label, is_worn in marks.items() if is_worn],
            "removeLabelIds": [label for label, is_worn in marks.items() if not is_worn],
        }
        self._ask("POST", f"messages/{remote_id}/modify", body)

    async def remove(self, remote_id: str) -> None:
        self._ask("DELETE", f"messages/{remote_id}")

    async def make_folder(self, name: str) -> None:
        self._ask("POST", "labels", {"name": name})

    async def rename_folder(self, name: str, new_name: str) -> None:
        self._ask("PATCH", f"labels/{self._label(name)}", {"name": new_name})

    async def remove_folder(self, name: str) -> None:
        self._ask("DELETE", f"labels/{self._label(name)}")

    def wrong_credentials(self) -> Credentials:
        raise NotImplementedError("an unknown token is the first user of the seed")

    def _label(self, name: str) -> str:
        labels = self._ask("GET", "labels")["labels"]
        return next(str(one["id"]) for one in labels if one["name"] == name)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        told = self._client.request(method, path, json=body)
        assert told.is_success, told.text
        return told.json() if told.content else {}


def _through(emulator: Emulator, door: Door) -> Any:
    endpoints = emulator.endpoints
    return type(endpoints)(
        authorize=endpoints.authorize,
        token=endpoints.token,
        keys=endpoints.keys,
        issuers=endpoints.issuers,
        api=door.url,
        revoke=endpoints.revoke,
    )
