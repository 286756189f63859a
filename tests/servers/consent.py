"""oidc-provider-mock: a public OpenID provider on loopback that can refuse, grant less, and forget its tokens."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx

from postroom.providers.oauth import Endpoints


@dataclass(frozen=True, slots=True)
class ConsentServer:
    """Where it is. Any client id and secret will do; its sign-in page takes any `sub` and has a button to deny."""

    url: str

    @property
    def endpoints(self) -> Endpoints:
        """Where the product finds it; there is no mail."""
        return Endpoints(
            authorize=f"{self.url}/oauth2/authorize",
            token=f"{self.url}/oauth2/token",
            keys=f"{self.url}/jwks",
            issuers=(self.url,),
            api=self.url,
        )

    def make_person(self, subject: str, **claims: str) -> None:
        """Let somebody sign in as `subject`; `email` and others go into the ID token and userinfo."""
        answer = httpx.put(f"{self.url}/users/{subject}", json={**claims, "sub": subject})
        answer.raise_for_status()

    def revoke_tokens(self, subject: str) -> None:
        """Take back every token of that person."""
        answer = httpx.post(f"{self.url}/users/{subject}/revoke-tokens")
        answer.raise_for_status()


@contextmanager
def consent_server(access_token_seconds: float = 3600) -> Iterator[ConsentServer]:
    """Serve on a free port until the block ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports a part of Authlib that is deprecated
        import oidc_provider_mock

    with oidc_provider_mock.run_server_in_thread(
        access_token_max_age=timedelta(seconds=access_token_seconds)
    ) as server:
        yield ConsentServer(f"http://localhost:{server.server_port}")
