"""Everything that can go wrong between Postroom and a mail server, as one tree.

ProviderError
├── NeedsReconnect       the grant is refused: only its owner can mend it           → stop, ask to reconnect
│   └── SignInRefused
├── NeedsAdministrator   somebody with more rights must allow it                    → stop, say who
├── WrongSettings        host, port, encryption or certificate do not fit           → stop, show the form
├── Unreachable          no name, no route, no answer, connection lost              → back off, try again
├── Throttled            the server asks for patience (`retry_after_seconds`)       → wait that long
│   └── AllowanceUsed    what the provider allows is used up: nothing was asked     → wait that long, tell nobody
├── ListingExpired       the cursor means nothing any more                          → list in full
├── FolderGone           the folder was deleted or cannot be opened                 → list the folders anew
├── TooMuch              the messages asked for do not fit into memory together     → fetch each by way of the disk
├── MessageGone          the message was expunged before it was fetched             → skip it
├── Refused              the server understood and said no, for good                → show
├── InDoubt              the message may have been accepted: nobody knows           → look before sending again
├── ProtocolViolation    the server's bytes make no sense or break our limits       → drop the connection, back off
├── Unsupported          this provider cannot do that                               → never offered
└── StorageFull          our own disk has no room for what came                     → save nothing, look every minute

The class decides the reaction; `code` names one entry of `providers/catalogue/`, which holds the words
for people. `server_words` is what the server said, kept for the fold "the server's words".
"""

from __future__ import annotations

from postroom.sync.remote import CursorExpired, FolderClosed, TooMuchAtOnce


def printable(words: str) -> str:
    """A stranger's words as a row, a log and a terminal can hold them: on one line, without controls and lone
    surrogates."""
    if words.isprintable():
        return words
    return " ".join("".join(one if one.isprintable() else " " for one in words).split())


class ProviderError(Exception):
    """Something between Postroom and a mail server went wrong."""

    default_code = "provider_error"

    def __init__(
        self,
        code: str = "",
        *,
        server_words: str = "",
        retry_after_seconds: float | None = None,
        **facts: object,
    ) -> None:
        self.code = code or self.default_code
        self.server_words = printable(server_words)
        self.retry_after_seconds = retry_after_seconds
        self.facts = facts  # fill the catalogue's sentences: host, port, address …
        super().__init__(self.code + (f": {self.server_words}" if server_words else ""))


class NeedsReconnect(ProviderError):
    """The permission to use the mailbox is refused."""

    default_code = "needs_reconnect"


class SignInRefused(NeedsReconnect):
    """The server refused the user name or the password."""

    default_code = "sign_in_refused"


class NeedsAdministrator(ProviderError):
    """Somebody with more rights has to allow it."""

    default_code = "needs_administrator"


class WrongSettings(ProviderError):
    """Host, port, encryption or certificate do not fit."""

    default_code = "wrong_settings"


class Unreachable(ProviderError):
    """The server cannot be reached, or the connection was lost."""

    default_code = "unreachable"


class Throttled(ProviderError):
    """The server asks for patience."""

    default_code = "throttled"


class AllowanceUsed(Throttled):
    """What the provider allows a mailbox a minute is used up; it was not asked."""

    default_code = "allowance_used"


class ListingExpired(ProviderError, CursorExpired):
    """The cursor means nothing to the server any more."""

    default_code = "listing_expired"


class FolderGone(ProviderError, FolderClosed):
    """The folder cannot be opened."""

    default_code = "folder_gone"


class TooMuch(ProviderError, TooMuchAtOnce):
    """The messages that were asked for at once are more than is held in memory."""

    default_code = "flood"


class MessageGone(ProviderError):
    """The message was expunged before it was fetched."""

    default_code = "message_gone"


class Refused(ProviderError):
    """The server understood and said no, for good."""

    default_code = "refused"


class InDoubt(ProviderError):
    """The message may have been accepted; the server never said."""

    default_code = "in_doubt"


class ProtocolViolation(ProviderError):
    """The server's bytes make no sense, or break the limits."""

    default_code = "protocol_violation"


class Unsupported(ProviderError):
    """This provider cannot do that."""

    default_code = "unsupported"


class StorageFull(ProviderError):
    """Our own disk or database has no room: nothing was saved, no cursor moved."""

    default_code = "storage_full"
