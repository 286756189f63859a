"""Every class of error has its reaction."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.engine.patience import ACTS, PROBE_SECONDS, Act, act_of, reaction_to
from postroom.providers import errors
from postroom.providers.errors import ProviderError, StorageFull, Throttled, Unreachable

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ProviderError)]


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if ProviderError in kind.__bases__])
def test_no_class_below_the_root_is_missing(kind: type[ProviderError]) -> None:
    assert kind in ACTS


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        (errors.NeedsReconnect, Act.ASK),
        (errors.SignInRefused, Act.ASK),
        (errors.NeedsAdministrator, Act.ASK),
        (errors.WrongSettings, Act.DOUBT),
        (errors.Refused, Act.ASK),
        (errors.Unsupported, Act.ASK),
        (errors.InDoubt, Act.ASK),
        (errors.Throttled, Act.WAIT),
        (errors.StorageFull, Act.LOOK_SOON),
        (errors.Unreachable, Act.BACK_OFF),
        (errors.ProtocolViolation, Act.BACK_OFF),
        (errors.FolderGone, Act.LIST_FOLDERS),
        (errors.ListingExpired, Act.LIST_IN_FULL),
        (errors.MessageGone, Act.GO_ON),
    ],
)
def test_each_class_is_reacted_to(kind: type[ProviderError], act: Act) -> None:
    assert act_of(kind()) is act


@pytest.mark.parametrize("kind", [errors.NeedsReconnect, errors.NeedsAdministrator])
@given(failures=st.integers(1, 1_000), chance=st.floats(0, 1, exclude_max=True))
def test_what_a_person_has_to_mend_is_tried_once_an_hour(
    kind: type[ProviderError], failures: int, chance: float
) -> None:
    assert PROBE_SECONDS <= reaction_to(kind(), failures, chance).seconds <= 1.1 * PROBE_SECONDS


@given(chance=st.floats(0, 1, exclude_max=True))
def test_a_refused_password_is_tried_twice_more_before_it_is_thought_wrong_and_no_account_is_locked(
    chance: float,
) -> None:
    waits = [reaction_to(errors.SignInRefused(), failures, chance) for failures in range(1, 6)]
    assert all(wait.act is Act.ASK and wait.is_told for wait in waits), "the owner knows from the first"
    assert waits[0].seconds < 60
    assert 300 <= waits[1].seconds < 400
    assert all(wait.seconds >= PROBE_SECONDS for wait in waits[2:])


def test_settings_that_are_wrong_for_a_while_are_doubted_before_a_person_is_asked() -> None:
    """A server that restarts refuses connections, and a name server that is ill knows no names."""
    waits = [reaction_to(errors.WrongSettings("connection_refused"), failures, 0.5) for failures in range(1, 11)]
    assert [wait.act for wait in waits] == [Act.BACK_OFF] * 8 + [Act.ASK] * 2
    assert waits[0].seconds < 2
    assert sum(wait.seconds for wait in waits[:8]) < 600


@given(asked=st.floats(0.1, 100_000), failures=st.integers(1, 1_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_server_is_left_alone_for_at_least_as_long_as_it_asked(asked: float, failures: int, chance: float) -> None:
    assert reaction_to(Throttled(retry_after_seconds=asked), failures, chance).seconds >= asked


@given(asked=st.floats(0.1, 3_600), chance=st.floats(0, 1, exclude_max=True))
def test_a_server_that_names_a_time_is_asked_again_soon_after_it(asked: float, chance: float) -> None:
    for failures in (1, 2, 3):
        assert reaction_to(Throttled(retry_after_seconds=asked), failures, chance).seconds <= 1.1 * asked
    assert reaction_to(Throttled(retry_after_seconds=1.0), 4, 0.0).seconds == 480, "it did not mean it"


@given(asked=st.floats(0.1, 3_600), failures=st.integers(1, 1_000), chance=st.floats(0, 1, exclude_max=True))
def test_what_is_allowed_is_there_again_to_the_second_and_nobody_is_told(
    asked: float, failures: int, chance: float
) -> None:
    reaction = reaction_to(errors.AllowanceUsed(retry_after_seconds=asked), failures, chance)
    assert (reaction.seconds, reaction.is_told) == (asked, False)


def test_a_server_that_asks_for_patience_without_a_time_is_left_alone_longer_each_time() -> None:
    waits = [reaction_to(Throttled(), failures, 0.0).seconds for failures in range(1, 9)]
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]


@given(failures=st.integers(1, 1_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_full_disk_is_looked_at_every_minute_however_long_it_lasts(failures: int, chance: float) -> None:
    assert 30 <= reaction_to(StorageFull(), failures, chance).seconds <= 60


@given(failures=st.integers(1, 1_000), chance=st.floats(0, 1, exclude_max=True))
def test_back_off_grows_to_a_quarter_of_an_hour_with_jitter(failures: int, chance: float) -> None:
    longest = min(900.0, 2.0 * 2 ** min(failures - 1, 20))
    assert longest / 2 <= reaction_to(Unreachable(), failures, chance).seconds <= longest


def test_a_connection_that_we_closed_ourselves_is_opened_again_at_once_and_no_failure() -> None:
    reaction = reaction_to(Unreachable("connection_closed"), 1, 0.5)
    assert (reaction.seconds, reaction.is_told) == (0.0, False)


@pytest.mark.parametrize("kind", [errors.FolderGone, errors.ListingExpired, errors.MessageGone])
def test_what_goes_on_at_once_backs_off_when_it_happens_again(kind: type[ProviderError]) -> None:
    first, second = reaction_to(kind(), 1, 0.5), reaction_to(kind(), 2, 0.5)
    assert (first.seconds, first.is_told) == (0.0, False)
    assert second.act is Act.BACK_OFF
    assert second.seconds > 0
    assert second.is_told
