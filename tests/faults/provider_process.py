"""A process of Postroom that looks often and may use much: `provider_process.py worker|importer`.

As `python -m postroom.ops.processes`, with providers that are made for the fakes: a waiting session looks five times a
second, and a mailbox's allowance does not decide how long a test takes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from postroom.ops import processes
from postroom.providers import registry
from postroom.providers.gmail.oauth import GMAIL
from postroom.providers.gmail.provider import GmailProvider
from postroom.providers.guard import NetworkPolicy
from postroom.providers.oauth import oauth_endpoints
from postroom.providers.outlook.oauth import OUTLOOK
from postroom.providers.outlook.provider import OutlookProvider

PAGE_ITEMS = 20
POLL_SECONDS = 0.2
UNITS_A_MINUTE = 1_000_000


def main() -> int:
    policy = NetworkPolicy.from_environment(os.environ)
    gmail = GmailProvider(policy, endpoints=oauth_endpoints(os.environ, GMAIL), poll_seconds=POLL_SECONDS)
    gmail.capabilities = replace(gmail.capabilities, units_a_minute=UNITS_A_MINUTE)
    outlook = OutlookProvider(
        policy, endpoints=oauth_endpoints(os.environ, OUTLOOK), poll_seconds=POLL_SECONDS, page_items=PAGE_ITEMS
    )
    outlook.capabilities = replace(outlook.capabilities, units_a_minute=UNITS_A_MINUTE)
    registry.PROVIDERS.update({provider.name: provider for provider in (gmail, outlook)})
    return processes.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
