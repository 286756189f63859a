"""Every property that Graph is asked for is one that Microsoft publishes (@microsoft/microsoft-graph-types)."""

from __future__ import annotations

import re

import pytest

from postroom.providers.outlook import requests
from postroom.providers.outlook.flags import NEEDED
from postroom.providers.outlook.requests import DECIDING, LISTED, Call
from tests.contract.graph_types import properties

CALLS = (
    requests.first_message_delta("/me", "f"),
    requests.list_between("/me", "f", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", LISTED, 50),
    requests.list_larger("/me", "f", 1_000, 50),
    requests.get_message("/me", "m", LISTED),
    requests.get_message("/me", "m", DECIDING),
    requests.find_by_message_id("/me", "f", "<a@example.test>"),
)


@pytest.mark.parametrize(
    "name", sorted({*LISTED.properties, *DECIDING.properties, *NEEDED, "singleValueExtendedProperties", "isDraft"})
)
def test_a_message_has_what_we_read_of_it(name: str) -> None:
    assert name in properties("Message")


@pytest.mark.parametrize(
    ("type_name", "names"),
    [
        ("MailFolder", {"id", "displayName", "parentFolderId", "isHidden", "totalItemCount", "unreadItemCount"}),
        ("Recipient", {"emailAddress"}),
        ("EmailAddress", {"name", "address"}),
        ("InternetMessageHeader", {"name", "value"}),
        ("FollowupFlag", {"flagStatus"}),
        ("SingleValueLegacyExtendedProperty", {"id", "value"}),
    ],
)
def test_a_type_has_what_we_read_of_it(type_name: str, names: set[str]) -> None:
    assert names <= set(properties(type_name))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.path.partition("?")[0])
def test_what_a_call_selects_orders_and_filters_by_are_properties_of_messages(call: Call) -> None:
    options = dict(part.split("=", 1) for part in call.path.partition("?")[2].split("&"))
    named = set(options["$select"].split(","))
    for option in ("$orderby", "$filter", "$expand"):
        plain = re.sub(r"[(/].*|'[^']*'|%20", " ", options.get(option, "")).replace("<", " ")
        named |= {word for word in plain.split() if word not in ("ge", "lt", "eq", "and", "desc")}
    named = {word for word in named if not word[0].isdigit()}
    assert named <= set(properties("Message"))
