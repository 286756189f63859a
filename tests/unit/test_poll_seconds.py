"""How often providers without push are asked is the operator's to say."""

from __future__ import annotations

import pytest

from postroom.providers.guard import UnfitSetting
from postroom.providers.pace import poll_seconds_of


def test_providers_are_asked_every_15_seconds_unless_told_otherwise() -> None:
    assert poll_seconds_of({}) == poll_seconds_of({"POSTROOM_POLL_SECONDS": " "}) == 15.0
    assert poll_seconds_of({"POSTROOM_POLL_SECONDS": "60"}) == 60.0


@pytest.mark.parametrize("told", ["0", "-1", "1.5", "3601", "often"])
def test_what_is_no_pace_is_refused_in_words(told: str) -> None:
    with pytest.raises(UnfitSetting, match="POSTROOM_POLL_SECONDS"):
        poll_seconds_of({"POSTROOM_POLL_SECONDS": told})
