"""What a mailbox's page shows of its proof of completeness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.mailboxes.access import manageable_mailboxes
from postroom.mailboxes.actions import Action, offered
from postroom.mailboxes.completeness import Counts, FolderProof, proofs_of
from postroom.mailboxes.models import Keep, Mailbox
from postroom.workspaces.members import Member

_ROLES = {"inbox": 0, "sent": 1, "archive": 2}


@dataclass(frozen=True, slots=True)
class ProofPanel:
    """The counted folders of a mailbox in the order people know, and their sum."""

    mailbox: Mailbox
    folders: Sequence[FolderProof]
    can_count: bool

    @property
    def counts(self) -> Counts:
        return sum((proof.counts for proof in self.folders), start=Counts())

    @property
    def counted(self) -> bool:
        return any(proof.months for proof in self.folders)

    @property
    def waiting(self) -> int:
        """How many months of all folders are not counted yet: nothing is said to be complete before."""
        return sum(proof.waiting for proof in self.folders)

    @property
    def keeps_records_only(self) -> bool:
        return self.mailbox.keep == Keep.RECORDS


def proof_panel(member: Member, mailbox: Mailbox) -> ProofPanel:
    folders = sorted(
        proofs_of(mailbox), key=lambda proof: (_ROLES.get(proof.folder.role, 3), str(proof.folder).lower())
    )
    can_count = manageable_mailboxes(member).filter(pk=mailbox.pk).exists()
    return ProofPanel(mailbox, folders, can_count and Action.COUNT in offered(mailbox))
