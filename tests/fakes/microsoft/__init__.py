"""A Microsoft of our own: OAuth of the identity platform and Graph mail, with everything that no public double has."""

from tests.fakes.microsoft.mailbox import FakeMailbox
from tests.fakes.microsoft.server import FakeMicrosoft

__all__ = ["FakeMailbox", "FakeMicrosoft"]
