"""The fixed cast of every test: Alice owns Tidewater, Bob is on her team, Charlie is in another workspace."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.mailboxes.models import Mailbox
from postroom.workspaces.members import Member
from postroom.workspaces.models import Role, Workspace
from postroom.workspaces.people import create_user

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Cast:
    alice: Member
    bob: Member
    charlie: Member


def make_cast() -> Cast:
    tidewater = Workspace.objects.create(name="Tidewater Bikes")
    elsewhere = Workspace.objects.create(name="Elsewhere")
    return Cast(
        alice=create_user(
            None, tidewater, "alice@tidewater.example", name="Alice Moreau", role=Role.OWNER, password=PASSWORD
        ),
        bob=create_user(
            None, tidewater, "bob@tidewater.example", name="Bob Lindqvist", role=Role.MEMBER, password=PASSWORD
        ),
        charlie=create_user(
            None, elsewhere, "charlie@elsewhere.example", name="Charlie Roe", role=Role.OWNER, password=PASSWORD
        ),
    )


def make_mailbox(member: Member, address: str, *, kind: str = "shared", provider: str = "memory") -> Mailbox:
    """A connected mailbox that no server stands behind."""
    return store_mailbox(
        member, ConnectRequest(provider=provider, address=address, kind=kind, display_name="Tidewater")
    )
