"""A workspace with something of everything, for the screenshots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from postroom.correspondence.models import Message
from postroom.engine.journal import Kind
from postroom.filing.people import add_contact, add_deal
from postroom.mailboxes.journal import note
from postroom.mailboxes.models import Folder, Mailbox
from postroom.mailboxes.pause import pause
from postroom.outbox.models import State, Submission
from postroom.records.models import Company, Contact, Deal, RecordType
from postroom.records.notes import add_note
from postroom.workspaces.members import Member
from tests.cast import make_cast, make_mailbox
from tests.e2e.sample_apps import allow, make_apps, make_journeys
from tests.e2e.sample_connecting import make_months, make_requests, make_tests, make_waiting
from tests.e2e.sample_health import make_days
from tests.web.correspondence import Letter, put

KATRIN = ("Katrin Voss", "katrin.voss@lagerhaus-nord.example")
JONAS = ("Jonas Petersen", "jonas.petersen@lagerhaus-nord.example")
SALES = ("Tidewater", "sales@tidewater.example")

REPLY = """<p>Hello Alice,</p>
<p>thank you for the quick revision. The board said yes to twelve. Two things before I sign:</p>
<table><tr><th>Item</th><th>In your offer</th><th>We need</th></tr>
<tr><td>Delivery to Hamburg-Veddel</td><td>week 22</td>
<td>week 21</td></tr><tr><td>Spare batteries</td><td>2</td><td>4</td></tr></table>
<p>If week 21 works I can sign tomorrow morning. The site plan for the charging room is attached.</p>
<p>Best regards<br>Katrin</p><img src="https://tracker.example/open.gif">
<img src="https://tracker.example/logo.png">
<blockquote type="cite">
<p>On 21 April 2026 at 17:48, Alice Moreau wrote:</p><p>Hi Katrin, Bob is away this week.</p></blockquote>"""
NEWSLETTER = """<div style="background-color: #0b3d2e; padding: 24px; color: #fff">
<h1 style="color: #fff">Spring at the depot</h1>
<p>Three routes, one charger.</p></div><p style="color: #222">Read on to learn what changed in May.</p>"""


@dataclass(frozen=True, slots=True)
class Sample:
    alice: Member
    katrin: Contact
    deal: Deal
    opened: Message
    designed: Message


def make_sample(imaps: int) -> Sample:
    """Fill an empty database; gives what the addresses of the pages need. `imaps` is the port of an IMAP server."""
    cast = make_cast()
    make_apps(cast.alice)
    sales = make_mailbox(cast.alice, "sales@tidewater.example", provider="gmail")
    support = make_mailbox(cast.alice, "support@tidewater.example", provider="imap")
    billing = make_mailbox(cast.alice, "billing@tidewater.example", provider="outlook")
    allow(sales, billing)
    make_journeys(cast.alice)
    _settle(sales, support, billing)
    _follow(sales, billing)
    make_days(sales, support, billing)
    pause(cast.alice, make_mailbox(cast.alice, "rentals@tidewater.example", provider="imap"))
    opened, designed = _write_letters(sales)
    company = Company.objects.create(workspace=cast.alice.workspace, name="Lagerhaus Nord")
    katrin = add_contact(
        cast.alice,
        KATRIN[0],
        [KATRIN[1], "kv@nordfleet.example"],
        title="Head of Fleet",
        phone="+49 40 5550 0142",
        company=company,
    )
    jonas = add_contact(cast.alice, JONAS[0], [JONAS[1]], company=company)
    for name in ("Meike Ohlsen", "Tomás Ferreira", "李小龙", "Oldmill <b>Bakery</b>"):
        add_contact(
            cast.alice,
            name,
            [f"{name.split()[0].lower() if name.isascii() else 'person'}{len(name)}@fjordpost.example"],
        )
    deal = add_deal(cast.alice, "12 cargo bikes, Hamburg depot", [katrin.pk, jonas.pk], "offer", company.pk)
    for name, stage in (("Trailer pilot", "new"), ("Campus delivery", "negotiation"), ("Fleet of 5, used", "won")):
        add_deal(cast.alice, name, [], stage)
    add_note(
        cast.bob,
        RecordType.CONTACT,
        katrin.pk,
        "Decides together with Jonas (CFO). Budget is released until the end of April.",
    )
    _write_submissions(cast.alice, sales, katrin)
    make_waiting(cast, imaps)
    make_mailbox(cast.bob, "bob.lindqvist@tidewater.example", kind="personal", provider="imap")
    make_requests(cast)
    make_months(sales)
    make_tests(cast, sales, katrin)
    return Sample(cast.alice, katrin, deal, opened, designed)


def _settle(sales: Mailbox, support: Mailbox, billing: Mailbox) -> None:
    now = timezone.now()
    for mailbox in (sales, support, billing):
        mailbox.last_synced_at, mailbox.last_received_at = now - timedelta(seconds=9), now - timedelta(minutes=20)
        mailbox.last_sent_at = now - timedelta(hours=16)
        mailbox.import_started_at = now - timedelta(minutes=5)
        mailbox.listed_count, mailbox.done_count, mailbox.kept_count, mailbox.filed_count = 14208, 14208, 14208, 6311
        mailbox.import_planned_at = mailbox.import_finished_at = now
    support.import_finished_at = None
    support.listed_count, support.done_count, support.kept_count, support.filed_count = 20400, 12640, 4118, 3902
    billing.needs_reconnect, billing.error_code, billing.error_at = True, "grant_revoked", now - timedelta(hours=1)
    billing.error_words = "invalid_grant: AADSTS50173: The provided grant has expired due to it being revoked."
    billing.error_facts, billing.sign_in_state = {"provider": "Microsoft"}, "failing"
    support.import_planned_at = support.import_started_at
    billing.failures, billing.failing_since = 3, billing.error_at
    support.sending_state, support.sending_code = "failing", "needs_administrator"
    support.sending_facts, support.sending_failing_since = {"host": "smtp.tidewater.example"}, now - timedelta(hours=3)
    billing.not_before = now + timedelta(minutes=12)
    for mailbox in (sales, support, billing):
        mailbox.save()


def _follow(sales: Mailbox, billing: Mailbox) -> None:
    """Folders, two of them with a question, and what was done with the mailbox."""
    now = timezone.now()
    since = (now - timedelta(days=30)).date()
    for name, more in {
        "INBOX": {"role": "inbox"},
        "Sent": {"role": "sent"},
        "Archive": {
            "role": "archive",
            "held_code": "mass_deletion",
            "held_facts": {"gone": 142, "known": 300},
            "held_at": now - timedelta(hours=2),
        },
        "Projects/Hamburg depot, charging room and everything that belongs to it": {},
        "Projects/2019": {"is_chosen": False, "is_synced": False},
        "Drafts": {"role": "drafts", "is_synced": False},
        "Junk": {"role": "junk", "is_synced": False},
        "Deleted Items": {"role": "trash", "is_synced": False},
    }.items():
        known = {"cursor": "1", "listed_since": since} if more.get("is_synced", True) else {}
        Folder.objects.create(
            workspace=sales.workspace,
            mailbox=sales,
            remote_name=name,
            name="Inbox" if name == "INBOX" else name,
            **(known | more),
        )
    Folder.objects.create(
        workspace=billing.workspace,
        mailbox=billing,
        remote_name="Rechnungen",
        name="Rechnungen",
        held_code="renumbered_often",
        held_facts={"rebuilds": 5},
        held_at=now,
    )
    for number in range(14):
        note(sales.pk, Kind.CAUGHT_UP, {"folder": "Inbox", "new": number % 4 + 1, "filed": number % 3})
    for kind, facts in {
        Kind.PLANNED: {"messages": 14208},
        Kind.RENUMBERED: {"folder": "Archive", "matched": 1204, "fetched": 3},
        Kind.SWEPT: {"folder": "Sent", "repaired": 2},
        Kind.FAILED: {"code": "unreachable", "host": "mail.tidewater.example"},
        Kind.WAITING: {"code": "unreachable", "seconds": 900},
        Kind.CONNECTED: {"host": "mail.tidewater.example"},
        Kind.FOLDERS_CHOSEN: {"left_out": 1, "by": "Alice Moreau"},
        Kind.WANTED_FETCHED: {"count": 12, "filed": 12},
        Kind.HELD: {"folder": "Archive", "code": "mass_deletion", "gone": 142, "known": 300},
    }.items():
        note(sales.pk, kind, facts)


def _write_letters(sales: Mailbox) -> tuple[Message, Message]:
    now = timezone.now()
    offer = "Offer for 12 cargo bikes, Hamburg depot"
    letters = [
        Letter(
            now - timedelta(days=6),
            SALES,
            [KATRIN],
            offer,
            "Dear Katrin, as promised the offer for twelve Longtail 3.",
            thread="offer",
        ),
        Letter(
            now - timedelta(days=2),
            KATRIN,
            [SALES],
            f"Re: {offer}",
            "Thank you, Bob. The board meets on Thursday.",
            thread="offer",
        ),
        Letter(
            now - timedelta(days=1),
            SALES,
            [KATRIN],
            f"Re: {offer}",
            "Hi Katrin, Bob is away this week, so you get the revised version from me.",
            thread="offer",
        ),
        Letter(
            now - timedelta(days=1, hours=3),
            KATRIN,
            [SALES],
            "Rear brake squeals after 200 km",
            "Four of the test bikes squeal when braking in the wet.",
        ),
        Letter(
            now - timedelta(days=9),
            JONAS,
            [SALES, KATRIN],
            "Leasing or purchase?",
            "Hello Mr Lindqvist, Katrin asked me to clarify the tax side.",
        ),
    ]
    for letter in letters:
        put(sales, letter)
    Message.objects.filter(subject__startswith="Rear brake").update(has_twin=True)
    film = put(sales, Letter(now - timedelta(days=4), KATRIN, [SALES], "Film of the depot, for the offer"))
    Message.objects.filter(pk=film.pk).update(problem="too_large", is_readable=False, size=149_000_000)
    broken = put(sales, Letter(now - timedelta(days=5), JONAS, [SALES], "Tax papers"))
    Message.objects.filter(pk=broken.pk).update(problem="unreadable", is_readable=False)
    designed = put(
        sales,
        Letter(
            now - timedelta(days=3), KATRIN, [SALES], "Spring at the depot", "Three routes, one charger.", NEWSLETTER
        ),
    )
    files = [
        ("Charging room Veddel.pdf", "application/pdf", b"%PDF-1.4" * 150_000),
        ("Delivery addresses.xlsx", "application/zip", b"PK" * 9000),
    ]
    text = "Hello Alice, thank you for the quick revision. The board said yes to twelve."
    opened = put(
        sales,
        Letter(
            now - timedelta(minutes=20),
            KATRIN,
            [SALES, ("Bob Lindqvist", "bob@tidewater.example")],
            f"Re: {offer}",
            text,
            REPLY,
            "offer",
            files,
        ),
    )
    return opened, designed


def _write_submissions(alice: Member, sales: Mailbox, katrin: Contact) -> None:
    now = timezone.now()
    states = [
        (State.QUEUED, "Test ride in May", {"send_at": now + timedelta(seconds=8)}),
        (
            State.UNKNOWN,
            "Invoice 2026-0417",
            {"claimed_at": now - timedelta(minutes=9), "next_look_at": now + timedelta(minutes=4)},
        ),
        (
            State.FAILED,
            "Offer for 3 trailers",
            {
                "error_code": "recipients_refused",
                "error_words": "550 5.1.1 User unknown",
                "refused": {KATRIN[1]: "550 5.1.1"},
            },
        ),
        (State.SENDING, "Leasing or purchase?", {}),
        (
            State.SENT,
            "Delivery dates",
            {
                "sent_at": now - timedelta(minutes=20),
                "error_code": "mailbox_full",
                "error_facts": {"host": "imap.tidewater.example"},
                "error_words": "NO [OVERQUOTA] Quota exceeded",
            },
        ),
    ]
    for index, (state, subject, more) in enumerate(states):
        Submission.objects.create(
            workspace=alice.workspace,
            mailbox=sales,
            author=alice.user,
            record_type=RecordType.CONTACT,
            record_id=katrin.pk,
            state=state,
            internet_message_id=f"<sample-{index}@tidewater.example>",
            from_address=sales.address,
            reason_for_from="",
            to=[{"name": KATRIN[0], "address": KATRIN[1]}],
            subject=subject,
            snippet="",
            mime=b"",
            created_at=now - timedelta(minutes=30 + index),
            **more,
        )
