"""`bin/up --demo`: a filled workspace and a sandbox mailbox whose customers answer after a few seconds.

The mail is real to every part of Postroom: it lies in a memory-provider mailbox on disk and is imported, filed and
answered like any other. Loading twice changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction

from postroom.filing.people import add_contact, add_deal
from postroom.mailboxes.connect import ConnectRequest, store_mailbox
from postroom.providers.base import Credentials
from postroom.providers.memory.disk import write_people
from postroom.providers.memory.server import MemoryServer, Person, server_for
from postroom.records.models import Contact, RecordType, Stage
from postroom.records.notes import add_note
from postroom.workspaces import setup
from postroom.workspaces.members import Member

EMAIL: Final = "alice@tidewater.example"
PASSWORD: Final = "spare-batteries-21"  # printed at the start: the demo is for one machine  # noqa: S105
ADDRESS: Final = "sales@tidewater.example"
NAME: Final = "Tidewater Bikes"

PEOPLE: Final = (
    Person(
        "Katrin Voss",
        "katrin.voss@lagerhaus-nord.example",
        (
            "Hello Alice,\n\nthank you, that is what we need. I will sign tomorrow morning.\n\nBest regards\nKatrin",
            "Perfect. One question: can the spare batteries come with the first delivery?\n\nKatrin",
        ),
    ),
    Person(
        "Jonas Petersen",
        "jonas.petersen@lagerhaus-nord.example",
        ("Hello,\n\nleasing over 36 months fits our budget. Please send the contract.\n\nJonas Petersen",),
        after_seconds=8,
    ),
    Person(
        "Mira Okafor",
        "mira@fjordpost.example",
        ("Thanks for the quick answer! The couriers are happy already.\n\nMira",),
        after_seconds=4,
    ),
    Person("Élodie Dubois", "elodie.dubois@velo-rhone.example", ("Bonjour,\n\nmerci, c'est noté.\n\nÉlodie",)),
)


@dataclass(frozen=True, slots=True)
class Mail:
    """One message of the demo's past. `who` indexes PEOPLE; a thread is told apart by its subject."""

    who: int
    is_ours: bool
    days_ago: float
    subject: str
    text: str
    html: str = ""
    attachment: str = ""


PAST: Final = (
    Mail(
        0,
        True,
        6.8,
        "Offer for 12 cargo bikes, Hamburg depot",
        "Dear Katrin,\n\nas promised the offer for twelve Longtail 3, with the charging room as an option.",
    ),
    Mail(
        0,
        False,
        5.1,
        "Offer for 12 cargo bikes, Hamburg depot",
        "Hello Alice,\n\nthank you. The board meets on Tuesday. Can you revise the price for twelve?\n\nKatrin",
    ),
    Mail(
        0,
        True,
        1.4,
        "Offer for 12 cargo bikes, Hamburg depot",
        "Hi Katrin,\n\nhere is the revised version: 3,200 EUR a bike for twelve; delivery in week 22.",
    ),
    Mail(
        0,
        False,
        0.2,
        "Offer for 12 cargo bikes, Hamburg depot",
        "Hello Alice,\n\nthank you for the quick revision. The board said yes. Two things before I sign:\n"
        "delivery in week 21 instead of 22, and 4 spare batteries instead of 2.\n\nBest regards\nKatrin",
        "<p>Hello Alice,</p><p>thank you for the quick revision. The board said yes. Two things before I sign:"
        "</p><table border='1' cellpadding='6'><tr><th>Item</th><th>In your offer</th><th>We need</th></tr><tr><td>"
        "Delivery to Hamburg-Veddel</td><td>week 22</td><td>week 21</td></tr><tr><td>Spare batteries</td><td>2</td>"
        "<td>4</td></tr></table><p>If week 21 works I can sign tomorrow morning. The site plan is attached.</p>"
        "<p>Best regards<br>Katrin</p><img src='https://track.lagerhaus-nord.example/open.gif' width='1' height='1'>",
        "Charging room Veddel.pdf",
    ),
    Mail(
        1,
        False,
        9.3,
        "Leasing or purchase?",
        "Hello,\n\nKatrin asked me to clarify the tax side. Is leasing over 36 months possible?\n\nJonas Petersen",
    ),
    Mail(
        1,
        True,
        9.0,
        "Leasing or purchase?",
        "Dear Jonas,\n\nyes, with our partner bank. I attach the conditions.\n\nAlice",
        "",
        "Leasing conditions.pdf",
    ),
    Mail(
        2,
        False,
        3.6,
        "Rear brake squeals after 200 km",
        "Hi,\n\nfour of the test bikes squeal when braking in the wet. Can somebody look at them?\n\nMira",
    ),
    Mail(
        2,
        True,
        3.2,
        "Rear brake squeals after 200 km",
        "Hello Mira,\n\nthis is the pad compound; we send another set today.\n\nAlice",
    ),
    Mail(2, False, 2.9, "Rear brake squeals after 200 km", "Great, thank you!\n\nMira"),
    Mail(
        3,
        False,
        14.2,
        "Essai du Longtail 3 à Lyon",
        "Bonjour,\n\nnous aimerions essayer le Longtail 3 à Lyon la semaine prochaine. Est-ce possible ?\n\nÉlodie",
    ),
    Mail(
        3,
        True,
        13.8,
        "Essai du Longtail 3 à Lyon",
        "Bonjour Élodie,\n\nbien sûr. Mardi à 10 h, 12 quai Perrache ?\n\nAlice",
    ),
)


@transaction.atomic
def load() -> None:
    """Make the demo's workspace, mail and records, unless they are there."""
    if not setup.is_open():
        return
    member = setup.create_workspace(NAME, EMAIL, "Alice Moreau", PASSWORD)
    folder = Path(settings.DATA) / "sandbox"
    _write_past(folder)
    contacts = _add_records(member)
    add_note(
        member,
        RecordType.CONTACT,
        contacts[0].pk,
        "Decides together with Jonas (CFO). Budget is released until the end of the month.",
    )
    store_mailbox(
        member,
        ConnectRequest(
            provider="memory",
            address=ADDRESS,
            display_name=NAME,
            kind="shared",
            usage="sales",
            secrets={"folder": str(folder)},
        ),
    )


def _add_records(member: Member) -> list[Contact]:
    contacts = [add_contact(member, person.name, [person.address]) for person in PEOPLE[:3]]
    add_deal(member, "12 cargo bikes, Hamburg", [contacts[0].pk, contacts[1].pk], stage=Stage.OFFER)
    add_deal(member, "Courier fleet, Bergen", [contacts[2].pk], stage=Stage.NEW)
    return contacts


def _write_past(folder: Path) -> None:
    write_people(folder, [asdict(person) for person in PEOPLE])
    server = server_for(Credentials(address=ADDRESS, secrets={"folder": str(folder)}))
    last: dict[str, list[str]] = {}
    now = datetime.now(UTC)
    for mail in sorted(PAST, key=lambda one: -one.days_ago):
        _deliver(server, mail, now - timedelta(days=mail.days_ago), last.setdefault(mail.subject, []))


def _deliver(server: MemoryServer, mail: Mail, at: datetime, references: list[str]) -> None:
    person = PEOPLE[mail.who]
    ours, theirs = formataddr((NAME, ADDRESS)), formataddr((person.name, person.address))
    domain = (ADDRESS if mail.is_ours else person.address).partition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = (ours, theirs) if mail.is_ours else (theirs, ours)
    message["Subject"] = f"Re: {mail.subject}" if references else mail.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{mail.days_ago}.{mail.who}@{domain}>"
    if references:
        message["In-Reply-To"] = references[-1]
        message["References"] = " ".join(references)
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    if mail.attachment:
        message.add_attachment(b"%PDF-1.4\n%%EOF\n", maintype="application", subtype="pdf", filename=mail.attachment)
    references.append(message["Message-ID"])
    if mail.is_ours:
        server.deliver(ADDRESS, message.as_bytes(), folder="Sent", flags=("\\Seen",), received_at=at)
    else:
        server.deliver(ADDRESS, message.as_bytes(), received_at=at)
