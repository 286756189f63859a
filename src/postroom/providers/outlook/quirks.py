"""What Graph does otherwise than one would think, each with who saw it.

1. MAPI properties come back under another spelling of their id: asked for "Integer 0x0E08", Graph answers
   "Integer 0xe08" (as tests and scripts of some dozen public projects have it).
2. A delta that is to expand MAPI properties fails: 500 InternalServerError "Value cannot be null. Parameter name: type"
   (microsoftgraph/microsoft-graph-docs#1993, #2270; msgraph-sdk-dotnet#2678 of 2024). So a listing has no sizes; which
   messages are large is asked for beside it, and how large a new one is as well.
3. An update by delta shows what changed and not what was selected: toggled as read, a message comes as id, isRead and
   parentFolderId (microsoft-graph-docs#7776). The rest is asked for.
4. `internetMessageHeaders` is missing on sent mail (microsoft-graph-docs#2716, #18761): header_block.py has properties
   instead.
5. Delta of folders tells of folders, not of what is in them (microsoft-graph-docs#6576): each is asked about itself.
"""

from __future__ import annotations


def same_property(one: str, other: str) -> bool:
    """Whether two ids name the same MAPI property: the type in any case, the number in any spelling (1)."""
    return _key(one) == _key(other)


def _key(property_id: str) -> tuple[str, int | str]:
    kind, _, number = property_id.strip().lower().partition(" ")
    try:
        return kind, int(number, 16)
    except ValueError:
        return kind, number
