from __future__ import annotations

import ipaddress

import pytest

from postroom.providers.guard import NetworkPolicy
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership, Role, User, Workspace
from tests.cast import Cast, make_cast
from tests.servers.certs import Certificates


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def alice(transactional_db: None) -> Member:
    workspace, user = Workspace.objects.create(name="Own"), User.objects.create(email="alice@own.example")
    return Member(workspace, user, Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER))


@pytest.fixture
def policy(certificates: Certificates) -> NetworkPolicy:
    loopback = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    return NetworkPolicy(allowed=loopback, ca_file=certificates.ca_file)
