"""A header block out of what Graph tells: it parses to the same people, and nothing in it adds a field."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import SMTP
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from postroom.mail.mime.parsing import parse
from postroom.providers.outlook.header_block import header_block

SENT: dict[str, Any] = {
    "id": "x",
    "subject": "Angebot für Öl",
    "internetMessageId": "<a@example.test>",
    "sentDateTime": "2026-11-23T09:00:00Z",
    "from": {"emailAddress": {"name": "Doe, Jane", "address": "jane@example.test"}},
    "toRecipients": [
        {"emailAddress": {"name": "Katrin Voß", "address": "katrin@customer.test"}},
        {"emailAddress": {"name": "left@customer.test", "address": "left@customer.test"}},
        {"emailAddress": {"name": "Somebody who left"}},
    ],
    "ccRecipients": [],
    "internetMessageHeaders": None,
    "singleValueExtendedProperties": [
        {"id": "String 0x1042", "value": "<b@customer.test>"},
        {"id": "String 0x1039", "value": "<c@customer.test>\r\n <b@customer.test>"},
    ],
}


def test_sent_mail_which_has_no_header_gets_one_of_its_properties() -> None:
    message = message_from_bytes(header_block(SENT), policy=SMTP)
    assert message["Subject"] == "Angebot für Öl"
    assert [(one.display_name, one.addr_spec) for one in message["From"].addresses] == [
        ("Doe, Jane", "jane@example.test")
    ]
    assert [(one.display_name, one.addr_spec) for one in message["To"].addresses] == [
        ("Katrin Voß", "katrin@customer.test"),
        ("", "left@customer.test"),
    ]
    assert (message["Message-ID"], message["In-Reply-To"]) == ("<a@example.test>", "<b@customer.test>")
    assert message["References"].split() == ["<c@customer.test>", "<b@customer.test>"]
    assert message["Date"] == "Mon, 23 Nov 2026 09:00:00 +0000" and message["Cc"] is None


def test_our_own_parser_reads_it() -> None:
    parsed = parse(header_block(SENT))
    assert parsed.subject == "Angebot für Öl"
    assert parsed.internet_message_id == "<a@example.test>"


def test_the_header_as_it_came_counts_more_than_properties() -> None:
    message = {
        **SENT,
        "internetMessageHeaders": [
            {"name": "Received", "value": "from a by b"},
            {"name": "Received", "value": "from c by a"},
            {"name": "FROM", "value": "Other <other@example.test>"},
            {"name": "In-Reply-To", "value": "<z@customer.test>"},
        ],
    }
    block = header_block(message)
    assert block.startswith(b"Received: from a by b\r\nReceived: from c by a\r\nFROM: Other")
    assert b"jane@" not in block and b"<b@customer.test>\r\nReferences" not in block
    assert b"Subject: Angebot f\xc3\xbcr \xc3\x96l\r\n" in block and block.endswith(b"\r\n\r\n")


HOSTILE = st.text(alphabet=st.sampled_from('\r\n\0 \t:<>@",;()\\aé\ud800'), max_size=30)


@given(st.lists(st.tuples(HOSTILE, HOSTILE), max_size=4), HOSTILE, HOSTILE, HOSTILE)
def test_no_value_adds_a_field_or_ends_the_block(
    headers: list[tuple[str, str]], subject: str, name: str, address: str
) -> None:
    block = header_block(
        {
            "internetMessageHeaders": [{"name": one, "value": value} for one, value in headers],
            "subject": subject,
            "from": {"emailAddress": {"name": name, "address": address}},
            "internetMessageId": subject,
        }
    )
    *lines, ending, nothing = block.split(b"\r\n")
    assert (ending, nothing) == (b"", b"") and b"" not in lines
    assert all(b"\r" not in line and b"\n" not in line and b": " in line + b" " for line in lines)
    assert len(lines) <= len(headers) + 3


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(["name", "address", "emailAddress", "value"]), one)))  # fmt: skip
def test_any_shape_is_survived(value: Any) -> None:
    names = [
        "internetMessageHeaders",
        "from",
        "toRecipients",
        "subject",
        "sentDateTime",
        "singleValueExtendedProperties",
    ]
    assert header_block(dict.fromkeys(names, value)).endswith(b"\r\n")
