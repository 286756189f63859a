"""Headers first: what is asked of the provider, in pages bounded by what their bodies weigh."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.message import ParsedMessage
from postroom.mail.mime.parsing import parse, parse_headers
from postroom.mail.threading import facts_of, refs_of
from postroom.sync import asks
from postroom.sync.catching_up import fetch_wanted
from postroom.sync.importing import import_slice
from postroom.sync.manner import Manner
from postroom.sync.pages import PAGE_OCTETS
from postroom.sync.reading import HEADERS_AT_ONCE
from postroom.sync.state import NewHeader, NewMessage, Page, Saved, SliceState, Wanted

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)


class Server:
    """Answers steps: messages by remote id with their sizes, and which of them are wanted; `gone` are there no more."""

    def __init__(self, sizes: dict[str, int], wanted: set[str], gone: frozenset[str] = frozenset()) -> None:
        self.sizes, self.wanted, self.gone = sizes, wanted, gone
        self.saved: list[Page] = []
        self.fetched: list[tuple[str, ...]] = []

    def run(self, steps: Iterator[Any]) -> Saved:
        answer: Any = None
        while True:
            try:
                ask = steps.send(answer)  # type: ignore[attr-defined]
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            answer = self.answer(ask)

    def answer(self, ask: asks.Ask) -> Any:
        match ask:
            case asks.FetchHeaders(_, remote_ids):
                assert len(remote_ids) <= HEADERS_AT_ONCE
                return tuple(
                    NewHeader(one, self.sizes[one], NOON, (), (), ParsedMessage()) for one in remote_ids
                    if one not in self.gone
                )  # fmt: skip
            case asks.ChooseWanted(headers):
                return frozenset(header.remote_id for header in headers if header.remote_id in self.wanted)
            case asks.FetchMessages(_, remote_ids):
                self.fetched.append(remote_ids)
                return tuple(
                    NewMessage(one, self.sizes[one], ID, NOON, (), ParsedMessage()) for one in remote_ids
                    if one not in self.gone
                )  # fmt: skip
            case asks.LoadWanted():
                ids = tuple(self.sizes)
                return [Wanted(ID, "INBOX", ids, tuple(self.sizes.values()))]
            case asks.SavePage(page):
                self.saved.append(page)
                return Saved(new=len(page.messages), kept=len(page.messages))
        raise AssertionError(ask)


def slice_of(sizes: dict[str, int]) -> SliceState:
    return SliceState(ID, ID, ID, "INBOX", tuple(sizes), tuple(sizes.values()), keeps_everything=False)


@given(
    st.lists(st.tuples(st.integers(1, 20_000_000), st.sampled_from(["wanted", "other", "gone"])), max_size=40),
    st.booleans(),
)
def test_each_message_is_saved_or_passed_over_once_and_bodies_only_of_the_wanted(
    messages: list[tuple[int, str]], headers_first: bool
) -> None:
    names = {f"1.{number}": message for number, message in enumerate(messages)}
    sizes = {name: size for name, (size, _) in names.items()}
    kinds = {kind: {name for name, (_, one) in names.items() if one == kind} for kind in ("wanted", "other", "gone")}
    server = Server(sizes, kinds["wanted"], frozenset(kinds["gone"]))
    server.run(import_slice(slice_of(sizes), Manner(headers_first=headers_first)))
    taken = [message.remote_id for page in server.saved for message in page.messages]
    passed_over = [header.remote_id for page in server.saved for header in page.passed_over]
    assert sorted(taken) == sorted(kinds["wanted"] if headers_first else kinds["wanted"] | kinds["other"])
    assert sorted(passed_over) == (sorted(kinds["other"]) if headers_first else [])
    done = [(page.slice_from, page.slice_done) for page in server.saved]
    assert [start for start, _ in done] == [0, *(end for _, end in done[:-1])][: len(done)]
    assert not done or done[-1][1] == len(sizes)
    for asked in server.fetched:
        assert len(asked) == 1 or sum(sizes[one] for one in asked) <= PAGE_OCTETS


def test_thousands_of_headers_are_few_pages() -> None:
    sizes = {f"1.{number}": 50_000 for number in range(2_500)}
    server = Server(sizes, {"1.7"})
    server.run(import_slice(slice_of(sizes), Manner(headers_first=True)))
    assert [(page.slice_from, page.slice_done) for page in server.saved] == [(0, 1_000), (1_000, 2_000), (2_000, 2_500)]
    assert server.fetched == [("1.7",)]


def test_what_is_wanted_is_fetched_in_pages_of_bounded_octets_and_what_is_gone_is_forgotten() -> None:
    sizes = {f"1.{number}": PAGE_OCTETS // 3 for number in range(7)}
    server = Server(sizes, set(sizes), gone=frozenset({"1.4"}))
    assert server.run(fetch_wanted(ID, 1)).kept == 6
    assert [len(page.messages) + len(page.removed) for page in server.saved] == [3, 3, 1]
    assert [page.removed for page in server.saved] == [(), ("1.4",), ()]


def test_a_header_alone_says_what_the_whole_message_says() -> None:
    header = (
        b"From: =?utf-8?q?J=C3=BCrgen?= <J@Customer.example>\r\nTo: a@own.example, b@own.example\r\nCc: c@x.example\r\n"
        b"Bcc: d@x.example\r\nReply-To: e@x.example\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
        b"Message-ID: <m@x.example>\r\n"
        b"In-Reply-To: <l@x.example>\r\nReferences: <k@x.example>\r\n <l@x.example>\r\nX-Postroom-Submission: 7\r\n"
    )
    whole, alone = parse(header + b"\r\nHello"), parse_headers(header + b"\r\n")
    for name in ("internet_message_id", "in_reply_to", "references", "subject", "from_", "to", "cc", "bcc", "reply_to"):
        assert getattr(alone, name) == getattr(whole, name), name
    assert alone.extra_headers["x-postroom-submission"] == whole.extra_headers["x-postroom-submission"]
    facts = facts_of(whole, ID)
    assert refs_of(alone) == (facts.key, *facts.refs)
