"""Pages and slices are bounded, whole and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.sync import pages as bounds
from postroom.sync.backoff import LONGEST_SECONDS, delay_seconds
from postroom.sync.folders import left_out, listed_once
from postroom.sync.remote import RemoteFolder

SIZES = st.lists(st.integers(0, 60_000_000), max_size=1_500)


@given(SIZES)
def test_pages_cover_everything_once_and_keep_their_bounds(sizes: list[int]) -> None:
    covered = []
    for start, end in bounds.pages(sizes):
        covered += range(start, end)
        octets = sum(size or bounds.ASSUMED_SIZE for size in sizes[start:end])
        assert end - start <= bounds.PAGE_MESSAGES
        assert octets <= bounds.PAGE_OCTETS or end - start == 1
    assert covered == list(range(len(sizes)))


@given(SIZES)
def test_no_page_straddles_two_slices(sizes: list[int]) -> None:
    page_starts = {start for start, _ in bounds.pages(sizes)}
    pieces = list(bounds.slices(sizes))
    assert {start for start, _ in pieces} <= page_starts
    assert [start for start, _ in pieces[1:]] == [end for _, end in pieces[:-1]]
    assert sum(end - start for start, end in pieces) == len(sizes)


@given(st.integers(1, 1_000), st.floats(0, 1, exclude_max=True))
def test_waiting_grows_and_has_an_end(failures: int, chance: float) -> None:
    assert 0 < delay_seconds(failures, chance) <= LONGEST_SECONDS
    assert delay_seconds(failures, 0.0) <= delay_seconds(failures + 1, 0.0)


def test_junk_trash_drafts_and_doubled_folders_are_not_read() -> None:
    folders = [
        RemoteFolder("Trash", "Trash", "trash"),
        RemoteFolder("Projects", "Projects"),
        RemoteFolder("Sent", "Sent", "sent"),
        RemoteFolder("INBOX", "Inbox", "inbox"),
        RemoteFolder("INBOX", "INBOX", "inbox"),
        RemoteFolder("Group", "Group", is_selectable=False),
        RemoteFolder("All Mail", "All Mail", "all"),
    ]
    assert [folder.remote_name for folder in listed_once(folders) if folder.remote_name not in left_out(folders)] == [
        "INBOX",
        "Sent",
        "Projects",
    ]
    assert "Group" not in {folder.remote_name for folder in listed_once(folders)}
