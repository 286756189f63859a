"""What the audit log says of each act: the words between who did it and what it was done to."""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "app.removed": "removed the app",
    "app.saved": "saved the app",
    "approval.asked": "asked to connect",
    "approval.granted": "allowed to connect",
    "approval.refused": "refused to let connect",
    "approval.withdrawn": "no longer asks to connect",
    "company.added": "added the company",
    "company.changed": "changed the company",
    "company.deleted": "deleted the company",
    "connect_policy.changed": "changed who may connect what:",
    "contact.added": "added the contact",
    "contact.changed": "changed the contact",
    "contact.deleted": "deleted the contact",
    "deal.added": "added the deal",
    "deal.changed": "changed the deal",
    "deal.deleted": "deleted the deal",
    "mailbox.changed": "changed the settings of",
    "mailbox.connected": "connected",
    "mailbox.disconnected": "disconnected",
    "mailbox.extended": "had more history imported:",
    "mailbox.folders_chosen": "chose the folders of",
    "mailbox.handed_over": "gave a mailbox to somebody else:",
    "mailbox.import_started": "began the import of",
    "mailbox.mass_deletion.remove": "confirmed that messages were deleted:",
    "mailbox.mass_deletion.wait": "said that messages should come back:",
    "mailbox.paused": "paused",
    "mailbox.reconnected": "reconnected",
    "mailbox.renumbered_often.read_again": "had a folder read again:",
    "mailbox.removed": "disconnected, and did not keep the history of",
    "mailbox.resumed": "let go on",
    "mailbox.tested": "tested the connection of",
    "member.added": "added the member",
    "member.left": "took off the workspace",
    "member.mail_cancelled": "cancelled the queued mail of",
    "member.password_changed": "set a new password for",
    "submission.cancelled": "took back the message",
    "submission.dismissed": "closed the failed message",
    "submission.marked_as_sent": "marked as sent the message",
    "submission.sent_again": "sent again the message",
    "token.created": "made the API token",
    "token.revoked": "revoked the API token",
    "workspace.created": "made the workspace",
    "workspace.default_chosen": "changed the workspace's default mailbox:",
    "workspace.default_ended": "ended the workspace's default mailbox",
}


def sentence(action: str) -> str:
    """The words of an act; an act of another version is told by its name."""
    return WORDS.get(action, action.replace(".", " ").replace("_", " "))
