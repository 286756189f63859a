"""What Graph answers, read: statuses, batches, Retry-After, moments, MAPI properties."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.errors import ProtocolViolation
from postroom.providers.outlook.quirks import same_property
from postroom.providers.outlook.responses import (
    Answer,
    extended_value,
    read_answer,
    read_batch,
    read_moment,
    read_retry_after,
    values,
)

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("17", 17.0),
        (" 3.5 ", 3.5),
        ("0", 0.0),
        ("-4", 0.0),
        ("99999999", 86_400.0),
        ("nan", None),
        ("inf", 86_400.0),
        ("Mon, 23 Nov 2026 08:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 10:00:30 +0200", 30.0),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0.0),
        ("Monday, 23-Nov-26 08:00:30 GMT", 30.0),  # RFC 850, which RFC 9110 has us read as well
        ("soon", None),
        ("Mon, 99 Nov 2026 08:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


@given(st.text())
def test_no_retry_after_breaks_us(value: str) -> None:
    told = read_retry_after(value, NOW)
    assert told is None or 0.0 <= told <= 86_400.0


def batch(*parts: dict[str, Any]) -> Answer:
    return Answer(200, body={"responses": list(parts)})


def test_parts_of_a_batch_come_in_any_order_each_with_a_status_of_its_own() -> None:
    answer = batch(
        {"id": "2", "status": 429, "headers": {"Retry-After": "7"}, "body": {"error": {"code": "TooManyRequests"}}},
        {"id": "0", "status": 200, "headers": {}, "body": {"id": "a"}},
        {"id": "1", "status": 404},
    )
    first, second, third = read_batch(answer, 3)
    assert (first.status, first.fields()) == (200, {"id": "a"})
    assert (second.status, second.error()) == (404, ("", ""))
    assert (third.status, third.retry_after_seconds, third.error()[0]) == (429, 7.0, "TooManyRequests")


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"responses": None}, {"responses": [{"id": "0"}]}, {"responses": [{"id": "1", "status": 200}]}],
)
def test_a_batch_that_leaves_a_part_out_makes_no_sense(body: Any) -> None:
    with pytest.raises(ProtocolViolation):
        read_batch(Answer(200, body=body), 1)


@pytest.mark.parametrize("octets", [b"", b"<html>", b"[" * 100_000, b'"x"', b'{"value": 1}', b'{"value": [1]}'])
def test_what_is_no_collection_makes_no_sense(octets: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        values(read_answer(200, {"Content-Type": "application/json"}, octets))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T08:00:00Z", NOW),
        ("2026-11-23T08:00:00.0000000Z", NOW),
        ("2026-11-23T09:00:00+01:00", NOW),
        ("2026-11-23T08:00:00", NOW),
        ("yesterday", None),
        (None, None),
        (17, None),
    ],
)
def test_moments_are_read(text: object, moment: datetime | None) -> None:
    assert read_moment(text) == moment


def test_a_property_is_found_however_it_is_spelled() -> None:
    """Asked for "Integer 0x0E08", Exchange answers "Integer 0xe08"."""
    told = {
        "singleValueExtendedProperties": [
            {"id": "String 0x1039", "value": "<a>"},
            {"id": "Integer 0xe08", "value": "7"},
        ]
    }
    assert extended_value(told, "Integer 0x0E08") == "7"
    assert extended_value(told, "String 0x1042") == ""
    assert extended_value({"singleValueExtendedProperties": None}, "String 0x1042") == ""
    assert not same_property("String 0xe08", "Integer 0xe08")
    assert same_property("String {guid} Name x", "string {GUID} name X")
