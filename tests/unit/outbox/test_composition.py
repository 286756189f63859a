"""What cannot be sent is refused before anything is stored."""

from __future__ import annotations

from datetime import datetime

import pytest

from postroom.mail.message import Address
from postroom.outbox.composition import Composition, SubmitRefused, validate

BOB = Address("bob@customer.example", "Bob")


@pytest.mark.parametrize(
    ("composition", "code", "field"),
    [
        (Composition(subject="Hello"), "no_recipients", "to"),
        (Composition(to=[Address("bob@customer.example\r\nBcc: eve@evil.example")]), "bad_address", "to"),
        (Composition(to=[Address("bob@customer.example", "Bob\nX: y")]), "bad_address", "to"),
        (Composition(to=[BOB], cc=[Address("bob")]), "bad_address", "cc"),
        (Composition(to=[BOB], bcc=[Address("a b@c.example")]), "bad_address", "bcc"),
        (Composition(to=[BOB], subject="Hello\r\nBcc: eve@evil.example"), "bad_subject", "subject"),
        (Composition(to=[BOB], text="a\0b"), "bad_text", "text"),
        (Composition(to=[BOB], attachments=[("a\r\nb.pdf", "application/pdf", b"")]), "bad_attachment", "attachments"),
        (Composition(to=[BOB], attachments=[("a.bin", "a/b", bytes(26 * 1024 * 1024))]), "too_large", "attachments"),
        (Composition(to=[Address(f"u{n}@c.example") for n in range(501)]), "too_many_recipients", "to"),
        (Composition(to=[BOB], send_at=datetime.fromisoformat("2026-11-23T09:00:00")), "bad_send_at", "send_at"),
    ],
)
def test_a_bad_composition_is_refused_with_its_field(composition: Composition, code: str, field: str) -> None:
    with pytest.raises(SubmitRefused) as refused:
        validate(composition)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.words.endswith(".")


def test_a_plain_message_is_fine() -> None:
    validate(Composition(to=[BOB], subject="Grüße", text="Hello"))


def test_an_address_named_twice_is_sent_to_once() -> None:
    composition = Composition(to=[BOB], cc=[Address("BOB@Customer.example")], bcc=[Address("eve@x.example")])
    assert len(composition.envelope_recipients()) == 2


def test_the_text_alternative_is_made_from_the_html() -> None:
    assert Composition(html="<p>Hello</p><p>World</p>").readable_text == "Hello\nWorld"
