"""Messages of a folder by what stands in their headers.

$filter compares a Message-ID and knows no recipients; $search finds by people and words, from an index that is some
seconds behind, and tells no more than 1,000 (graph/search-query-parameter).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from postroom.providers.base import FetchedHeader, Sought
from postroom.providers.outlook.fetching import fetch_headers, find_by_message_id
from postroom.providers.outlook.graph import Graph
from postroom.providers.outlook.requests import search_messages
from postroom.providers.outlook.responses import values

PAGE_ITEMS: Final = 50
_NOT_WORDS = re.compile(r'["\\*\x00-\x1f\x7f]+')  # what KQL would read as more than letters within a phrase


async def search(graph: Graph, remote_name: str, sought: Sought, most: int) -> list[FetchedHeader]:
    """The headers of what was sought, newest first, `most` at most. Raises FolderGone."""
    found: list[FetchedHeader] = []
    if sought.internet_message_id:
        remote_ids = await find_by_message_id(graph, remote_name, sought.internet_message_id)
        found += await _fitting(graph, remote_name, remote_ids, sought)
    else:
        async for page in graph.pages(search_messages(graph.mailbox, remote_name, in_words(sought), PAGE_ITEMS)):
            remote_ids = [str(one["id"]) for one in values(page)]
            found += await _fitting(graph, remote_name, remote_ids, sought)
            if len(found) >= most:
                break
    return sorted(found, key=lambda header: header.received_at, reverse=True)[:most]


def in_words(sought: Sought) -> str:
    """An address or a subject, with the days, as a query in KQL (purview/edisc-keyword-query)."""
    name, text = ("participants", sought.address) if sought.address else ("subject", sought.subject)
    words = [f'{name}:"{_NOT_WORDS.sub(" ", text).strip()}"']
    if sought.since:
        words.append(f"received>={sought.since.isoformat()}")
    if sought.before:
        words.append(f"received<={(sought.before - timedelta(days=1)).isoformat()}")
    return " AND ".join(words)


async def _fitting(graph: Graph, remote_name: str, remote_ids: list[str], sought: Sought) -> list[FetchedHeader]:
    return [header for header, _ in await fetch_headers(graph, remote_name, remote_ids) if sought.fits(header)]
