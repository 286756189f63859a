"""Why a message is where it is, in a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from postroom.correspondence.models import Message
from postroom.filing.details import FiledOn, name_filings
from postroom.filing.models import Filing, Reason
from postroom.workspaces.members import Member


@dataclass(frozen=True, slots=True)
class Why:
    """One record a message is on, and the reason."""

    filing_id: UUID
    record_type: int
    record_id: UUID
    record_name: str
    reason: str
    sentence: str


def why(member: Member, message: Message) -> list[Why]:
    """Every record the message is on, in the order it got there. The message must have been found for the member."""
    filings = Filing.objects.filter(workspace_id=member.workspace_id, message_id=message.pk, removed_by_id=None)
    return [_explain(filed) for filed in name_filings(filings.order_by("pk"))]


def _explain(filed: FiledOn) -> Why:
    filing = filed.filing
    return Why(filing.pk, filing.record_type, filing.record_id, filed.record_name, filing.reason, _sentence(filed))


def _sentence(filed: FiledOn) -> str:
    name = filed.record_name
    match filed.reason:
        case Reason.ADDRESS:
            return f"{filed.address} is an address of {name}."
        case Reason.THREAD:
            return f"It belongs to a thread that is on {name}."
        case Reason.SENT_FROM_RECORD:
            return f"It was sent from {name}."
        case Reason.MANUAL:
            return f"Somebody put it on {name} by hand."
        case _:
            return f"It is on {name}: {Reason(filed.reason).label}."
