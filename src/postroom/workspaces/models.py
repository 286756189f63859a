"""The tenant and its people."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from postroom.workspaces.ids import new_id


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in, by e-mail address."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        return False  # there is no Django admin

    @property
    def initials(self) -> str:
        words = (self.name or self.email.partition("@")[0].replace(".", " ")).split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


class Workspace(models.Model):
    """The tenant: everything a team has in Postroom."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    default_mailbox_id = models.UUIDField(null=True, blank=True)  # new messages leave from it where nothing else says

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Membership(models.Model):
    """A user in a workspace, with a role."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)
    default_mailbox_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True, blank=True)  # off-boarded: the row stays, since history names the person

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each")]

    @property
    def can_administer(self) -> bool:
        return self.role in (Role.OWNER, Role.ADMIN)


class Allowed(models.TextChoices):
    """Who may do something without asking an administrator, who may always do it."""

    EVERYONE = "everyone"
    ASK = "ask"  # members ask, administrators decide
    NOBODY = "nobody"  # but administrators


class ConnectPolicy(models.Model):
    """What the administrators decided about connecting mailboxes; a workspace without a row allows everything."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, primary_key=True, related_name="connect_policy")
    providers = models.JSONField(default=dict, blank=True)  # {provider: Allowed}; one that is missing is everyone's
    personal = models.CharField(max_length=10, choices=Allowed.choices, default=Allowed.EVERYONE)
    shared = models.CharField(max_length=10, choices=Allowed.choices, default=Allowed.EVERYONE)
    domains = ArrayField(models.CharField(max_length=253), default=list, blank=True)  # of addresses; none: any
    updated_at = models.DateTimeField(auto_now=True)


class ApprovalRequest(models.Model):
    """A member asks to connect one mailbox that the policy does not let him connect by himself."""

    class State(models.TextChoices):
        ASKED = "asked"
        GRANTED = "granted"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="approval_requests")
    user = models.ForeignKey(User, models.CASCADE)
    provider = models.CharField(max_length=20)
    address = models.CharField(max_length=320)
    kind = models.CharField(max_length=10)
    words = models.TextField(blank=True)  # why, by the member
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True)  # by the administrator
    used_at = models.DateTimeField(null=True, blank=True)  # when the mailbox was connected by it: once
    # The state that those concerned were written to about (outbox/approval_notice.py).
    told_of = models.CharField(max_length=10, choices=State.choices, blank=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "state", "-asked_at"])]


class ApiToken(models.Model):
    """Lets a program act as one member. Only a digest is stored; the token is shown once, when it is made."""

    PREFIX = "postroom_"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    membership = models.ForeignKey(Membership, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    @classmethod
    def issue(cls, membership: Membership, name: str) -> tuple[ApiToken, str]:
        """Make a token; return its row and the secret, which cannot be had again."""
        secret = cls.PREFIX + secrets.token_urlsafe(32)
        return cls.objects.create(membership=membership, name=name, digest=cls.digest_of(secret)), secret

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()


class AuditEntry(models.Model):
    """Who did what, when. Appended, never changed; no bodies and no secrets."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE)
    user = models.ForeignKey(User, models.SET_NULL, null=True)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-at"])]
