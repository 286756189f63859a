"""The provider "gmail" against public emulators of Google, for all that they offer.

They were written by others from the same documentation: what passes here and with our own double is not our misreading
alone. What they lack is in emulated_gmail_place.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.emulated_gmail_place import Door, EmulatedGmailPlace
from tests.contract.provider_contract import ProviderContract
from tests.servers.emulate import Emulator


@pytest.fixture(scope="module")
def google_door(emulated_google: Emulator) -> Iterator[Door]:
    with Door(emulated_google) as door:
        yield door


@pytest.fixture(scope="module")
def gmail_door(emulated_gmail: Emulator) -> Iterator[Door]:
    with Door(emulated_gmail) as door:
        yield door


class OnEmulators(ProviderContract):
    """The suite without what no emulator offers."""

    test_a_message_comes_back_as_it_was = None  # type: ignore[assignment]  # it is written anew
    test_a_message_is_found_by_its_whole_id = None  # type: ignore[assignment]  # no rfc822msgid:
    test_a_wrong_password_or_grant_is_refused = None  # type: ignore[assignment]  # an unknown token is somebody
    # Their search reads no {from: to:}, no after: with seconds and no rfc822msgid:.
    test_a_message_is_sought_by_its_message_id = None  # type: ignore[assignment]
    test_an_address_is_sought_among_senders_and_recipients = None  # type: ignore[assignment]
    test_words_of_a_subject_are_sought_in_any_case_and_script = None  # type: ignore[assignment]
    test_spam_and_trash_are_searched_like_any_folder = None  # type: ignore[assignment]
    test_the_newest_are_found_first_and_no_more_than_asked_for = None  # type: ignore[assignment]
    test_the_days_narrow_it_down = None  # type: ignore[assignment]


class TestGmailOnEmulate(OnEmulators):
    """emulate has no batches: here runs what asks for one message at a time."""

    test_a_window_lists_newest_first_with_sizes = None  # type: ignore[assignment]
    test_messages_that_are_gone_are_left_out = None  # type: ignore[assignment]
    test_bodies_stay_with_their_ids_while_somebody_deletes = None  # type: ignore[assignment]
    test_headers_come_without_bodies = None  # type: ignore[assignment]

    @pytest.fixture
    def place(self, emulated_google: Emulator, google_door: Door) -> Iterator[EmulatedGmailPlace]:
        place = EmulatedGmailPlace(emulated_google, google_door)
        yield place
        place.close()


class TestGmailOnTheFork(OnEmulators):
    @pytest.fixture
    def place(self, emulated_gmail: Emulator, gmail_door: Door) -> Iterator[EmulatedGmailPlace]:
        place = EmulatedGmailPlace(emulated_gmail, gmail_door)
        yield place
        place.close()
