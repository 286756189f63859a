"""Apps at Google and Microsoft, what they allow, and journeys that ended in every way, for the screenshots."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from postroom.mailboxes import sealing
from postroom.mailboxes.connect import ConnectRequest
from postroom.mailboxes.journeys import begin, finish
from postroom.mailboxes.models import Grant, Identity, Journey, Mailbox, OAuthApp
from postroom.workspaces.members import Member

ALIASES = ("hello@tidewater.example", "offers@tidewater.example", "rent@tidewater.example")
ENDS = {
    "wrong_account": {"address": "alice.private@gmail.com", "expected": "sales@tidewater.example"},
    "permission_missing": {
        "permissions": "Read your mail, to put customers' messages on their records; "
        "Write drafts and send the mail that you write in Postroom"
    },
    "app_blocked_by_administrator": {},
    "app_secret_refused": {"server_words": "invalid_client: Unauthorized"},
}


def make_apps(member: Member) -> None:
    """One at Google that is fine, one at Microsoft whose secret ends soon."""
    day = timezone.now().date() + timedelta(days=21)
    for provider, client_id, expires in (
        ("gmail", "314159265358-postroom.apps.googleusercontent.com", None),
        ("outlook", "7c9d1a52-0b5f-4d0e-9f6e-3a1c5b7e2d10", day),
    ):
        app = OAuthApp(workspace=member.workspace, provider=provider, client_id=client_id, secret_expires_on=expires)
        app.tenant = "tidewater.example" if provider == "outlook" else ""
        place = {"table": "mailboxes_oauthapp", "column": "sealed"}
        app.sealed = sealing.seal(b"a secret", row_id=app.pk, workspace_id=member.workspace_id, **place)
        app.save()


def allow(sales: Mailbox, billing: Mailbox) -> None:
    """Sales by Google with all permissions and three aliases; billing by Microsoft, which may not send."""
    google = "openid email https://www.googleapis.com/auth/gmail.modify"
    Grant.objects.filter(mailbox=sales).update(app="gmail", scope=google, sign_in_user=sales.address)
    microsoft = "openid email offline_access User.Read Mail.ReadWrite Mail.ReadWrite.Shared Mail.Send"
    Grant.objects.filter(mailbox=billing).update(app="outlook", scope=microsoft, sign_in_user="alice@tidewater.example")
    for address in ALIASES:
        Identity.objects.create(workspace_id=sales.workspace_id, mailbox=sales, address=address, is_listed=True)


def make_journeys(member: Member) -> None:
    for code, facts in ENDS.items():
        finish(_begun(member, "gmail"), code, {"provider": "Google", **facts})
    finish(_begun(member, "outlook"), "admin_approval_needed", {"provider": "Microsoft"})


def _begun(member: Member, provider: str) -> Journey:
    wanted = ConnectRequest(provider=provider, address="sales@tidewater.example", kind="shared")
    journey = Journey.objects.get(pk=begin(member, "a session", provider, wanted).journey_id)
    journey.used_at = timezone.now()
    journey.save(update_fields=["used_at"])
    return journey
