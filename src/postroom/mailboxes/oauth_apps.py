"""A workspace's registrations at providers that ask for OAuth: its own, else the operator's from the environment.

Id and secret are tried before they are saved. A provider that refuses them refuses them for all mailboxes at once:
that is one alarm for the administrators (`note_refusal`), and no owner is asked to reconnect.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from postroom.mailboxes import sealing
from postroom.mailboxes.models import Mailbox, OAuthApp
from postroom.mailboxes.waking import sync_now
from postroom.providers import registry
from postroom.providers.errors import ProviderError
from postroom.providers.guard import NetworkPolicy
from postroom.providers.http import HttpClient
from postroom.providers.oauth import Endpoints, MailServers, OAuth, Way, mail_servers, oauth_endpoints
from postroom.providers.oauth_client import OAuthClient, Registration
from postroom.workspaces import audit
from postroom.workspaces.members import Member
from postroom.workspaces.models import Workspace

log = logging.getLogger(__name__)

EXPIRES_SOON = timedelta(days=30)
AUDIENCES: Final = ("internal", "testing", "production")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,199}")
_PLACE = {"table": "mailboxes_oauthapp", "column": "sealed"}


class AppRefused(Exception):
    """The registration was not saved: a code of the catalogue, and what the provider said."""

    def __init__(self, code: str, words: str = "") -> None:
        self.code = code
        self.words = words
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class TypedApp:
    """What an administrator typed. An empty secret keeps the one there is."""

    client_id: str
    client_secret: str = field(default="", repr=False)
    tenant: str = ""
    way: Way = "api"
    audience: str = ""
    secret_expires_on: date | None = None
    push_topic: str = ""


@dataclass(frozen=True, slots=True)
class AppSettings:
    """One registration, ready to use: its endpoints are those of its tenant."""

    provider: str
    client_id: str
    client_secret: str = field(repr=False)
    tenant: str
    way: Way
    audience: str
    endpoints: Endpoints
    servers: MailServers
    from_environment: bool
    secret_expires_on: date | None = None
    push_topic: str = ""

    @property
    def oauth(self) -> OAuth:
        return oauth_of(self.provider)

    @property
    def registration(self) -> Registration:
        return Registration(self.client_id, self.client_secret, self.endpoints, return_url(self.provider))


@dataclass(frozen=True, slots=True)
class AppState:
    """One provider on Settings > Apps. `settings` is None where there is no registration yet."""

    provider: str
    title: str
    owner: str
    settings: AppSettings | None
    redirect_uri: str
    approval_uri: str
    mailbox_count: int
    expires_soon: bool
    error_code: str = ""
    error_words: str = ""


def oauth_providers() -> list[str]:
    """The names of the providers that ask for OAuth."""
    return [name for name, one in registry.PROVIDERS.items() if one.oauth is not None]


def oauth_of(provider: str) -> OAuth:
    """A provider's OAuth with the operator's endpoints; raise LookupError where it has none."""
    oauth = registry.provider(provider).oauth
    if oauth is None:
        raise LookupError(provider)
    return oauth


def return_url(provider: str) -> str:
    """Where the provider sends people back to: each has an address of its own (RFC 9700 section 4.4.2.2)."""
    return f"{settings.BASE_URL}/settings/mailboxes/connect/{provider}/return/"


def approval_return_url(provider: str) -> str:
    """Where the provider sends the administrator who approved."""
    return f"{settings.BASE_URL}/settings/mailboxes/connect/{provider}/approval/"


def find_app(workspace_id: UUID, provider: str) -> AppSettings | None:
    """The registration that the workspace uses: its own, else the operator's. Raises sealing.Unsealable."""
    row = _own_row(workspace_id, provider)
    return _settings(provider, _typed(row, secret_of(row))) if row else _from_environment(provider)


def find_app_without_secret(workspace_id: UUID, provider: str) -> AppSettings | None:
    """The same without its secret, for whoever needs none: a page must come even where the keys are another's."""
    row = _own_row(workspace_id, provider)
    found = _settings(provider, _typed(row, "")) if row else _from_environment(provider)
    return replace(found, client_secret="") if found else None


def find_readable_app(workspace_id: UUID, provider: str) -> AppSettings | None:
    """As `find_app`, for whoever shows a refusal. Raises AppRefused where its secret cannot be opened."""
    try:
        return find_app(workspace_id, provider)
    except sealing.Unsealable as error:
        raise AppRefused("app_secret_unreadable") from error


def secret_of(row: OAuthApp) -> str:
    """Raises sealing.Unsealable."""
    return sealing.unseal(bytes(row.sealed), row_id=row.pk, workspace_id=row.workspace_id, **_PLACE).decode()


def _own_row(workspace_id: UUID, provider: str) -> OAuthApp | None:
    return OAuthApp.objects.filter(workspace_id=workspace_id, provider=provider).exclude(client_id="").first()


def _typed(row: OAuthApp, secret: str) -> TypedApp:
    return TypedApp(
        row.client_id,
        secret,
        row.tenant,
        cast(Way, row.way),
        row.audience,
        row.secret_expires_on,
        row.push_topic,
    )


def app_states(workspace: Workspace) -> list[AppState]:
    """Every provider that asks for OAuth, with the workspace's registration."""
    rows = {row.provider: row for row in OAuthApp.objects.filter(workspace=workspace)}
    states = []
    for name in oauth_providers():
        row, found = rows.get(name), find_app_without_secret(workspace.pk, name)
        states.append(
            AppState(
                provider=name,
                title=registry.provider(name).title,
                owner=oauth_of(name).owner,
                settings=found,
                redirect_uri=return_url(name),
                approval_uri=approval_return_url(name) if oauth_of(name).endpoints.admin_consent else "",
                mailbox_count=mailboxes_of(workspace.pk, name).count(),
                expires_soon=_expires_soon(found),
                error_code=_error_code(row) if row and found else "",
                error_words=row.error_words if row and found else "",
            )
        )
    return states


def _error_code(row: OAuthApp) -> str:
    """What the provider refused it for; else that its secret cannot be opened."""
    if row.client_id and not row.error_code:
        try:
            secret_of(row)
        except sealing.Unsealable:
            return "app_secret_unreadable"
    return row.error_code


def mailboxes_of(workspace_id: UUID, provider: str) -> QuerySet[Mailbox]:
    """The connected mailboxes that came by the workspace's registration at that provider."""
    return Mailbox.objects.filter(workspace_id=workspace_id, grant__app=provider, disconnected_at=None)


async def check_app(workspace_id: UUID, provider: str, typed: TypedApp) -> None:
    """Try a registration at the provider with a call that changes nothing. Raises AppRefused; saves nothing."""
    app = await sync_to_async(_completed)(workspace_id, provider, typed)
    http = HttpClient(NetworkPolicy.from_environment(os.environ))
    try:
        await OAuthClient(http, app.oauth, app.registration).check()
    except ProviderError as error:
        raise AppRefused(error.code, error.server_words) from error
    finally:
        await http.close()


async def save_app(member: Member, provider: str, typed: TypedApp) -> None:
    """Check a registration and keep it, its secret sealed; mailboxes that waited for it go on. Raises AppRefused."""
    if not member.can_administer:
        raise PermissionError
    await check_app(member.workspace_id, provider, typed)
    await sync_to_async(_store)(member, provider, typed)


@transaction.atomic
def remove_app(member: Member, provider: str) -> None:
    """Forget the workspace's own registration. Its mailboxes stop until there is one again, and keep their mail."""
    if not member.can_administer:
        raise PermissionError
    OAuthApp.objects.filter(workspace=member.workspace, provider=provider).delete()
    audit.record(member, "app.removed", provider)


def note_refusal(workspace_id: UUID, provider: str, error: ProviderError) -> None:
    """The provider refused the registration itself: tell the administrators, once for all mailboxes.

    What it refuses to one account or one organisation is no alarm: the mailbox says it.
    """
    if not is_of_registration(error.code):
        return
    row, _ = OAuthApp.objects.get_or_create(workspace_id=workspace_id, provider=provider)
    if not row.error_code:
        OAuthApp.objects.filter(pk=row.pk, error_code="").update(
            error_code=error.code, error_words=error.server_words[:2000], error_at=timezone.now(), alarmed_at=None
        )


def is_of_registration(code: str) -> bool:
    """Whether an error is about the registration, and so about all its mailboxes at once."""
    return code.startswith("app_") and code != "app_blocked_by_administrator"


def note_use(workspace_id: UUID, provider: str) -> None:
    """The registration works (again): the alarm is over, and the mailboxes that waited for it try at once."""
    mended = OAuthApp.objects.filter(workspace_id=workspace_id, provider=provider).exclude(error_code="")
    if mended.update(error_code="", error_words="", error_at=None, alarmed_at=None):
        wake_mailboxes(workspace_id, provider)


def wake_mailboxes(workspace_id: UUID, provider: str) -> None:
    for mailbox in mailboxes_of(workspace_id, provider):
        sync_now(mailbox)


@transaction.atomic
def _store(member: Member, provider: str, typed: TypedApp) -> None:
    row, _ = OAuthApp.objects.select_for_update().get_or_create(workspace=member.workspace, provider=provider)
    if typed.client_secret:
        plain = typed.client_secret.encode()
        row.sealed = sealing.seal(plain, row_id=row.pk, workspace_id=member.workspace_id, **_PLACE)
    if row.secret_expires_on != typed.secret_expires_on:
        row.reminded_at = row.reminded_days = None
    row.client_id, row.tenant, row.way, row.audience = typed.client_id, typed.tenant, typed.way, typed.audience
    row.secret_expires_on, row.push_topic = typed.secret_expires_on, typed.push_topic
    row.error_code = row.error_words = ""
    row.error_at = row.alarmed_at = None
    row.checked_at = timezone.now()
    row.save()
    audit.record(member, "app.saved", f"{provider}: {typed.client_id}")
    wake_mailboxes(member.workspace_id, provider)


def _completed(workspace_id: UUID, provider: str, typed: TypedApp) -> AppSettings:
    """What was typed with the secret that is kept. Raises AppRefused where it cannot be right."""
    if not typed.client_secret:
        kept = find_readable_app(workspace_id, provider)
        if kept is None or kept.from_environment:
            raise AppRefused("app_secret_refused")
        typed = replace(typed, client_secret=kept.client_secret)
    if typed.tenant and not _TENANT.fullmatch(typed.tenant):  # it becomes part of an address
        raise AppRefused("app_tenant_unknown")
    if typed.way not in ("api", "servers") or not typed.client_id.strip():
        raise AppRefused("app_misconfigured")
    return _settings(provider, typed)


def _settings(provider: str, typed: TypedApp, *, from_environment: bool = False) -> AppSettings:
    oauth = oauth_of(provider)
    tenant = typed.tenant or oauth.default_tenant
    return AppSettings(
        provider=provider,
        client_id=typed.client_id,
        client_secret=typed.client_secret,
        tenant=tenant,
        way=typed.way,
        audience=typed.audience,
        endpoints=oauth_endpoints(os.environ, oauth).at(tenant),
        servers=mail_servers(os.environ, oauth),
        from_environment=from_environment,
        secret_expires_on=typed.secret_expires_on,
        push_topic=typed.push_topic,
    )


def _from_environment(provider: str) -> AppSettings | None:
    def said(ending: str) -> str:
        return os.environ.get(f"POSTROOM_{oauth_of(provider).environment}_{ending}", "").strip()

    if not said("CLIENT_ID"):
        return None
    expires = said("SECRET_EXPIRES_ON")
    typed = TypedApp(
        said("CLIENT_ID"),
        said("CLIENT_SECRET"),
        said("TENANT") if _TENANT.fullmatch(said("TENANT")) else "",
        "servers" if said("WAY") == "servers" else "api",
        said("AUDIENCE"),
        _day(expires),
        said("PUSH_TOPIC"),
    )
    return _settings(provider, typed, from_environment=True)


def _day(text: str) -> date | None:
    """The day that an operator wrote; one that is mistyped must not stop all mailboxes, and reminds of nothing."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        log.warning("the last day of a secret in the environment is no date such as 2027-11-30")
        return None


def _expires_soon(app: AppSettings | None) -> bool:
    day = app.secret_expires_on if app else None
    return day is not None and day <= timezone.now().date() + EXPIRES_SOON
