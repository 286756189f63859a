"""The steps of sending under any answers and a crash at any ask: at most one copy, and never a false "sent"."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.sync import sending as steps
from postroom.sync.sending import Accepted, Claimed, Doubt, Finding, Kind, Looked, Trouble

CLEAR = (Kind.LATER, Kind.REFUSED, Kind.OWNER)


class Crash(Exception):
    """The worker was killed at this ask."""


@dataclass
class World:
    """A submission's row, a mail server, and what chance does to both.

    With `hands_over` the server keeps what is handed over under a number, and each leaves once, be it later than
    anybody waited. `waiting` are such numbers; `late` are acts that the server has heard and not yet done.
    """

    draw: st.DataObject
    files_itself: bool
    hands_over: bool = False
    state: str = "queued"
    looks: int = 0
    failures: int = 0
    delivered: int = 0
    in_sent: int = 0
    copy: str = "pending"
    asked: list[str] = field(default_factory=list)
    upload: int | None = None  # on the row
    handed_over: int | None = None  # by this try
    was_tried: bool = False
    uploads: int = 0
    waiting: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)
    was_late: bool = False

    def choose(self, options: list[object]) -> object:
        return self.draw.draw(st.sampled_from(options))

    def run(self, running: steps.Steps) -> None:
        answer: object = None
        try:
            while True:
                ask = running.send(answer)
                self.asked.append(type(ask).__name__)
                if self.choose([*["live"] * 15, "die before"]) == "die before":
                    raise Crash
                answer = self.answer(ask)
                if self.choose([*["live"] * 15, "die after"]) == "die after":
                    raise Crash
        except (StopIteration, Crash):
            pass

    def answer(self, ask: steps.Ask) -> object:
        match ask:
            case steps.Claim():
                assert self.state == "queued"
                self.state = "sending"
                return Claimed(self.failures)
            case steps.Connect():
                return self.choose([None, None, *(Trouble(kind, "x") for kind in (Kind.LATER, Kind.LOST, Kind.OWNER))])
            case steps.Upload():
                return self.hand_over() if self.hands_over else self.trouble_before_the_act()
            case steps.MarkInDoubt():
                self.state = "in_doubt"
                self.upload = self.handed_over or self.upload
                return True
            case steps.LetGo():
                assert self.state == "in_doubt", "the act came before in_doubt was committed"
                return self.let_go()
            case steps.Look():
                return self.look()
            case steps.AppendCopy():
                if self.choose([True, False]):
                    self.in_sent += 1
                    return None
                return Trouble(Kind.LOST, "x")
            case steps.Record(outcome):
                self.record(outcome)
        return None

    def trouble_before_the_act(self) -> object:
        return self.choose([None, None, *(Trouble(kind, "x") for kind in Kind if kind is not Kind.IN_DOUBT)])

    def hand_over(self) -> object:
        """What a Sender does: the row's upload or none; what may be there already if it is found; else a new one."""
        was_tried, self.was_tried, self.handed_over = self.was_tried, True, None
        if self.upload is not None and self.upload not in self.waiting:
            return Trouble(Kind.IN_DOUBT, "upload_gone")
        if trouble := self.trouble_before_the_act():
            if self.upload is None and self.choose([True, False]):  # handed over, and its name not heard
                self.uploads += 1
                self.waiting.add(self.uploads)
            return trouble
        if self.upload is not None:
            self.handed_over = self.upload
        elif was_tried and self.waiting and self.choose([True, False]):  # an index may lag
            self.handed_over = min(self.waiting)
        else:
            self.uploads += 1
            self.waiting.add(self.uploads)
            self.handed_over = self.uploads
        return None

    def let_go(self) -> object:
        what = self.choose(["accepted", "accepted unheard", "lost", *CLEAR])
        if isinstance(what, Kind):
            return Trouble(what, "x")
        if what == "lost" and self.hands_over and self.choose([True, False]):
            self.late.add(self.handed_over or 0)
        elif what != "lost":
            self.deliver(self.handed_over)
        return Accepted("250") if what == "accepted" else Trouble(Kind.LOST, "x")

    def deliver(self, upload: int | None) -> None:
        if self.hands_over:
            if upload not in self.waiting:
                return
            self.waiting.remove(upload)
        self.delivered += 1
        self.in_sent += self.files_itself

    def pass_time(self) -> None:
        """The server does late what it heard long ago; somebody tidies up his drafts."""
        for upload in sorted(self.late):
            if self.choose([True, False]):
                self.late.remove(upload)
                self.was_late = True
                self.deliver(upload)
        if self.waiting and self.choose(["keep", "keep", "keep", "tidy up"]) == "tidy up":
            self.waiting.clear()

    def look(self) -> object:
        options: list[object] = [Looked(Finding.NOT_FOUND), Trouble(Kind.LOST, "x")]
        if self.in_sent:
            options += [Looked(Finding.FOUND), Looked(Finding.FOUND)]
        if self.upload is not None and self.upload in self.waiting:
            options = [Looked(Finding.WAITING), Looked(Finding.WAITING), Trouble(Kind.LOST, "x")]
        if self.state == "sent":
            options = [Looked(Finding.FOUND if self.in_sent else Finding.NOT_FOUND)]
        return self.choose(options)

    def record(self, outcome: steps.Outcome) -> None:
        match outcome:
            case steps.Sent():
                self.state = "sent"
                assert self.delivered, "reported sent, and nobody has it"
            case steps.QueuedAgain():
                self.state, self.failures = "queued", self.failures + 1
                assert not self.delivered or self.was_late, "queued again although it was delivered"
            case steps.Failed():
                self.state = "failed"
                assert not self.delivered, "reported as failed, and somebody has it"
            case steps.Doubtful(looks, _, is_unknown):
                self.state, self.looks = "unknown" if is_unknown else "in_doubt", looks
            case steps.CopyFiled():
                self.copy = "filed"
                assert self.in_sent


@given(data=st.data(), files_itself=st.booleans(), hands_over=st.booleans())
def test_whatever_happens_at_most_one_copy_leaves_and_the_end_is_true(
    data: st.DataObject, files_itself: bool, hands_over: bool
) -> None:
    world = World(data, files_itself, hands_over)
    for _ in range(60):
        world.pass_time()
        if world.state == "sending":
            world.state = "queued"  # rescue: in_doubt was never committed
        if world.state == "queued":
            world.run(steps.send())
        elif world.state == "in_doubt":
            doubt = Doubt(
                world.looks, data.draw(st.sampled_from([30.0, 90.0])), 60.0 if hands_over else None, world.failures + 1
            )
            world.run(steps.look(doubt, can_find=True))
        elif world.state == "sent" and world.copy == "pending":
            world.run(steps.file_copy(files_itself=None, age_seconds=0))
        assert world.delivered <= 1
        assert world.in_sent <= 1, "a second copy in Sent"
    if world.state == "sent":
        assert world.delivered == 1
    assert world.state in ("sent", "failed", "unknown", "queued", "in_doubt", "sending")
    if world.state not in ("sent", "failed", "unknown"):
        assert len(world.asked) >= 60, "stopped while there was still something to do"


@given(kinds=st.lists(st.sampled_from([Kind.LATER, Kind.LOST]), min_size=1, max_size=40))
@example(kinds=[Kind.LOST] * 40)
def test_trouble_that_may_pass_ends_after_a_day_at_the_latest(kinds: list[Kind]) -> None:
    waited = 0.0
    for failures, kind in enumerate(kinds):
        outcome = steps.before_the_act(Trouble(kind, "x"), failures)
        if isinstance(outcome, steps.Failed):
            assert waited > steps.GIVE_UP_SECONDS - steps.RETRY_SECONDS[-1]
            return
        assert isinstance(outcome, steps.QueuedAgain)
        waited += outcome.seconds
    assert waited <= steps.GIVE_UP_SECONDS


def test_the_waits_grow_as_told() -> None:
    assert [steps.retry_seconds(n) for n in range(6)] == [30, 120, 600, 1_800, 7_200, 7_200]


def test_the_server_is_given_the_time_it_asks_for() -> None:
    assert steps.before_the_act(Trouble(Kind.LATER, "x", retry_after_seconds=900), 0) == steps.QueuedAgain(
        900, Trouble(Kind.LATER, "x", retry_after_seconds=900)
    )


@pytest.mark.parametrize("failures", [0, 1_000])
def test_a_refused_sign_in_waits_for_the_owner_however_long(failures: int) -> None:
    assert isinstance(steps.before_the_act(Trouble(Kind.OWNER, "x"), failures), steps.QueuedAgain)


@pytest.mark.parametrize("kind", [Kind.LOST, Kind.IN_DOUBT])
def test_silence_after_the_act_is_never_a_reason_to_send(kind: Kind) -> None:
    outcome = steps.after_the_act(Trouble(kind, "x"), 0)
    assert outcome == steps.Doubtful(0, 2, is_unknown=False, trouble=Trouble(kind, "x"))


def test_a_clear_no_to_the_final_dot_is_final_or_later_as_the_server_says() -> None:
    assert isinstance(steps.after_the_act(Trouble(Kind.REFUSED, "x"), 0), steps.Failed)
    assert isinstance(steps.after_the_act(Trouble(Kind.LATER, "x"), 0), steps.QueuedAgain)


def test_the_looks_come_at_the_told_times_and_then_a_person_is_asked() -> None:
    at, states, looks = float(steps.LOOK_SECONDS[0]), [], 0
    times = [at]
    while True:
        doubtful = steps.after_a_look(looks + 1)
        looks = doubtful.looks
        states.append(doubtful.is_unknown)
        if doubtful.seconds is None:
            break
        at += doubtful.seconds
        times.append(at)
    assert times == list(steps.LOOK_SECONDS)
    assert states == [False] * 5 + [True] * 2


def test_what_waits_is_sent_again_once_it_has_waited_long_enough_and_given_up_after_a_day() -> None:
    def after(doubt: Doubt) -> steps.Ask:
        running = steps.look(doubt, can_find=True)
        next(running)
        return running.send(Looked(Finding.WAITING))

    early = after(Doubt(looks=2, seconds=50, settles_seconds=60))
    assert early == steps.Record(steps.Doubtful(3, 10, is_unknown=False)), "the next look is when it has"
    assert after(Doubt(looks=3, seconds=60, settles_seconds=60)) == steps.Record(steps.QueuedAgain(0))
    assert after(Doubt(looks=3, seconds=60, settles_seconds=60, failures=3)) == steps.Record(steps.QueuedAgain(120))
    assert after(Doubt(seconds=60, settles_seconds=None)) == steps.Record(steps.Doubtful(1, 8, is_unknown=False))
    given_up = after(Doubt(seconds=60, settles_seconds=60, failures=40))
    assert given_up == steps.Record(steps.Failed(Trouble(Kind.LOST, "never_taken")))


def test_where_no_look_can_decide_a_person_is_asked_at_once() -> None:
    running = steps.look(Doubt(), can_find=False)
    assert next(running) == steps.Record(steps.Doubtful(0, None, is_unknown=True))


def test_a_lost_claim_drops_the_connection_before_the_act() -> None:
    running = steps.send()
    assert isinstance(next(running), steps.Claim)
    assert isinstance(running.send(Claimed()), steps.Connect)
    assert isinstance(running.send(None), steps.Upload)
    assert isinstance(running.send(None), steps.MarkInDoubt)
    assert isinstance(running.send(False), steps.Abandon)
    with pytest.raises(StopIteration) as stop:
        running.send(None)
    assert stop.value.value is None


def test_a_copy_that_is_there_is_not_appended_again() -> None:
    running = steps.file_copy(files_itself=None, age_seconds=0)
    assert isinstance(next(running), steps.Wait)
    assert isinstance(running.send(None), steps.Look)
    assert running.send(Looked(Finding.FOUND)) == steps.Record(steps.CopyFiled())


def test_a_server_that_files_sent_itself_gets_no_copy() -> None:
    assert next(steps.file_copy(files_itself=True, age_seconds=0)) == steps.Record(steps.CopyFiled())


def test_a_copy_that_cannot_be_filed_for_a_day_is_given_up_and_stays_sent() -> None:
    running = steps.file_copy(files_itself=None, age_seconds=2 * 86_400)
    next(running)
    running.send(None)
    answer = running.send(Trouble(Kind.LOST, "x"))
    assert answer == steps.Record(steps.CopyMissing(None, Trouble(Kind.LOST, "x")))


@pytest.mark.parametrize(("code", "is_tried_on"), [("mailbox_full", True), ("message_refused", False)])
def test_a_copy_for_which_there_is_no_room_is_tried_on_and_one_that_is_refused_is_not(
    code: str, is_tried_on: bool
) -> None:
    running = steps.file_copy(files_itself=None, age_seconds=0)
    next(running)
    running.send(None)
    assert isinstance(running.send(Looked(Finding.NOT_FOUND)), steps.AppendCopy)
    recorded = running.send(Trouble(Kind.REFUSED, code))
    assert isinstance(recorded, steps.Record) and isinstance(recorded.outcome, steps.CopyMissing)
    assert (recorded.outcome.seconds is not None) is is_tried_on
