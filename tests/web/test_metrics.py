"""GET /metrics: what it counts, and who may read it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from postroom.engine.counters import COUNTERS, Counters
from postroom.engine.store import Fenced, Page
from postroom.mailboxes.models import Folder, ImportSlice, Mailbox, Worker
from postroom.ops import metrics
from postroom.providers.errors import SignInRefused
from postroom.sync import asks
from postroom.sync.state import Hold, Saved
from postroom.workspaces.ids import new_id
from tests.cast import Cast, make_mailbox
from tests.guards.checkout import ROOT

LOCAL: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}
Samples = dict[tuple[str, tuple[str, ...]], float]


def scrape(**how: Any) -> Samples:
    response = Client().get("/metrics", **(LOCAL | how))
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name.removeprefix("postroom_"), tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def change(mailbox: Mailbox, **values: object) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(**values)


def ago(**how: float) -> Any:
    return timezone.now() - timedelta(**how)


def test_every_mailbox_is_counted_by_the_state_that_the_api_names(cast: Cast) -> None:
    moment = timezone.now()
    for values in (
        {"import_planned_at": None},
        {"awaits_start": True, "import_planned_at": moment},
        {"reads": False, "sending_state": "failing", "sending_code": "needs_administrator"},
        {"import_planned_at": moment},
        {"import_planned_at": moment, "import_finished_at": moment},
        {"import_planned_at": moment, "import_finished_at": moment},
        {"error_code": "unreachable"},
        {"error_code": "sign_in_refused", "needs_reconnect": True},
        {"error_code": "unreachable", "paused_at": moment},
        {"error_code": "unreachable", "disconnected_at": moment},
    ):
        change(make_mailbox(cast.alice, f"{new_id()}@own.example"), **values)
    found = scrape()
    connected = Mailbox.objects.filter(disconnected_at=None)
    states = [mailbox.state for mailbox in connected]
    assert len(set(states)) == 6
    assert {key[1][0]: value for key, value in found.items() if key[0] == "mailboxes"} == {
        state: states.count(state) for state in states
    }
    assert found["mailbox_errors", ("unreachable",)] == 2
    assert found["mailbox_errors", ("sign_in_refused",)] == 1
    assert {key[1][0]: value for key, value in found.items() if key[0] == "mailbox_troubles"} == {
        "reconnect": 1,
        "administrator": 1,
        "operator": 0,
        "slow": 2,
        "limit": 0,
    }


def test_the_lag_is_of_mailboxes_that_are_looked_at(cast: Cast) -> None:
    for number, values in enumerate((
        {"last_synced_at": ago(seconds=5)},
        {"last_synced_at": ago(seconds=200)},
        {"last_synced_at": None, "created_at": ago(seconds=1000), "failing_since": ago(hours=25)},
        {"last_synced_at": ago(days=9), "paused_at": timezone.now()},
        {"last_synced_at": ago(days=9), "needs_reconnect": True},
        {"created_at": ago(days=9), "awaits_start": True},
    )):  # fmt: skip
        change(make_mailbox(cast.alice, f"m{number}@own.example"), **values)
    found = scrape()
    assert [found["mailbox_lag_seconds_bucket", (bound,)] for bound in ("60", "300", "900", "3600", "+Inf")] == [
        1,
        2,
        2,
        3,
        3,
    ]
    assert found["mailbox_lag_seconds_gcount", ()] == 3
    assert 1200 <= found["mailbox_lag_seconds_gsum", ()] < 1265
    assert 995 <= found["mailbox_lag_max_seconds", ()] < 1060
    assert found["mailboxes_failing_a_day", ()] == 1


def test_imports_and_questions_are_counted(cast: Cast) -> None:
    mailbox = make_mailbox(cast.alice, "a@own.example")
    change(mailbox, listed_count=500, done_count=120)
    folder = Folder.objects.create(
        workspace=cast.alice.workspace, mailbox=mailbox, remote_name="INBOX", name="Inbox", held_code="mass_deletion"
    )
    ImportSlice.objects.create(
        workspace=cast.alice.workspace, mailbox=mailbox, folder=folder, position=0, remote_ids=["1"], sizes=[1]
    )
    found = scrape()
    assert (found["import_messages", ("listed",)], found["import_messages", ("done",)]) == (500, 120)
    assert found["open_slices", ()] == 1
    assert found["folders_asking", ("mass_deletion",)] == 1


def test_each_living_process_has_its_counts(cast: Cast) -> None:
    Worker.objects.create(name="one 7", counters={"pages_saved": 3, "connect_failures:Unreachable": 2})
    Worker.objects.create(name="one 8", kind="imports", counters={"pages_saved": 40})
    Worker.objects.create(name="one 9", kind="imports", counters={"pages_saved": 5}, seen_at=ago(minutes=1))
    found = scrape()
    pages = {key[1]: value for key, value in found.items() if key[0] == "pages_saved_total"}
    assert pages == {("sessions", "one 7"): 3, ("imports", "one 8"): 40}
    assert found["connect_failures_total", ("Unreachable", "sessions", "one 7")] == 2
    assert (found["workers", ("sessions",)], found["workers", ("imports",)]) == (1, 1)


def test_a_worker_that_was_taken_for_dead_and_came_back_is_one_process(cast: Cast) -> None:
    Worker.objects.create(name="one 7", counters={"pages_saved": 3}, seen_at=ago(seconds=4))
    Worker.objects.create(name="one 7", counters={"pages_saved": 5})
    assert scrape()["pages_saved_total", ("sessions", "one 7")] == 5


def test_no_label_names_anybody(cast: Cast) -> None:
    change(make_mailbox(cast.alice, "private@own.example"), error_code="unreachable", error_words="private says no")
    text = Client().get("/metrics", **LOCAL).content.decode()
    assert "unreachable" in text
    assert "private" not in text and "own.example" not in text


@pytest.mark.parametrize(
    "how",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"HTTP_HOST": "mail.example.test"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "192.0.2.7", "HTTP_AUTHORIZATION": "Bearer "},
        {"REMOTE_ADDR": "192.0.2.7", "HTTP_AUTHORIZATION": "Bearer wrong"},
    ],
)
def test_strangers_do_not_learn_that_there_is_anything(cast: Cast, settings: Any, how: dict[str, str]) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert Client().get("/metrics", **(LOCAL | how)).status_code == 404


def test_the_token_opens_it_from_anywhere(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_METRICS_TOKEN", "a-long-token")
    away = {"REMOTE_ADDR": "192.0.2.7"}
    assert Client().get("/metrics", **(LOCAL | away)).status_code == 404
    assert scrape(**away, HTTP_AUTHORIZATION="Bearer a-long-token")["build_info", (metrics.__version__,)] == 1


def test_what_the_driver_did_is_counted() -> None:
    counters, page = Counters(), Page(new_id(), 1, new_id(), (), removed=("1", "2"), hold=Hold("mass_deletion", {}))
    counters.answered(asks.SavePage(page), Saved(new=4))
    counters.failed(Fenced())
    counters.failed(SignInRefused())
    assert counters.counts() == {
        "pages_saved": 1,
        "messages_saved": 4,
        "removals_saved": 2,
        "questions:mass_deletion": 1,
        "fenced": 1,
        "failures:SignInRefused": 1,
    }


@pytest.mark.parametrize(("name", "label"), [("pages", ""), ("pages_saved", "x"), ("failures", "")])
def test_a_count_that_is_not_declared_is_a_mistake(name: str, label: str) -> None:
    with pytest.raises(KeyError):
        Counters().add(name, label=label)


def test_names_are_as_prometheus_wants_them() -> None:
    names = [gauge.name for gauge in metrics.GAUGES] + list(COUNTERS)
    assert len(names) == len(set(names))
    assert not [name for name in names if not name.isidentifier() or name.endswith("_total")]


def test_everything_is_documented() -> None:
    page = (ROOT / "docs/how-to/watch-postroom.md").read_text()
    rows = [
        f"| `{name}` | {f'`{labels}`' if labels else ''} | {meaning} |"
        for name, labels, meaning in metrics.documented()
    ]
    assert [row for row in rows if row not in page] == []
    assert page.count("| `postroom_") == len(rows)
    named = set(re.findall(r"postroom_[a-z_]+", page.partition("## Alerts")[2]))
    known = {name for name, _, _ in metrics.documented()}
    assert named - known - {f"{metrics.PREFIX}{metrics.LAG_NAME}_bucket"} == set()
