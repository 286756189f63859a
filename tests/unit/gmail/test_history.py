"""History replayed ends in what the server has, whatever happened and whenever a listing was taken."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom.providers.errors import ProtocolViolation
from postroom.providers.gmail.history import Event, Kind, Story, Track, history_of, replay, sorted_out
from postroom.providers.gmail.labels import ARCHIVE, Labels, flags_of

MINE = "Label_1"
LABELS = Labels(
    {"INBOX": "Inbox", "SENT": "Sent", "TRASH": "Trash", "SPAM": "Spam", MINE: "Customers"},
    frozenset({MINE}),
    frozenset({"UNREAD", "STARRED", "IMPORTANT"}),
)
WORN = ("INBOX", "SENT", "TRASH", "SPAM", MINE, "UNREAD", "STARRED", "IMPORTANT")
FOLDERS = ("INBOX", "SENT", "TRASH", "SPAM", MINE, ARCHIVE)

label_sets = st.frozensets(st.sampled_from(WORN))


@dataclass
class Model:
    """A mailbox of a few messages, and everything that happened to it."""

    worn: dict[str, frozenset[str]] = field(default_factory=dict)
    moments: list[dict[str, frozenset[str]]] = field(default_factory=list)  # the mailbox after each event
    events: list[Event] = field(default_factory=list)

    def happen(self, remote_id: str, kind: Kind, labels: frozenset[str]) -> None:
        before = self.worn.get(remote_id)
        changed = frozenset[str]()
        match kind:
            case "added" if before is None and not self._was(remote_id):
                self.worn[remote_id] = labels
            case "worn" if before is not None and (changed := labels - before):
                self.worn[remote_id] = before | labels
            case "taken_off" if before is not None and (changed := labels & before):
                self.worn[remote_id] = before - labels
            case "gone" if before is not None:
                del self.worn[remote_id]
            case _:
                return
        self.events.append(Event(len(self.events) + 1, remote_id, kind, changed))
        self.moments.append(dict(self.worn))

    def _was(self, remote_id: str) -> bool:
        return any(remote_id in moment for moment in self.moments)


happenings = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["added", "worn", "taken_off", "gone"]), label_sets), max_size=12
)


@given(
    begin=st.dictionaries(st.sampled_from("abc"), label_sets),
    happened=happenings,
    manners=st.lists(st.sampled_from(["after", "before", "now", "never"]), min_size=12, max_size=12),
    seen_at=st.lists(st.integers(0, 12), min_size=3, max_size=3),
)
@example(begin={}, happened=[("a", "added", frozenset({"INBOX"})), ("a", "taken_off", frozenset({"INBOX"}))],
         manners=["after"] * 12, seen_at=[1, 0, 0])  # fmt: skip
@example(begin={"a": frozenset({MINE})}, happened=[("a", "worn", frozenset({"TRASH"}))],
         manners=["never"] * 12, seen_at=[0, 0, 0])  # fmt: skip
def test_what_was_listed_at_any_moments_becomes_what_the_server_has(
    begin: dict[str, frozenset[str]],
    happened: list[tuple[str, Kind, frozenset[str]]],
    manners: list[str],
    seen_at: list[int],
) -> None:
    model = Model(dict(begin), [], [])
    states = [dict(begin)]
    for remote_id, kind, labels in happened:
        if kind == "added" and remote_id in begin:
            continue  # an id is given once
        model.happen(remote_id, kind, labels)
    states += model.moments
    events = [
        Event(one.at, one.remote_id, one.kind, one.labels, told_by(model, states, one, manner))
        for one, manner in zip(model.events, manners, strict=False)
    ]
    stories = replay(events)
    for remote_id, story in stories.items():
        if story.is_unknown:
            story.know(model.worn.get(remote_id))
    for folder in FOLDERS:
        # Each message was listed at a moment of its own: a listing has pages.
        stored = {
            remote_id: flags_of(worn)
            for remote_id, moment in zip("abc", seen_at, strict=True)
            if (worn := states[min(moment, len(states) - 1)].get(remote_id)) is not None and LABELS.holds(folder, worn)
        }
        added, flagged, removed = sorted_out(stories, folder, LABELS)
        assert not {*added, *flagged} & {*removed}
        for remote_id in added:
            stored.setdefault(remote_id, flags_of(stories[remote_id].worn or ()))
        for remote_id in flagged:
            if remote_id in stored:
                stored[remote_id] = flags_of(stories[remote_id].worn or ())
        for remote_id in removed:
            stored.pop(remote_id, None)
        assert stored == {
            remote_id: flags_of(worn) for remote_id, worn in model.worn.items() if LABELS.holds(folder, worn)
        }, folder


def told_by(model: Model, states: list[dict[str, frozenset[str]]], event: Event, manner: str) -> frozenset[str] | None:
    """What the event says of the labels, in each of the ways that are known of Google or feared."""
    before, after = states[event.at - 1].get(event.remote_id), states[event.at].get(event.remote_id)
    if event.kind == "gone":
        return before or None if manner != "never" else None
    ways = {"before": before if before is not None else after, "after": after, "now": model.worn.get(event.remote_id)}
    return ways.get(manner) or None


@given(begin=st.dictionaries(st.sampled_from("abc"), label_sets), happened=happenings)
def test_a_track_names_every_folder_that_has_to_be_told(
    begin: dict[str, frozenset[str]], happened: list[tuple[str, Kind, frozenset[str]]]
) -> None:
    model = Model(dict(begin), [], [])
    for remote_id, kind, labels in happened:
        if kind != "added" or remote_id not in begin:
            model.happen(remote_id, kind, labels)
    states = [dict(begin), *model.moments]
    track = Track(0, 0)
    stories = replay(
        Event(one.at, one.remote_id, one.kind, one.labels, told_by(model, states, one, "after")) for one in model.events
    )
    for remote_id, story in stories.items():
        if story.is_unknown:
            story.know(model.worn.get(remote_id))
    track.go_on(stories.values(), LABELS, len(model.events))
    assert track.until == len(model.events)
    for folder in FOLDERS:
        was = {one: flags_of(worn) for one, worn in begin.items() if LABELS.holds(folder, worn)}
        now = {one: flags_of(worn) for one, worn in model.worn.items() if LABELS.holds(folder, worn)}
        assert track.changed(folder, 0) or was == now
        assert not track.changed(folder, track.until)


def test_a_message_that_came_and_went_is_told_as_removed_only_where_it_was() -> None:
    stories = replay(
        [
            Event(5, "a", "added", worn=frozenset({"INBOX"})),
            Event(7, "a", "gone", worn=frozenset({"INBOX"})),
        ]
    )
    assert sorted_out(stories, "INBOX", LABELS) == ([], [], ["a"])
    assert sorted_out(stories, "SENT", LABELS) == ([], [], [])
    assert stories["a"].folders(LABELS) == frozenset({"INBOX"})


def test_new_mail_touches_its_own_folders_alone() -> None:
    story = Story()
    story.go_on(Event(9, "a", "added", worn=frozenset({"INBOX", "UNREAD", "IMPORTANT"})))
    assert story.folders(LABELS) == frozenset({"INBOX"})


def test_a_page_of_history_is_read_in_the_order_of_its_records() -> None:
    page = history_of(
        {
            "history": [
                {"id": "11", "messages": [{"id": "a"}], "messagesAdded": [{"message": {"id": "a", "threadId": "t"}}]},
                {
                    "id": "14",
                    "labelsRemoved": [{"message": {"id": "a", "labelIds": ["INBOX"]}, "labelIds": ["UNREAD"]}],
                    "labelsAdded": [{"message": {"id": "b"}, "labelIds": ["STARRED"]}],
                },
                {"id": "15", "messagesDeleted": [{"message": {"id": "b"}}]},
            ],
            "historyId": "20",
            "nextPageToken": "more",
        }
    )
    assert (page.latest, page.next_page) == (20, "more")
    assert [(one.at, one.remote_id, one.kind) for one in page.events] == [
        (11, "a", "added"),
        (14, "b", "worn"),
        (14, "a", "taken_off"),
        (15, "b", "gone"),
    ]
    assert page.events[0].worn is None and page.events[2].worn == frozenset({"INBOX"})


def test_no_history_is_no_events() -> None:
    assert history_of({"historyId": "20"}).events == ()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"historyId": "soon"},
        {"historyId": "1", "history": [{"id": "x"}]},
        {"historyId": "1", "history": [{"id": "1", "messagesAdded": [{}]}]},
        {"historyId": "1", "history": "none"},
        {"historyId": "1", "history": [7]},
    ],
)
def test_an_answer_that_is_no_history_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ProtocolViolation):
        history_of(answer)
