"""A Google of our own on loopback: Gmail API v1, OAuth 2 with a sign-in page, and Pub/Sub push.

Its routes, scopes and answers are held against Google's own description of the API (discovery.py).
"""

from tests.fakes.google.faults import Faults
from tests.fakes.google.mailbox import GoogleMailbox
from tests.fakes.google.server import FakeGoogle

__all__ = ["FakeGoogle", "Faults", "GoogleMailbox"]
