"""`init`, `user create` and `token create`."""

from __future__ import annotations

import argparse
from typing import Any

from postroom.ops.commands.options import add_password, declare, group, read_password
from postroom.ops.output import CommandFailed, Output


def add(commands: Any) -> None:
    start = declare(commands, "init", init, "Make the workspace and its owner.")
    start.add_argument("--workspace", required=True, metavar="NAME", help="the workspace's name, usually the company's")
    start.add_argument("--email", required=True, metavar="ADDRESS", help="the owner's address, to sign in with")
    start.add_argument("--name", default="", help="the owner's name")
    add_password(start)

    users = group(commands, "user", "Members of the workspace.")
    create = declare(users, "create", create_user, "Add a member.")
    create.add_argument("--email", required=True, metavar="ADDRESS", help="the address to sign in with")
    create.add_argument("--name", default="", help="the member's name")
    create.add_argument("--role", choices=("owner", "admin", "member"), default="member")
    create.add_argument("--workspace", default="", metavar="NAME", help="needed only where there are several")
    add_password(create)

    tokens = group(commands, "token", "Tokens of the API.")
    issue = declare(tokens, "create", create_token, "Make a token and print it alone; it cannot be shown again.")
    issue.add_argument("--email", required=True, metavar="ADDRESS", help="the member it acts as")
    issue.add_argument("--name", default="command line", help="what it is for")


def init(options: argparse.Namespace, output: Output) -> int:
    from postroom.workspaces import setup

    password = read_password()
    if not setup.is_open():
        raise CommandFailed("There is a workspace already. Add people with `postroom user create`.", "already_set_up")
    member = setup.create_workspace(options.workspace, options.email, options.name, password)
    output.line(f"The workspace {member.workspace.name} is made; {member.user.email} owns it.")
    output.answer({"ok": True, "workspace_id": member.workspace_id, "user_id": member.user.pk})
    return 0


def create_user(options: argparse.Namespace, output: Output) -> int:
    from postroom.workspaces import people
    from postroom.workspaces.models import Workspace

    password = read_password()
    found = Workspace.objects.filter(name=options.workspace) if options.workspace else Workspace.objects.all()
    workspaces = list(found[:2])
    if not workspaces:
        raise CommandFailed("There is no such workspace. Make one with `postroom init`.", "no_workspace")
    if len(workspaces) > 1:
        raise CommandFailed("There are several workspaces. Name one with --workspace.", "usage")
    member = people.create_user(
        None, workspaces[0], options.email, name=options.name, role=options.role, password=password
    )
    output.line(f"{member.user.email} joined {workspaces[0].name} as {options.role}.")
    output.answer({"ok": True, "user_id": member.user.pk, "email": member.user.email, "role": options.role})
    return 0


def create_token(options: argparse.Namespace, output: Output) -> int:
    from postroom.workspaces import audit
    from postroom.workspaces.models import ApiToken

    member = find_member_by_address(options.email)
    token, secret = ApiToken.issue(member.membership, options.name[:100])
    audit.record(member, "token.created", token.name)
    output.line(secret)
    output.answer({"ok": True, "token": secret, "id": token.pk, "email": member.user.email})
    return 0


def find_member_by_address(address: str) -> Any:
    """The Member who signs in with this address. Raises CommandFailed."""
    from postroom.workspaces.members import find_member
    from postroom.workspaces.models import User

    user = User.objects.filter(email__iexact=address.strip()).first()
    member = find_member(user) if user else None
    if member is None:
        raise CommandFailed(f"Nobody signs in as {address}. Add the person with `postroom user create`.", "no_user")
    return member
