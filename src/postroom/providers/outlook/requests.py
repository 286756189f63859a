"""What is asked of Microsoft Graph, as values: nothing here speaks HTTP.

Property names are those of @microsoft/microsoft-graph-types (message, mailFolder); what Graph has no property for is
asked as a MAPI property (MS-OXPROPS) by `singleValueExtendedProperties`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from postroom.providers.base import Credentials

# Ids that stay when a message is moved, on every call: an id of the other kind is another name for the same message
# (learn.microsoft.com/graph/outlook-immutable-id).
IMMUTABLE_IDS = 'IdType="ImmutableId"'
BATCH_PATH = "/$batch"  # of GETs only
BATCH_PARTS = 20  # learn.microsoft.com/graph/json-batching
PAGE_ITEMS = 500

_SAFE = "(),'=$:/"  # of what RFC 3986 allows in a query, what OData is written with

About = Literal["mailbox", "folder", "message", "sending"]

SIZE = "Integer 0x0E08"  # PidTagMessageSize: octets in the store, some per cent off those of the MIME text
REFERENCES = "String 0x1039"  # PidTagInternetReferences
IN_REPLY_TO = "String 0x1042"  # PidTagInReplyToId


@dataclass(frozen=True, slots=True)
class Fields:
    """What is asked of each message: its properties, MAPI properties, and how many messages a page may have then."""

    properties: tuple[str, ...]
    mapi: tuple[str, ...]
    most_items: int = PAGE_ITEMS

    @property
    def options(self) -> dict[str, str]:
        return {"select": ",".join(self.properties), "expand": extended(*self.mapi)}


# What a listing tells, and what decides whether a message is wanted.
LISTED = Fields(("id", "receivedDateTime", "isRead", "isDraft", "flag", "categories"), (SIZE,))
DECIDING = Fields(
    (
        *LISTED.properties,
        "internetMessageId",
        "internetMessageHeaders",
        "subject",
        "from",
        "sender",
        "toRecipients",
        "ccRecipients",
        "bccRecipients",
        "replyTo",
        "sentDateTime",
    ),
    (SIZE, REFERENCES, IN_REPLY_TO),
    most_items=100,  # a header has ten kilobytes at times
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is below the address of the API and has its query; `about` says what a 404 means.

    The answer to one that `is_paged` comes in pages, of as many items as are preferred.
    """

    method: str
    path: str
    about: About = "mailbox"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_paged: bool = False
    json: Any = None
    content: bytes | None = field(default=None, repr=False)

    @property
    def only_reads(self) -> bool:
        """Whether it may be made twice without harm."""
        return self.method == "GET" or self.path == BATCH_PATH

    @property
    def units(self) -> int:
        """How many requests Graph counts it as: the parts of a batch, each."""
        return len(self.json["requests"]) if self.path == BATCH_PATH else 1

    def all_headers(self, page_items: int) -> dict[str, str]:
        """With what every call prefers."""
        preferences = (IMMUTABLE_IDS, f"odata.maxpagesize={page_items}") if self.is_paged else (IMMUTABLE_IDS,)
        return {"Prefer": ", ".join(preferences), **self.headers}


def mailbox_path(credentials: Credentials) -> str:
    """Where the mailbox lies: a shared one is not that of who signed in."""
    return f"/users/{segment(credentials.address)}" if is_shared(credentials) else "/me"


def is_shared(credentials: Credentials) -> bool:
    signed_in = credentials.sign_in_user.strip().lower()
    return bool(signed_in) and signed_in != credentials.address.strip().lower()


def segment(text: str) -> str:
    """One part of a path. Nothing in it leads elsewhere: "." and ".." are quoted as well."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def with_query(path: str, **options: str) -> str:
    """The path with OData options: `select="id"` becomes `?$select=id`."""
    return f"{path}?{'&'.join(f'${name}={quote(value, safe=_SAFE)}' for name, value in options.items())}"


def extended(*properties: str) -> str:
    """The `$expand` of MAPI properties."""
    return f"singleValueExtendedProperties($filter={' or '.join(f'id eq {text(one)}' for one in properties)})"


def text(value: str) -> str:
    """A string in an OData expression (OASIS OData 4.01, 5.1.1.6.1: a quote is doubled)."""
    return "'" + value.replace("'", "''") + "'"


def folder_path(mailbox: str, remote_name: str) -> str:
    return f"{mailbox}/mailFolders/{segment(remote_name)}"


def message_path(mailbox: str, remote_id: str) -> str:
    return f"{mailbox}/messages/{segment(remote_id)}"


def get_folder(mailbox: str, remote_name: str, select: str = "id") -> Call:
    return Call("GET", with_query(folder_path(mailbox, remote_name), select=select), "folder")


def first_folder_delta(mailbox: str) -> Call:
    path = with_query(f"{mailbox}/mailFolders/delta", select="id,displayName,parentFolderId,isHidden")
    return Call("GET", path, is_paged=True)


def first_message_delta(mailbox: str, remote_name: str) -> Call:
    """Everything a folder holds; its last page has the link to ask for changes with.

    Without sizes: a delta that is to expand them fails (quirks.py).
    """
    path = with_query(
        f"{folder_path(mailbox, remote_name)}/messages/delta",
        select=",".join(LISTED.properties),
        orderby="receivedDateTime desc",
    )
    return next_delta(path)


def next_delta(path: str) -> Call:
    """A page that a link leads to: the options of the first call are in the link, the page's length is not."""
    return Call("GET", path, "folder", is_paged=True)


def list_between(mailbox: str, remote_name: str, since: str, before: str, fields: Fields, page_items: int) -> Call:
    """The messages that arrived in [since, before), both as Graph writes times; "" for no bound. Newest first."""
    bounds = [f"receivedDateTime {operator} {moment}" for operator, moment in (("ge", since), ("lt", before)) if moment]
    path = with_query(
        f"{folder_path(mailbox, remote_name)}/messages",
        filter=" and ".join(bounds),
        orderby="receivedDateTime desc",
        top=str(min(page_items, fields.most_items)),
        **fields.options,
    )
    return Call("GET", path, "folder")


def list_larger(mailbox: str, remote_name: str, octets: int, page_items: int) -> Call:
    """The messages of more octets than that, with their sizes (graph/api/singlevaluelegacyextendedproperty-get)."""
    path = with_query(
        f"{folder_path(mailbox, remote_name)}/messages",
        filter=f"singleValueExtendedProperties/any(ep:ep/id eq {text(SIZE)} and cast(ep/value, Edm.Int32) gt {octets})",
        select="id",
        expand=extended(SIZE),
        top=str(page_items),
    )
    return Call("GET", path, "folder")


def get_message(mailbox: str, remote_id: str, fields: Fields) -> Call:
    return Call("GET", with_query(message_path(mailbox, remote_id), **fields.options), "message")


def get_mime(mailbox: str, remote_id: str) -> Call:
    return Call("GET", f"{message_path(mailbox, remote_id)}/$value", "message")


def search_messages(mailbox: str, remote_name: str, words: str, page_items: int) -> Call:
    """The messages of a folder that a query in KQL finds, by when they were sent, the newest first; 1,000 at most.

    $search stands alone: with $filter or $orderby it is refused (graph/search-query-parameter). Its value is a string
    in quotes, so quotes within are escaped.
    """
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    path = with_query(
        f"{folder_path(mailbox, remote_name)}/messages", search=f'"{escaped}"', select="id", top=str(page_items)
    )
    return Call("GET", path, "folder")


def find_by_message_id(mailbox: str, remote_name: str, internet_message_id: str) -> Call:
    path = with_query(
        f"{folder_path(mailbox, remote_name)}/messages",
        filter=f"internetMessageId eq {text(internet_message_id)}",
        select="id,internetMessageId",
    )
    return Call("GET", path, "folder")
