"""What calls of the Gmail API cost, in quota units.

Prices of projects made since 2026-05-01, which every new registration of Postroom is: 6,000 units a minute for each
user. Older projects pay less for some and are none the worse for it (developers.google.com/gmail/api/reference/quota).
A batch costs what its parts cost.
"""

from __future__ import annotations

from typing import Final

A_MINUTE: Final = 6_000  # for each user

MESSAGES_GET: Final = 20
MESSAGES_LIST: Final = 5
MESSAGES_INSERT: Final = 25
THREADS_GET: Final = 40
HISTORY_LIST: Final = 2
LABELS_LIST: Final = 1
PROFILE_GET: Final = 1
SEND: Final = 100
DRAFTS_CREATE: Final = 10
DRAFTS_GET: Final = 20
DRAFTS_LIST: Final = 5
DRAFTS_DELETE: Final = 10
SEND_AS_LIST: Final = 1
WATCH: Final = 100
STOP: Final = 50
