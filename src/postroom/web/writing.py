"""What a composer starts with: about which record, in answer to what, to whom, from where and why."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import Http404, QueryDict
from django.urls import reverse

from postroom.correspondence.models import Direction, Message
from postroom.filing.access import find_message
from postroom.filing.threads import ThreadMessage, thread_of
from postroom.mail.address import address_key
from postroom.mail.message import Address
from postroom.mailboxes.access import visible_mailboxes
from postroom.outbox.choice import choice_or_reason, sendable_addresses
from postroom.outbox.composition import reply_subject
from postroom.outbox.sender import Choice, NoChoice
from postroom.records.models import Contact, RecordType
from postroom.web.forms.compose import Whence, clean_html
from postroom.web.record_page import RecordPage, find_page
from postroom.web.writing_again import Unsent
from postroom.workspaces.members import Member

KINDS: Final = {RecordType.CONTACT.value: "contact", RecordType.DEAL.value: "deal"}  # records with a page


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why somebody writes: `page` is the record it is written from, `answered` the message it answers.

    `unsent` is a message that did not leave and is written again.
    """

    page: RecordPage | None
    answered: ThreadMessage | None
    to_all: bool = False
    unsent: Unsent | None = None

    @classmethod
    def find(cls, member: Member, query: QueryDict) -> Occasion:
        """From the address of the composer: contact=, deal=, reply=, all=, or again= alone.

        Http404 for what the member may not see.
        """
        if query.get("again"):
            return cls._of_unsent(member, Unsent.find(member, _id(query["again"])))
        page = next(
            (find_page(member, kind, _id(query.get(kind, ""))) for kind in ("contact", "deal") if query.get(kind)), None
        )
        answered = _find_answered(member, _id(query.get("reply", ""))) if query.get("reply") else None
        return cls(page, answered, to_all=query.get("all") == "1")

    @classmethod
    def _of_unsent(cls, member: Member, unsent: Unsent) -> Occasion:
        """The occasion of that time. A record or message that is gone since is left out: the text matters more."""
        submission, page, answered = unsent.submission, None, None
        if submission.record_id and submission.record_type in KINDS:
            with suppress(Http404):
                page = find_page(member, KINDS[submission.record_type], submission.record_id)
        if submission.in_reply_to:
            with suppress(Http404):
                answered = _find_answered(member, submission.in_reply_to)
        return cls(page, answered, unsent=unsent)

    @property
    def record_type(self) -> int | None:
        return self.page.record_type if self.page else None

    @property
    def record_id(self) -> UUID | None:
        return self.page.pk if self.page else None

    @property
    def message(self) -> Message | None:
        return self.answered.message if self.answered else None

    @property
    def back_url(self) -> str:
        return self.page.emails_url if self.page else reverse("home")

    @property
    def subject(self) -> str:
        if self.unsent is not None:
            return self.unsent.submission.subject
        return reply_subject(self.message.subject) if self.message else ""

    def choice(self, member: Member) -> Choice | NoChoice:
        """The address that is offered. A message written again leaves from where it was to leave, if that still may."""
        message_id = self.message.pk if self.message else None
        usual = choice_or_reason(member, self.record_type, self.record_id, message_id)
        if self.unsent is None:
            return usual
        wanted = Whence(self.unsent.submission.mailbox_id, self.unsent.submission.from_address)
        if isinstance(usual, Choice) and Whence(usual.mailbox_id, usual.address) == wanted:
            return usual
        earlier = choice_or_reason(
            member,
            self.record_type,
            self.record_id,
            message_id,
            mailbox_id=wanted.mailbox_id,
            from_address=wanted.address,
        )
        return earlier if isinstance(earlier, Choice) else usual

    def to(self) -> list[Address]:
        if self.unsent is not None:
            return self.unsent.to
        if self.answered is not None:
            return _answer_to(self.answered)
        if self.page is None:
            return []
        if isinstance(self.page.record, Contact):
            people = [self.page.record]
        else:
            people = list(self.page.record.contacts.prefetch_related("addresses").order_by("name")[:20])
        return [Address(row.address, person.name) for person in people for row in list(person.addresses.all())[:1]]

    def cc(self, member: Member) -> list[Address]:
        """For an answer to all: everybody of the message but us and those in To."""
        if self.unsent is not None:
            return self.unsent.cc
        if self.answered is None or not self.to_all:
            return []
        mailboxes = visible_mailboxes(member).prefetch_related("identities")
        known = {address_key(mailbox.address) for mailbox in mailboxes}
        known |= {address_key(identity.address) for mailbox in mailboxes for identity in mailbox.identities.all()}
        known |= {address.key for address in self.to()}
        others = (Address(one.address, one.name) for one in (*self.answered.to, *self.answered.cc) if one.address)
        return list({address.key: address for address in others if address.key not in known}.values())


def _answer_to(answered: ThreadMessage) -> list[Address]:
    """Whom an answer goes to: Reply-To, else From (RFC 5322 section 3.6.2); after our own message its recipients."""
    if answered.message.direction == Direction.OUT:
        people = answered.to
    else:
        people = answered.reply_to or answered.from_
    return [Address(one.address, one.name) for one in people if one.address]


def _find_answered(member: Member, message_id: UUID) -> ThreadMessage:
    message = find_message(member, message_id)
    if message is None:
        raise Http404
    return next(one for one in thread_of(member, message).messages if one.message.pk == message.pk)


def _id(text: Any) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise Http404 from None


@dataclass(frozen=True, slots=True)
class Sender:
    """An option of From; `body` is what a new message from there begins with, as HTML."""

    value: str
    label: str
    body: str


def senders(member: Member) -> list[Sender]:
    """The addresses offered as From: those of a mailbox beside its own say whose they are."""
    offered = sendable_addresses(member)
    own = {one.mailbox_id: one.address for one in offered if not one.is_alias}
    return [
        Sender(
            value=str(Whence(one.mailbox_id, one.address if one.is_alias else "")),
            label=f"{one.address} ({own[one.mailbox_id]})" if one.is_alias else one.address,
            body=signed(one.signature),
        )
        for one in offered
    ]


def signed(signature: str) -> str:
    """What a new message begins with: room to write, and the signature; "" where there is none."""
    clean = clean_html(signature).strip()
    return f"<p></p>{clean}" if clean else ""


def offered_value(choice: Choice | NoChoice, offered: list[Sender]) -> str:
    """The option that a choice is; "" for none."""
    if not isinstance(choice, Choice):
        return ""
    values = {one.value for one in offered}
    alias = str(Whence(choice.mailbox_id, choice.address))
    return alias if alias in values else str(choice.mailbox_id)
