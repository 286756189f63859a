"""Pages and slices: how much is fetched and saved at once. Bounded by count and by octets, never by hope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

PAGE_MESSAGES = 500  # 4,650 msgs/s against 4,070 with 300 (prototypes.md 4)
PAGE_OCTETS = 16 * 1024 * 1024
SLICE_PAGES = 4  # with 10, 5,000 messages are two slices, and one importer waits for the other: 3.9 s against 3.1
GIANT_OCTETS = 25 * 1000 * 1000  # a larger message is fetched to the disk, never as a whole into memory
ASSUMED_SIZE = 64 * 1024  # of a message whose size the provider does not tell


def page_end(sizes: Sequence[int], start: int, most: int | None = None) -> int:
    """The end of the page that begins at `start`: at least one message, then as many as both bounds allow."""
    most = most or PAGE_MESSAGES
    octets = 0
    end = start
    while end < len(sizes) and end - start < most:
        octets += sizes[end] or ASSUMED_SIZE
        if octets > PAGE_OCTETS and end > start:
            break
        end += 1
    return end


def pages(sizes: Sequence[int], start: int = 0, most: int | None = None) -> Iterator[tuple[int, int]]:
    """(start, end) of every page from `start` on, of `most` messages at most, usually PAGE_MESSAGES."""
    while start < len(sizes):
        end = page_end(sizes, start, most)
        yield start, end
        start = end


def slices(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(start, end) of every slice: up to SLICE_PAGES whole pages, so that no page straddles two slices."""
    start = end = count = 0
    for _, end in pages(sizes):
        count += 1
        if count == SLICE_PAGES:
            yield start, end
            start, count = end, 0
    if start < end:
        yield start, end
