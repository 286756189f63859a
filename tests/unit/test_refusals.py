"""What mail servers, interfaces for programs and sign-in pages say when they refuse, and the cause that it means."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from postroom.providers import catalogue
from postroom.providers.base import ServerSettings
from postroom.providers.errors import ProviderError, Refused, SignInRefused
from postroom.providers.gmail.errors import error_for as gmail_error
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.imap import bearer
from postroom.providers.imap.errors import error_for, error_for_reply
from postroom.providers.oauth import OAuth
from postroom.providers.oauth_client import error_of
from postroom.providers.outlook.errors import error_for as graph_error
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.providers.outlook.requests import About
from postroom.providers.outlook.responses import Answer

CORPUS = Path(__file__).parents[1] / "corpus/refusals/refusals.tsv"
ROWS = [line.split("\t") for line in CORPUS.read_text().splitlines() if line and not line.startswith("#")]


def by_imap(host: str, words: str) -> ProviderError:
    return error_for(host, words, SignInRefused, username="ann@example.test", port=993)


def by_smtp(host: str, words: str, otherwise: type[ProviderError] = SignInRefused) -> ProviderError:
    return error_for_reply(host, int(words[:3]), words[4:], otherwise, username="ann@example.test", port=587)


def by_sending(host: str, words: str) -> ProviderError:
    return by_smtp(host, words, Refused)


def with_a_token(ask: Callable[[str, str], ProviderError]) -> Callable[[str, str], ProviderError]:
    def refuse(host: str, words: str) -> ProviderError:
        return bearer.refusal(ask(host, words), ServerSettings(host, 993, "tls", "ann@example.test", "", token="t"))

    return refuse


def by_gmail(where: str, words: str) -> ProviderError:
    status, reason = where.split()
    told: dict[str, Any] = {"message": words, "errors": [{"reason": reason, "message": words}]}
    return gmail_error(int(status), json.dumps({"error": told}).encode(), {}, host="gmail.googleapis.com")


def by_graph(where: str, words: str) -> ProviderError:
    status, asked, code = where.split()
    about, _, shared = asked.partition("-")
    answer = Answer(int(status), {}, b"", {"error": {"code": code, "message": words}})
    return graph_error(answer, cast(About, about), is_shared=bool(shared), host="graph.microsoft.com")


def at_the_sign_in_of(oauth: OAuth) -> Callable[[str, str], ProviderError]:
    def refuse(where: str, words: str) -> ProviderError:
        error, _, subtype = where.partition(" subtype=")
        return error_of(oauth, {"error": error, "error_subtype": subtype, "error_description": words})

    return refuse


ASK: dict[str, Callable[[str, str], ProviderError]] = {
    "imap": by_imap,
    "smtp": by_smtp,
    "imap token": with_a_token(by_imap),
    "smtp token": with_a_token(by_smtp),
    "sending": by_sending,
    "gmail": by_gmail,
    "graph": by_graph,
    "google": at_the_sign_in_of(GMAIL),
    "microsoft": at_the_sign_in_of(OUTLOOK),
}


@pytest.mark.parametrize(("who", "where", "words", "kind", "code"), ROWS, ids=[" ".join(row[:3])[:90] for row in ROWS])
def test_a_refusal_has_its_class_and_its_cause(who: str, where: str, words: str, kind: str, code: str) -> None:
    error = ASK[who](where, words)
    assert (type(error).__name__, error.code) == (kind, code)
    entry = catalogue.explain_check(error.code, **error.facts)
    assert entry.code in catalogue.CATALOGUE and entry.fix


def test_every_kind_of_refusal_is_in_the_list() -> None:
    assert {row[0] for row in ROWS} == set(ASK)
    assert len(ROWS) >= 150
