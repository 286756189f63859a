"""Alice (owner), Bob (her team) and Charlie (another workspace), each with a browser that is signed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from postroom.filing.people import add_contact
from postroom.mailboxes.models import Mailbox
from postroom.records.models import Contact
from postroom.workspaces.members import Member
from tests.cast import Cast, make_cast, make_mailbox
from tests.web.fake_providers import google, google_app, microsoft, microsoft_app

__all__ = ["google", "google_app", "microsoft", "microsoft_app"]  # fixtures


@pytest.fixture(autouse=True)
def unhashed_static_files(settings: Any) -> None:
    """Pages name static files; the hashed names need collectstatic, which these tests do without."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # servestatic warns without
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def browser(member: Member, **how: Any) -> Client:
    client = Client(**how)
    client.force_login(member.user)
    return client


@pytest.fixture
def alice(cast: Cast) -> Client:
    return browser(cast.alice)


@pytest.fixture
def bob(cast: Cast) -> Client:
    return browser(cast.bob)


@pytest.fixture
def charlie(cast: Cast) -> Client:
    return browser(cast.charlie)


@pytest.fixture
def guest(db: None) -> Client:
    return Client()


@pytest.fixture
def sales(cast: Cast) -> Mailbox:
    """Alice's shared mailbox."""
    return make_mailbox(cast.alice, "sales@tidewater.example")


@pytest.fixture
def katrin(cast: Cast) -> Contact:
    """A contact of Alice's workspace."""
    return add_contact(cast.alice, "Katrin Voss", ["katrin@lagerhaus.example", "kv@nordfleet.example"])
