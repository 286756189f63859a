"""The test of a connection, from its button to the answer: each step by what is stored, and why it stops."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from postroom.filing.connection_test import Progress, StepState, follow
from postroom.filing.models import Filing
from postroom.filing.people import add_contact, change_contact
from postroom.mail.mime.parsing import parse
from postroom.mailboxes.models import Folder, Keep, Mailbox
from postroom.ops import sync_once
from postroom.ops.jobs import send_submission
from postroom.outbox import sent_copy
from postroom.outbox.composition import SubmitRefused
from postroom.outbox.connection_test import begin_test, visible_tests
from postroom.outbox.models import ConnectionTest, SentCopy, State, Submission
from postroom.providers.memory.server import MemoryServer
from postroom.records.models import Contact
from postroom.workspaces.members import Member
from tests.cast import Cast
from tests.integration.outbox_place import BOB, alice, folder, run, sales, server

__all__ = ["alice", "sales", "server"]  # fixtures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(alice: Member, sales: Mailbox) -> Contact:
    """A customer whose mailbox is on the same server."""
    return add_contact(alice, "Bob Tanner", [BOB.address])


@pytest.fixture
def read(sales: Mailbox, server: MemoryServer) -> Mailbox:
    """The mailbox after its first import."""
    synchronise()
    sales.refresh_from_db()
    return sales


def synchronise() -> None:
    run(sync_once.run(None, lambda text: None))


def leave(test: ConnectionTest) -> None:
    """What the workers do: send, store, and see to the copy in Sent."""
    run(send_submission(str(test.submission_id)))
    run(sent_copy.file_sent_copy(test.submission_id))


def looked(member: Member, test: ConnectionTest) -> Progress:
    return follow(member, visible_tests(member).get(pk=test.pk))


def states(progress: Progress) -> dict[str, str]:
    return {step.name: step.state.value for step in progress.steps}


def codes(progress: Progress) -> dict[str, str]:
    return {step.name: step.code for step in progress.steps if step.code}


def answer(server: MemoryServer, sales: Mailbox, test: ConnectionTest, sender: str, *more: str) -> None:
    """Put an answer to the test into the mailbox; `more` are header lines of it."""
    said = Submission.objects.get(pk=test.submission_id).internet_message_id
    lines = [
        f"From: {sender}",
        f"To: {sales.address}",
        f"Message-ID: <{test.pk}.{sender}>",
        f"In-Reply-To: {said}",
        "Subject: Re: Test",
        *more,
        "",
        f"It reached me, says {sender}; not {BOB.address}.",
    ]
    server.deliver(sales.address, "\r\n".join(lines).encode())
    synchronise()


def test_a_mailbox_that_writes_to_itself_ticks_every_step_with_its_time(
    alice: Member, read: Mailbox, server: MemoryServer
) -> None:
    test = begin_test(alice, read)
    begun = looked(alice, test)
    assert states(begun) == {"accepted": "running", "in_sent": "waiting", "seen": "waiting", "returned": "waiting"}
    assert (begun.state, begun.is_followed) == ("running", True)
    leave(test)
    sent = looked(alice, test)
    assert states(sent) == {"accepted": "done", "in_sent": "done", "seen": "running", "returned": "running"}
    synchronise()
    passed = looked(alice, test)
    assert states(passed) == {"accepted": "done", "in_sent": "done", "seen": "done", "returned": "done"}
    assert passed.state == "passed" and not passed.is_followed
    assert all(step.seconds is not None and 0 <= step.seconds < 30 for step in passed.steps)
    [raw] = folder(server, read.address, "INBOX")
    assert f"X-Postroom-Test: {test.pk}".encode() in raw and parse(raw).subject == "Test message from Tidewater Bikes"


def test_a_contact_gets_the_message_on_its_record_and_the_answer_too(
    alice: Member, read: Mailbox, server: MemoryServer, bob: Contact
) -> None:
    test = begin_test(alice, read, bob)
    leave(test)
    synchronise()
    passed = looked(alice, test)
    assert states(passed) == {
        "accepted": "done", "in_sent": "done", "seen": "done", "filed": "done", "answered": "running",
    }  # fmt: skip
    assert (passed.state, passed.is_followed, codes(passed)) == ("passed", True, {})
    assert Filing.objects.get().reason == "address"
    assert len(folder(server, BOB.address, "INBOX")) == 1
    answer(server, read, test, BOB.address)
    answered = looked(alice, test)
    assert states(answered)["answered"] == "done" and not answered.is_followed


def test_an_answer_from_another_address_is_on_the_record_and_says_what_to_add(
    alice: Member, read: Mailbox, server: MemoryServer, bob: Contact
) -> None:
    test = begin_test(alice, read, bob)
    leave(test)
    answer(server, read, test, "bob.private@elsewhere.example")
    step = looked(alice, test).steps[-1]
    assert (step.state, step.code) == (StepState.WARNED, "test_other_address")
    assert step.entry is not None
    assert step.entry.what.startswith("bob.private@elsewhere.example answered, which Bob Tanner does not have.")


def test_a_program_that_answers_is_told_from_a_person(
    alice: Member, read: Mailbox, server: MemoryServer, bob: Contact
) -> None:
    test = begin_test(alice, read, bob)
    leave(test)
    answer(server, read, test, BOB.address, "Auto-Submitted: auto-replied")
    assert codes(looked(alice, test)) == {"answered": "test_answered_by_program"}
    assert states(looked(alice, test))["answered"] == "running"


def test_a_message_that_comes_back_stops_the_test_with_the_servers_words(
    alice: Member, read: Mailbox, server: MemoryServer, bob: Contact
) -> None:
    test = begin_test(alice, read, bob)
    leave(test)
    answer(
        server, read, test, "MAILER-DAEMON@mx.example", "Content-Type: multipart/report; report-type=delivery-status"
    )
    stopped = looked(alice, test)
    assert (stopped.state, codes(stopped)) == ("stopped", {"answered": "test_bounced"})


def test_a_report_outside_the_thread_counts_when_it_names_the_address(
    alice: Member, read: Mailbox, server: MemoryServer, bob: Contact
) -> None:
    test = begin_test(alice, read, bob)
    leave(test)

    def report(recipient: str) -> None:
        head = f"From: MAILER-DAEMON@mx.example\r\nTo: {read.address}\r\nMessage-ID: <{recipient}.report>\r\n"
        head += "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        part = f"--b\r\nContent-Type: text/plain\r\n\r\n<{recipient}>: mailbox full\r\n--b--\r\n"
        server.deliver(read.address, f"{head}{part}".encode())
        synchronise()

    report("other@customer.example")
    assert codes(looked(alice, test)) == {}
    report(BOB.address)
    step = looked(alice, test).steps[-1]
    assert (step.code, "mailbox full" in step.server_words) == ("test_bounced", True)
    for number in range(6):
        report(f"later{number}@customer.example")
    assert looked(alice, test).state == "stopped", "what came back stays known, however much comes back later"


def test_what_keeps_sync_from_the_message_is_named(alice: Member, read: Mailbox, server: MemoryServer) -> None:
    test = begin_test(alice, read)
    leave(test)

    def why(**mailbox: Any) -> set[str]:
        before = Mailbox.objects.filter(pk=read.pk).values(*mailbox).get()
        Mailbox.objects.filter(pk=read.pk).update(**mailbox)
        found = set(codes(looked(alice, test)).values())
        Mailbox.objects.filter(pk=read.pk).update(**before)
        return found

    assert why(paused_at=timezone.now()) == {"test_paused"}
    assert why(awaits_start=True) == {"test_not_begun"}
    assert why(reads=False) == {"test_not_read"}
    assert why(receiving_state="off") == {"test_not_read"}
    assert why(import_planned_at=None) == {"test_first_look"}
    assert why(error_code="unreachable", error_facts={"host": "imap.acme.example"}) == {"unreachable"}
    Folder.objects.filter(mailbox=read, role="sent").update(is_chosen=False)
    step = next(one for one in looked(alice, test).steps if one.name == "seen")
    assert step.entry is not None and step.entry.fix == ("Tick Sent under the mailbox's folders.",)


def test_a_message_that_comes_back_as_junk_passes_with_a_warning(
    alice: Member, read: Mailbox, server: MemoryServer
) -> None:
    test = begin_test(alice, read)
    leave(test)
    synchronise()
    Folder.objects.filter(mailbox=read, role="inbox").update(role="junk")
    passed = looked(alice, test)
    assert (passed.state, codes(passed)) == ("passed", {"returned": "test_in_junk"})


def test_what_keeps_the_message_off_the_contact_is_named(
    alice: Member, read: Mailbox, server: MemoryServer, bob: Contact
) -> None:
    test = begin_test(alice, read, bob)
    leave(test)
    Filing.objects.update(removed_by_id=alice.user.pk)
    assert codes(looked(alice, test))["filed"] == "test_filing_removed"
    change_contact(alice, bob, addresses=["tanner@customer.example"])
    Filing.objects.all().delete()
    assert codes(looked(alice, test))["filed"] == "test_address_changed"
    bob.delete()
    assert codes(looked(alice, test))["filed"] == "test_contact_gone"


def test_a_colleagues_address_is_on_no_record_and_the_test_says_so(
    alice: Member, read: Mailbox, server: MemoryServer
) -> None:
    colleague = add_contact(alice, "Sales", [read.address])
    test = begin_test(alice, read, colleague)
    leave(test)
    assert codes(looked(alice, test))["filed"] == "test_own_address"


def test_a_refusal_stops_at_the_first_step(alice: Member, read: Mailbox, server: MemoryServer) -> None:
    server.faults.refuse_send = "550 5.7.1 not allowed"
    test = begin_test(alice, read)
    leave(test)
    stopped = looked(alice, test)
    assert stopped.state == "stopped" and states(stopped)["in_sent"] == "waiting"
    assert stopped.steps[0].server_words == "550 5.7.1 not allowed" and stopped.steps[0].entry is not None


def test_a_worker_that_is_not_there_and_a_copy_that_is_not_are_named_in_time(
    alice: Member, read: Mailbox, server: MemoryServer
) -> None:
    test = begin_test(alice, read)
    assert codes(looked(alice, test)) == {}
    ConnectionTest.objects.update(started_at=timezone.now() - timedelta(seconds=20))
    assert codes(looked(alice, test)) == {"accepted": "worker_missing"}
    leave(test)
    Submission.objects.update(sent_copy=SentCopy.FAILED, sent_copy_at=None)
    assert codes(looked(alice, test))["in_sent"] == "test_no_copy"
    refused = {"error_code": "mailbox_full", "error_facts": {"host": "mx.test"}, "error_words": "NO [OVERQUOTA]"}
    for copy in (SentCopy.FAILED, SentCopy.PENDING):
        Submission.objects.update(sent_copy=copy, **refused)
        (step,) = (one for one in looked(alice, test).steps if one.name == "in_sent")
        assert (step.code, step.facts["host"], step.server_words) == ("mailbox_full", "mx.test", "NO [OVERQUOTA]")
    Submission.objects.update(state=State.CANCELLED)
    assert codes(looked(alice, test))["accepted"] == "test_taken_back"


def test_a_mailbox_that_keeps_records_mail_only_proves_itself_by_sightings(
    alice: Member, read: Mailbox, server: MemoryServer
) -> None:
    Mailbox.objects.update(keep=Keep.RECORDS)
    test = begin_test(alice, read)
    leave(test)
    synchronise()
    assert looked(alice, test).state == "passed"


def test_tests_follow_one_another_with_a_pause(alice: Member, read: Mailbox, bob: Contact) -> None:
    begin_test(alice, read, bob)
    begin_test(alice, read)
    with pytest.raises(SubmitRefused) as refused:
        begin_test(alice, read, bob)
    assert refused.value.code == "test_running"
    ConnectionTest.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    with pytest.raises(SubmitRefused) as refused:
        begin_test(alice, read, bob, address="stranger@customer.example")
    assert refused.value.code == "address_unknown"
    assert begin_test(alice, read, bob, address=BOB.address.upper()).address == BOB.address
    assert Submission.objects.count() == 3


def test_only_who_may_send_begins_a_test_and_only_who_may_read_sees_it(
    cast: Cast, alice: Member, read: Mailbox
) -> None:
    test = begin_test(cast.bob, read)
    assert list(visible_tests(alice)) == [test]
    assert not visible_tests(cast.charlie).exists()
    with pytest.raises(SubmitRefused):
        begin_test(cast.charlie, read)
    Mailbox.objects.update(sends=False)
    with pytest.raises(SubmitRefused) as refused:
        begin_test(alice, read)
    assert refused.value.code == "mailbox_not_allowed"
