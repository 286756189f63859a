"""Letters in a mailbox of the fake Microsoft."""

from __future__ import annotations

from tests.contract.outlook_place import OutlookPlace
from tests.contract.provider_place import make_mail


def deliver(place: OutlookPlace, count: int) -> list[str]:
    """So many letters, newest first."""
    return [place.mailbox.deliver(make_mail(number)) for number in range(count)][::-1]
