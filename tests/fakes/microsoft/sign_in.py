"""The pages of the identity platform: accounts, second factor, consent, an administrator's consent.

What Microsoft shows and never tells the application (unknown app, redirect address, wrong tenant) is a page here too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import uuid4

from tests.fakes.identity_provider import Choice, page
from tests.fakes.microsoft.registration import CLIENT_ID, GRAPH, TENANT, may_sign_in
from tests.fakes.served import Answer, Request, html_answer, redirect

if TYPE_CHECKING:
    from tests.fakes.microsoft.server import FakeMicrosoft

_CANCEL = Choice("refuse", "1", "Cancel")


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code and what it was asked for with."""

    address: str
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str
    method: str
    nonce: str


def authorize(microsoft: FakeMicrosoft, tenant: str, request: Request) -> Answer:
    """{tenant}/oauth2/v2.0/authorize: the page after the buttons that were pressed so far."""
    asked = request.query
    words = _unfit(microsoft, tenant, asked)
    if words:
        return _trouble(words)
    pressed = dict(request.pairs()) if request.method == "POST" else {}
    if asked.get("prompt") == "none":
        return _back(asked, error="interaction_required", error_description="AADSTS50058: A silent sign-in was sent.")
    if "refuse" in pressed:
        words = "AADSTS65004: User declined to consent to access the app."
        return _back(asked, error="access_denied", error_description=words, error_subcode="cancel")
    if "return" in pressed:
        error = microsoft.faults.admin_approval_error
        words = "AADSTS90094: The grant requires administrator permission."
        return _back(asked, error=error, error_description=words)
    account = pressed.get("account", "")
    if account not in microsoft.mailboxes:
        return _accounts(microsoft, asked)
    if not may_sign_in(account, tenant):
        return _trouble(
            f"AADSTS50020: User account '{account}' from identity provider '{microsoft.url}' does not exist in tenant "
            f"'{tenant}' and cannot access the application '{CLIENT_ID}' in that tenant."
        )
    return _permit(microsoft, asked, account, pressed)


def _permit(microsoft: FakeMicrosoft, asked: Mapping[str, str], account: str, pressed: Mapping[str, str]) -> Answer:
    """What comes after an account was chosen: a second factor, an administrator, consent, and back with a code."""
    faults, oauth = microsoft.faults, microsoft.oauth
    if faults.needs_mfa and "mfa" not in pressed:
        choices = [Choice("mfa", "approved", "Approve"), _CANCEL]
        return html_answer(200, page("Approve sign in request", account, choices, {"account": account}))
    if faults.needs_admin_approval and not oauth.admin_consented:
        words = "AADSTS90094: The application needs permission that only an admin can grant."
        choices = [Choice("return", "1", "Return to the application without granting consent")]
        return html_answer(200, page("Need admin approval", words, choices, {"account": account}))
    if account not in oauth.consented and not oauth.admin_consented and "consent" not in pressed:
        kept = {"account": account, "mfa": "approved"}
        choices = [Choice("consent", "1", "Accept"), _CANCEL]
        return html_answer(200, page("Permissions requested", asked["scope"], choices, kept))
    oauth.consented.add(account)
    code = f"0.{secrets.token_urlsafe(30)}"
    oauth.codes[code] = Code(
        address=account,
        scopes=tuple(asked["scope"].split()),
        redirect_uri=asked["redirect_uri"],
        challenge=asked.get("code_challenge", ""),
        method=asked.get("code_challenge_method", "plain"),
        nonce=asked.get("nonce", ""),
    )
    return _back(asked, code=code, session_state=str(uuid4()))


def admin_consent(microsoft: FakeMicrosoft, tenant: str, request: Request) -> Answer:
    """{tenant}/v2.0/adminconsent (v2-admin-consent.md): an administrator says yes for everybody."""
    asked = request.query
    if tenant in ("common", "consumers"):
        return _trouble("AADSTS90130: Application is not supported over the /common or /consumers endpoints.")
    words = _unfit(microsoft, tenant, {"response_type": "code", "scope": f"{GRAPH}.default", **asked})
    if words:
        return _trouble(words)
    pressed = dict(request.pairs()) if request.method == "POST" else {}
    if "refuse" in pressed:
        words = "AADSTS65004: The resource owner or authorization server denied the request."
        return _back(asked, error="consent_required", error_description=words, admin_consent="True")
    if "consent" not in pressed:
        choices = [Choice("consent", "1", "Accept"), _CANCEL]
        return html_answer(200, page("Permissions requested", "Review for your organization", choices, {}))
    microsoft.oauth.admin_consented = True
    home = TENANT if tenant == "organizations" else tenant
    return _back(asked, admin_consent="True", tenant=home, scope=asked.get("scope", f"{GRAPH}.default"))


def _unfit(microsoft: FakeMicrosoft, tenant: str, asked: Mapping[str, str]) -> str:
    client, back = asked.get("client_id", ""), asked.get("redirect_uri", "")
    if client != CLIENT_ID or microsoft.faults.refuse_client == "unknown app":
        return f"AADSTS700016: Application with identifier '{client}' was not found in the directory '{tenant}'."
    if not back or (microsoft.redirect_uris and back not in microsoft.redirect_uris):
        return (
            f"AADSTS50011: The redirect URI '{back}' specified in the request does not match the redirect URIs "
            f"configured for the application '{CLIENT_ID}'."
        )
    for name in ("response_type", "scope"):
        if not asked.get(name):
            return f"AADSTS900144: The request body must contain the following parameter: '{name}'."
    return ""


def _trouble(words: str) -> Answer:
    return html_answer(400, page("Sign in", f"Sorry, but we’re having trouble signing you in. {words}", (), {}))


def _accounts(microsoft: FakeMicrosoft, asked: Mapping[str, str]) -> Answer:
    hint = asked.get("login_hint", "")
    addresses = sorted(microsoft.mailboxes, key=lambda address: (address != hint, address))
    choices = [Choice("account", address, address) for address in addresses]
    return html_answer(200, page("Pick an account", "to continue to Postroom", [*choices, _CANCEL], {}))


def _back(asked: Mapping[str, str], **values: str) -> Answer:
    """To the application, in the query or by a form that is posted."""
    if "state" in asked:
        values["state"] = asked["state"]
    back = asked["redirect_uri"]
    if asked.get("response_mode") == "form_post":
        form = page("Working…", "", [Choice("go", "1", "Continue")], values)
        return html_answer(200, form.replace('<form method="post">', f'<form method="post" action="{back}">'))
    return redirect(f"{back}{'&' if '?' in back else '?'}{urlencode(values)}")
