"""Who answers: a person, a machine, or a server that returns what could not be delivered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.mime.automated import answerer


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"From: katrin@lagerhaus.example\r\nSubject: Re: Test\r\n",
        b"Auto-Submitted: no\r\n",
        b"Return-Path: <katrin@lagerhaus.example>\r\nContent-Type: text/plain\r\n",
    ],
)
def test_a_message_that_says_nothing_else_is_a_persons(headers: bytes) -> None:
    assert answerer(headers) == "person"


@pytest.mark.parametrize(
    "headers",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b'auto-submitted: auto-replied; owner-email="a@b.example"\r\n',
        b"X-Autoreply: yes\r\n",
        b"Precedence: bulk\r\n",
        b"Content-Type: multipart/report; report-type=disposition-notification\r\n",
        b"Return-Path: <>\r\nSubject: I am away\r\n",
    ],
)
def test_an_automatic_answer_is_no_persons(headers: bytes) -> None:
    assert answerer(headers) == "machine"


def test_a_delivery_report_is_known_by_its_type_however_it_is_folded() -> None:
    headers = b"Auto-Submitted: auto-replied\r\nContent-Type: multipart/report;\r\n\treport-type=Delivery-Status;\r\n"
    assert answerer(headers) == "bounce"


@given(st.binary(max_size=300))
def test_whatever_strangers_write_raises_nothing(headers: bytes) -> None:
    assert answerer(headers) in ("person", "machine", "bounce")
