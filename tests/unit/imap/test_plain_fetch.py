"""The short way of reading FETCH gives what the grammar gives: names in lower case take the long way."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.responses import parse_response

FLAG = st.sampled_from(["\\Seen", "\\Answered", "$Forwarded", "NonJunk", "NIL", "nil", "17", "017", "\\*", "a\tb"])
ZONE = st.sampled_from(["+0000", "-0000", "+0100", "-0930", "+9999", "0000", "+00"])
DATE = st.builds(
    "{:2d}-{}-{:04d} {:02d}:{:02d}:{:02d} {}".format,
    st.integers(0, 32),
    st.sampled_from(["Jan", "feb", "DEC", "Foo"]),
    st.integers(0, 9999),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 61),
    ZONE,
)


def parts_of(items: list[tuple[str, str]], body: bytes | None, *, names_small: bool) -> list[bytes | bytearray]:
    told = " ".join(f"{name.lower() if names_small else name} {value}" for name, value in items)
    if body is None:
        return [f"* 5 FETCH ({told})".encode()]
    name = "body[]" if names_small else "BODY[]"
    return [f"* 5 FETCH ({told} {name} ".encode(), bytearray(body), b")"]


@given(
    uid=st.one_of(st.integers(0, 2**33), st.just("07")),
    flags=st.lists(FLAG, max_size=4),
    date=st.none() | DATE | st.just("") | st.just('\\"'),
    size=st.none() | st.integers(0, 10**19),
    body=st.none() | st.binary(),
)
@example(uid=1, flags=["NIL"], date=None, size=None, body=b"")
def test_the_short_way_reads_what_the_grammar_reads(
    uid: int | str, flags: list[str], date: str | None, size: int | None, body: bytes | None
) -> None:
    items = [("UID", str(uid)), ("FLAGS", f"({' '.join(flags)})")]
    items += [("INTERNALDATE", f'"{date}"')] if date is not None else []
    items += [("RFC822.SIZE", str(size))] if size is not None else []
    short, grammar = (parse_response(parts_of(items, body, names_small=small)) for small in (False, True))
    assert short == grammar


def test_what_nearly_every_server_says() -> None:
    event = parse_response(
        [b'* 5 FETCH (UID 7 FLAGS (\\Seen) INTERNALDATE "23-Nov-2026 02:35:19 +0100" BODY[] ', b"Hi", b")"]
    )
    assert isinstance(event, Fetch)
    assert (event.uid, event.flags, event.sections) == (7, ("\\Seen",), {"": b"Hi"})
    assert event.internal_date is not None
    assert event.internal_date.isoformat() == "2026-11-23T01:35:19+00:00"
