"""The steps of sending under any answers and a crash at any ask: at most one copy, and never a false "sent"."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.sync import sending as steps
from postroom.sync.sending import Accepted, Claimed, Finding, Kind, Trouble

CLEAR = (Kind.LATER, Kind.REFUSED, Kind.OWNER)


class Crash(Exception):
    """The worker was killed at this ask."""


@dataclass
class World:
    """A submission's row, a mail server, and what chance does to both."""

    draw: st.DataObject
    files_itself: bool
    state: str = "queued"
    looks: int = 0
    failures: int = 0
    delivered: int = 0
    in_sent: int = 0
    copy: str = "pending"
    asked: list[str] = field(default_factory=list)

    def choose(self, options: list[object]) -> object:
        return self.draw.draw(st.sampled_from(options))

    def run(self, running: steps.Steps) -> None:
        answer: object = None
        try:
            while True:
                ask = running.send(answer)
                self.asked.append(type(ask).__name__)
                if self.choose(["live", "live", "live", "live", "die before"]) == "die before":
                    raise Crash
                answer = self.answer(ask)
                if self.choose(["live", "live", "live", "live", "die after"]) == "die after":
                    raise Crash
        except (StopIteration, Crash):
            pass

    def answer(self, ask: steps.Ask) -> object:
        match ask:
            case steps.Claim():
                assert self.state == "queued"
                self.state = "sending"
                return Claimed(self.failures)
            case steps.Connect() | steps.Upload():
                return self.choose([None, None, *(Trouble(kind, "x") for kind in Kind if kind is not Kind.IN_DOUBT)])
            case steps.MarkInDoubt():
                self.state = "in_doubt"
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

    def let_go(self) -> object:
        what = self.choose(["accepted", "accepted unheard", "lost", *CLEAR])
        if isinstance(what, Kind):
            return Trouble(what, "x")
        if what != "lost":
            self.delivered += 1
            self.in_sent += self.files_itself
        return Accepted("250") if what == "accepted" else Trouble(Kind.LOST, "x")

    def look(self) -> object:
        options: list[object] = [Finding.NOT_FOUND, Trouble(Kind.LOST, "x")]
        if self.in_sent:
            options += [Finding.FOUND, Finding.FOUND]
        if self.state == "in_doubt" and not self.delivered:
            options.append(Finding.PROVEN_UNSENT)
        if self.state == "sent":
            options = [Finding.FOUND if self.in_sent else Finding.NOT_FOUND]
        return self.choose(options)

    def record(self, outcome: steps.Outcome) -> None:
        match outcome:
            case steps.Sent():
                self.state = "sent"
                assert self.delivered, "reported sent, and nobody has it"
            case steps.QueuedAgain():
                self.state, self.failures = "queued", self.failures + 1
                assert not self.delivered, "queued again although it was delivered"
            case steps.Failed():
                self.state = "failed"
                assert not self.delivered
            case steps.Doubtful(looks, _, is_unknown):
                self.state, self.looks = "unknown" if is_unknown else "in_doubt", looks
            case steps.CopyFiled():
                self.copy = "filed"
                assert self.in_sent


@given(data=st.data(), files_itself=st.booleans())
def test_whatever_happens_at_most_one_copy_leaves_and_the_end_is_true(data: st.DataObject, files_itself: bool) -> None:
    world = World(data, files_itself)
    for _ in range(60):
        if world.state == "sending":
            world.state = "queued"  # rescue: in_doubt was never committed
        if world.state == "queued":
            world.run(steps.send())
        elif world.state == "in_doubt":
            world.run(steps.look(world.looks, can_find=True))
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


def test_where_no_look_can_decide_a_person_is_asked_at_once() -> None:
    running = steps.look(0, can_find=False)
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
    assert running.send(Finding.FOUND) == steps.Record(steps.CopyFiled())


def test_a_server_that_files_sent_itself_gets_no_copy() -> None:
    assert next(steps.file_copy(files_itself=True, age_seconds=0)) == steps.Record(steps.CopyFiled())


def test_a_copy_that_cannot_be_filed_for_a_day_is_given_up_and_stays_sent() -> None:
    running = steps.file_copy(files_itself=None, age_seconds=2 * 86_400)
    next(running)
    running.send(None)
    answer = running.send(Trouble(Kind.LOST, "x"))
    assert answer == steps.Record(steps.CopyMissing(None, Trouble(Kind.LOST, "x")))
