"""What opens a mailbox: grants, the workspace's registrations at providers, and the way to a sign-in page."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from postroom.mailboxes.models.mailbox import Mailbox
from postroom.workspaces.ids import new_id
from postroom.workspaces.models import Workspace


class Grant(models.Model):
    """What opens a mailbox: the provider's own secrets, sealed (see sealing.py)."""

    mailbox = models.OneToOneField(Mailbox, models.CASCADE, primary_key=True, related_name="grant")
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    sign_in_user = models.CharField(max_length=320, blank=True)
    sealed = models.BinaryField()
    updated_at = models.DateTimeField(auto_now=True)  # rises when its owner reconnects, not with each fresh token
    # Of a grant by OAuth:
    app = models.CharField(max_length=20, blank=True)  # the provider whose OAuthApp it came by
    subject = models.CharField(max_length=300, blank=True)  # who signed in, as the provider's unchanging id
    scope = models.TextField(blank=True)  # as granted (RFC 6749 section 5.1)
    expires_at = models.DateTimeField(null=True, blank=True)  # of the access token
    dies_at = models.DateTimeField(null=True, blank=True)  # of the refresh token, where the provider says or we know
    refreshed_at = models.DateTimeField(null=True, blank=True)
    # The refresh token is dead, as this code of the catalogue says; it is tried again once an hour (tokens.py).
    refused_code = models.CharField(max_length=60, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)  # its owner, that it dies soon
    warned_days = models.PositiveSmallIntegerField(null=True, blank=True)  # the latest warning's: 30, 7 or 1 before


class OAuthApp(models.Model):
    """The workspace's own registration at a provider: client id, sealed secret, and how mailboxes are connected.

    One in the environment (POSTROOM_*_CLIENT_ID) needs no row; a row then holds its state alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    provider = models.CharField(max_length=20)
    client_id = models.CharField(max_length=300, blank=True)
    sealed = models.BinaryField(default=bytes)  # the secret (sealing.py)
    tenant = models.CharField(max_length=200, blank=True)
    way = models.CharField(max_length=10, default="api", choices=[("api", "api"), ("servers", "servers")])
    audience = models.CharField(max_length=20, blank=True)  # internal, testing, production: who may sign in
    secret_expires_on = models.DateField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)  # that the secret expires soon
    reminded_days = models.PositiveSmallIntegerField(null=True, blank=True)  # the latest reminder's: 30, 7 or 1 before
    push_topic = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    # The provider refused our id or secret: one alarm for the administrators, not a reconnect for every mailbox.
    error_code = models.CharField(max_length=60, blank=True)
    error_words = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    alarmed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "provider"], name="one_app_a_provider")]


class Journey(models.Model):
    """One member's way to a provider's sign-in page and back (RFC 6749 section 4.1). Its state is used once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, null=True, blank=True)  # the one that is reconnected
    provider = models.CharField(max_length=20)
    session_digest = models.CharField(max_length=64)  # of the browser session that left
    state_digest = models.CharField(max_length=64, unique=True)
    sealed = models.BinaryField()  # PKCE verifier and nonce
    address = models.CharField(max_length=320, blank=True)  # the one that is expected to come back
    request = models.JSONField(default=dict)  # what was typed: kind, usage, keep, days …; no secret
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=60, blank=True)  # "connected", or a code of the catalogue
    facts = models.JSONField(default=dict, blank=True)
    # An administrator of the provider may have to approve first; he comes back by this state, in his own browser.
    approval_digest = models.CharField(max_length=64, blank=True, db_index=True)
    approved_at = models.DateTimeField(null=True, blank=True)
