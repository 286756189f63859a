"""How a mailbox is and was, on its card, on its page and in the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from postroom.mailboxes.models import HealthDay, Mailbox
from postroom.records.models import Contact
from tests.cast import Cast
from tests.web.api_caller import caller_for

REFUSED = {"error_code": "sign_in_refused", "needs_reconnect": True, "sign_in_state": "failing"}
NOTHING = {"error_code": "", "needs_reconnect": False, "sign_in_state": "ok", "receiving_state": "ok"}


def change(mailbox: Mailbox, **values: Any) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(**(NOTHING | values))


def page(client: Client, mailbox: Mailbox) -> str:
    response = client.get(f"/settings/mailboxes/{mailbox.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def add_day(mailbox: Mailbox, days_ago: int, **values: Any) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    until = datetime.combine(day + timedelta(days=1), time(), UTC)
    values = {"looked_at": min(until, timezone.now())} | values
    HealthDay.objects.create(workspace=mailbox.workspace, mailbox=mailbox, day=day, **values)


@pytest.mark.parametrize(
    ("values", "title"),
    [
        (REFUSED, "Reconnect needed."),
        ({"error_code": "needs_administrator"}, "An administrator must act."),
        ({"error_code": "app_secret_expired"}, "The set-up of Postroom must be fixed."),
        ({"error_code": "unreachable"}, "The provider is slow."),
        ({"error_code": "connection_refused"}, "The provider is slow."),  # it worked with this server: it is down
        ({"error_code": "throttled"}, "A limit is reached."),
        ({"sending_state": "failing", "sending_code": "needs_administrator"}, "An administrator must act."),
    ],
)
def test_the_page_says_what_a_trouble_means_and_who_acts(
    alice: Client, sales: Mailbox, values: dict[str, Any], title: str
) -> None:
    change(sales, **values)
    html = page(alice, sales)
    assert title in html and "More about this" in html
    assert title in alice.get("/settings/mailboxes/").content.decode()


def test_one_trouble_of_both_directions_is_told_once_and_two_are_two(alice: Client, sales: Mailbox) -> None:
    change(sales, **REFUSED, sending_state="failing", sending_code="sign_in_refused")
    assert page(alice, sales).count('class="problem') == 1
    change(sales, error_code="unreachable", sending_state="failing", sending_code="sign_in_refused")
    html = page(alice, sales)
    assert html.count('class="problem') == 2
    assert html.index("Reconnect needed.") < html.index("The provider is slow."), "what needs a person comes first"


def test_each_direction_has_its_own_state(alice: Client, sales: Mailbox, katrin: Contact) -> None:
    """Only sending is refused: signing in to read works as ever, whatever has to be mended."""
    change(sales, error_code="sign_in_refused", needs_reconnect=True, sending_state="failing")
    words = re.findall(r'<span class="state [a-z]*">([^<]*)</span><small>', page(alice, sales))
    assert words == ["Accepted", "Up to date", "Not working"]
    assert "Sending is not working" in alice.get("/").content.decode()
    change(sales, **REFUSED, sending_state="failing")
    words = re.findall(r'<span class="state [a-z]*">([^<]*)</span><small>', page(alice, sales))
    assert words == ["Refused", "Waiting", "Waiting"]


def test_what_nobody_tries_any_more_is_no_trouble(alice: Client, sales: Mailbox) -> None:
    values = {"error_code": "unreachable", "sending_state": "failing", "sending_code": "throttled"}
    change(sales, **values)
    assert page(alice, sales).count('class="problem') == 2
    change(sales, **values, reads=False, sends=False)
    assert 'class="problem' not in page(alice, sales)


def test_the_last_90_days_are_a_picture_with_words(alice: Client, sales: Mailbox) -> None:
    add_day(sales, 2, state="failing", failing_seconds=7200, codes=["sign_in_refused"])
    add_day(sales, 1, state="slow", slow_seconds=900)
    add_day(sales, 0)
    html = page(alice, sales)
    picture = re.search(r'<span class="history".*?</span>', html)
    assert picture is not None
    assert picture[0].count("<i") == 90 and picture[0].count('class="none"') == 87
    assert "well on 1 day, slow on 1, not working on 1, not looked at on 87" in picture[0]
    assert "2 hours not working: the user name or password was refused" in picture[0]


def test_the_chart_and_its_table_say_the_same(alice: Client, sales: Mailbox) -> None:
    add_day(sales, 1, received=1200, sent=3)
    add_day(sales, 0, received=0, sent=1, failed=2)
    html = page(alice, sales)
    chart = html[html.index('id="health"') :]
    assert '<b class="mid">1,200</b> received and kept' in chart
    assert chart.count('class="received"') == 2, "one bar, and the key"
    assert (
        ": 1,200 received and kept, 3 sent</title>" in chart
        and ": 0 received and kept, 1 sent, 2 failed</title>" in chart
    )
    assert "<td>1,200</td><td>3</td><td>0</td>" in chart
    assert 'style="' not in html, "the policy of the page forbids it"


def test_a_mailbox_without_days_says_when_there_are_some(alice: Client, sales: Mailbox) -> None:
    assert "Numbers are here as soon as" in page(alice, sales)


def test_a_day_is_not_called_well_after_the_workers_went_down(alice: Client, cast: Cast, sales: Mailbox) -> None:
    nine, went_down = (datetime.combine(timezone.now().date() - timedelta(days=ago), time(9), UTC) for ago in (3, 1))
    add_day(sales, 3, looked_at=nine)
    add_day(sales, 1, looked_at=went_down, state="failing", failing_seconds=7200, codes=["sign_in_refused"])
    add_day(sales, 0)
    html = page(alice, sales)
    picture = re.search(r'<span class="history".*?</span>', html)
    assert picture is not None
    assert picture[0].count('class="none"') == 88
    assert "well on 1 day, not working on 1, not looked at on 88" in picture[0]
    assert "not looked at after 09:00 UTC" in picture[0]
    assert html.count("2 hours not working: the user name or password was refused; not looked at after 09:00 UTC") == 2
    answer: Any = caller_for(cast.bob).get(f"/mailboxes/{sales.pk}/health")
    assert [day["looked_until"] is None for day in answer.json()["days"]] == [False, False, True]


def test_an_open_page_draws_chart_and_picture_again(alice: Client, sales: Mailbox) -> None:
    empty = page(alice, sales)
    section = empty[empty.index('id="health"') :].split(">")[0]
    assert f'data-topic="mailbox:{sales.pk}"' in section, "the first numbers bring the chart"
    add_day(sales, 0, received=3)
    html = page(alice, sales)
    state = html[html.index(f'id="state-{sales.pk}"') :].split(">")[0]
    for part in ("#health-chart", "#health-rows"):
        assert part in state and html.count(f'id="{part[1:]}"') == 1
    assert 'class="history"' in html[html.index(f'id="state-{sales.pk}"') : html.index('id="health"')]


def test_the_api_tells_directions_meaning_and_days(cast: Cast, sales: Mailbox) -> None:
    change(sales, error_code="unreachable", receiving_state="failing", sending_state="ok", error_words="BYE")
    add_day(sales, 1, received=5, sent=2)
    answer: Any = caller_for(cast.bob).get(f"/mailboxes/{sales.pk}/health")
    answer = answer.json()
    assert answer["meaning"] == "slow"
    by_name = {one["name"]: one for one in answer["directions"]}
    assert {name: one["state"] for name, one in by_name.items()} == {
        "sign-in": "ok",
        "receiving": "failing",
        "sending": "ok",
    }
    assert by_name["receiving"]["trouble"]["code"] == "unreachable" and by_name["sending"]["trouble"] is None
    assert by_name["receiving"]["trouble"]["server_words"] == "BYE"
    assert by_name["receiving"]["trouble"]["docs"] == f"{settings.BASE_URL}/help/unreachable/", "as everywhere else"
    assert [(day["received"], day["sent"], day["state"]) for day in answer["days"]] == [(5, 2, "ok")]


def test_who_may_not_see_the_mailbox_does_not_see_its_health(cast: Cast, sales: Mailbox) -> None:
    assert caller_for(cast.charlie).get(f"/mailboxes/{sales.pk}/health").status_code == 404
    Mailbox.objects.filter(pk=sales.pk).update(kind="personal")
    assert caller_for(cast.bob).get(f"/mailboxes/{sales.pk}/health").status_code == 404
