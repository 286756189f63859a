"""The tables of mailboxes."""

from postroom.mailboxes.models.folder import Folder, FolderMonth, ImportSlice
from postroom.mailboxes.models.mailbox import (
    DirectionState,
    Identity,
    Keep,
    Kind,
    Mailbox,
    MailboxMember,
    Sharing,
    Usage,
    as_facts,
    mailbox_topic,
)
from postroom.mailboxes.models.permission import Grant, Journey, OAuthApp
from postroom.mailboxes.models.running import HealthDay, JournalEntry, MailboxAllowance, PushWatch, Worker

__all__ = [
    "DirectionState",
    "Folder",
    "FolderMonth",
    "Grant",
    "HealthDay",
    "Identity",
    "ImportSlice",
    "JournalEntry",
    "Journey",
    "Keep",
    "Kind",
    "Mailbox",
    "MailboxAllowance",
    "MailboxMember",
    "OAuthApp",
    "PushWatch",
    "Sharing",
    "Usage",
    "Worker",
    "as_facts",
    "mailbox_topic",
]
