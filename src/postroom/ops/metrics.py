"""GET /metrics: how this installation is doing, for Prometheus. Counted when it is scraped, in a few cheap statements.

Nothing here tells one person or mailbox from another: labels are words of our own code, and there are few of them.
The counters of processes come from their rows (engine/counters.py). They stay apart by process: added up, they would
fall when one of them ends, which a Prometheus server takes for a restart of all.
"""

from __future__ import annotations

import hmac
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from django.db import Error, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeHistogramMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from postroom import __version__
from postroom.engine.counters import COUNTERS
from postroom.mailboxes.models import Mailbox, Worker
from postroom.mailboxes.troubles import WORDS, in_trouble, meaning

PREFIX: Final = "postroom_"
LAG_BOUNDS: Final = (60, 300, 900, 3600, 6 * 3600, 86400)  # seconds


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number as it is now. `statement` gives rows of (label, value), or of (value,) where there is no label."""

    name: str
    meaning: str
    statement: str
    label: str = ""


_CONNECTED = "mailboxes_mailbox WHERE disconnected_at IS NULL"
_LAG = "greatest(extract(epoch FROM now() - coalesce(last_synced_at, created_at)), 0)"
_SYNCED = f"""{_CONNECTED} AND paused_at IS NULL AND reads AND NOT awaits_start AND NOT needs_reconnect
 AND receiving_state <> 'off'"""

# Mailbox.state, for all mailboxes at once.
_STATE = """CASE WHEN needs_reconnect THEN 'needs_reconnect' WHEN paused_at IS NOT NULL THEN 'paused'
 WHEN error_code <> '' THEN 'failed' WHEN receiving_state = 'off' OR NOT reads THEN 'connected'
 WHEN awaits_start OR import_planned_at IS NULL THEN 'connecting'
 WHEN import_finished_at IS NULL THEN 'importing' ELSE 'connected' END"""

GAUGES: Final = (
    Gauge(
        "mailboxes",
        "Mailboxes by their state, as the API names it.",
        f"SELECT {_STATE} AS state, count(*) FROM {_CONNECTED} GROUP BY 1 ORDER BY 1",
        "state",
    ),
    Gauge(
        "mailbox_errors",
        "Mailboxes in trouble, by the error's code (docs/reference/troubleshooting.md).",
        f"SELECT error_code, count(*) FROM {_CONNECTED} AND error_code <> '' GROUP BY 1 ORDER BY 1",
        "code",
    ),
    Gauge(
        "mailbox_lag_max_seconds",
        "The longest time since the last look at a mailbox, of those that are neither paused nor to be reconnected.",
        f"SELECT coalesce(max({_LAG}), 0) FROM {_SYNCED}",
    ),
    Gauge(
        "mailboxes_failing_a_day",
        "Mailboxes that have failed for more than a day.",
        f"SELECT count(*) FROM {_CONNECTED} AND failing_since < now() - interval '1 day'",
    ),
    Gauge(
        "import_messages",
        "Messages of the imports of all mailboxes: listed, and done so far.",
        "SELECT unnest(ARRAY['listed', 'done']), unnest(ARRAY[coalesce(sum(listed_count), 0),"
        f" coalesce(sum(done_count), 0)]) FROM {_CONNECTED}",
        "state",
    ),
    Gauge(
        "open_slices",
        "Slices of imports that are not finished.",
        "SELECT count(*) FROM mailboxes_importslice WHERE NOT is_done",
    ),
    Gauge(
        "folders_asking",
        "Folders that wait for their owner's answer, by the question.",
        "SELECT held_code, count(*) FROM mailboxes_folder WHERE held_code <> '' GROUP BY 1 ORDER BY 1",
        "question",
    ),
    Gauge(
        "watches",
        "Promises of providers to call when mail arrives: kept, refused (polled until they are not), or over.",
        "SELECT CASE WHEN error_code <> '' THEN 'refused' WHEN remote_id <> '' AND expires_at > now() THEN 'kept'"
        " ELSE 'over' END, count(*) FROM mailboxes_pushwatch GROUP BY 1 ORDER BY 1",
        "state",
    ),
    Gauge(
        "workers",
        "Living processes, by what they do: sessions (of mailboxes) or imports.",
        "SELECT kind, count(*) FROM mailboxes_worker"
        f" WHERE seen_at > now() - interval '{Worker.DEAD_AFTER.total_seconds()} seconds' GROUP BY 1 ORDER BY 1",
        "kind",
    ),
    Gauge(
        "submissions",
        "Messages to be sent that are not finished, by state; `failed` until somebody has closed them.",
        "SELECT state, count(*) FROM outbox_submission"
        " WHERE state IN ('queued', 'sending', 'in_doubt', 'unknown', 'failed') GROUP BY 1 ORDER BY 1",
        "state",
    ),
    Gauge(
        "messages_estimate",
        "Stored messages, as PostgreSQL estimates (pg_class.reltuples).",
        "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'correspondence_message'::regclass",
    ),
    Gauge(
        "sightings_estimate",
        "Messages seen and not kept, as PostgreSQL estimates.",
        "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'correspondence_sighting'::regclass",
    ),
    Gauge(
        "problem_messages",
        "Messages kept without their text, by the reason.",
        "SELECT problem, count(*) FROM correspondence_message WHERE problem <> '' GROUP BY 1 ORDER BY 1",
        "problem",
    ),
)
TROUBLES_NAME: Final = "mailbox_troubles"
TROUBLES_MEANING: Final = (
    "Mailboxes in trouble in any direction, by what the worst comes down to: reconnect (its owner acts), administrator"
    " (of the mail service), operator (of this Postroom), slow or limit (nobody)."
)
LAG_NAME: Final = "mailbox_lag_seconds"
LAG_MEANING: Final = (
    "Time since the last look at each mailbox that is neither paused nor to be reconnected, as a histogram of now."
)
BUILD_NAME: Final = "build_info"
BUILD_MEANING: Final = "1, with the version that answers."
PROCESS_LABELS: Final = ("process", "worker")


def documented() -> Iterator[tuple[str, str, str]]:
    """(name, labels, meaning) of everything, as docs/how-to/watch-postroom.md has it."""
    for gauge in GAUGES:
        yield PREFIX + gauge.name, gauge.label, gauge.meaning
    yield PREFIX + TROUBLES_NAME, "meaning", TROUBLES_MEANING
    yield PREFIX + LAG_NAME, "le", LAG_MEANING
    for name, counter in COUNTERS.items():
        yield f"{PREFIX}{name}_total", ", ".join(filter(None, (*PROCESS_LABELS, counter.label))), counter.meaning
    yield PREFIX + BUILD_NAME, "version", BUILD_MEANING


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything in the exposition format that is asked for. 404 to whoever may not know; 503 without a database."""
    if not _may_read(request):
        raise Http404
    registry = CollectorRegistry()
    registry.register(PostroomCollector())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        return HttpResponse(encode(registry), content_type=content_type)
    except Error:
        return HttpResponse("The database does not answer.\n", status=503, content_type="text/plain")


def _may_read(request: HttpRequest) -> bool:
    """Whether it comes from this machine, or with the token of POSTROOM_METRICS_TOKEN.

    A proxy comes from this machine too, for anybody: it is told by the name it was asked for, or by what it adds.
    """
    token = os.environ.get("POSTROOM_METRICS_TOKEN", "")
    given = request.headers.get("Authorization", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    is_forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host"))
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return not is_forwarded and _is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_loopback(host.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class PostroomCollector(Collector):
    """Asks the database when a registry collects."""

    def collect(self) -> Iterable[Metric]:
        yield from map(_gauge, GAUGES)
        yield _troubles()
        yield _lag()
        yield from _process_counters()
        build = GaugeMetricFamily(PREFIX + BUILD_NAME, BUILD_MEANING, labels=["version"])
        build.add_metric([__version__], 1)
        yield build

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the database."""
        return ()


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _gauge(gauge: Gauge) -> Metric:
    family = GaugeMetricFamily(PREFIX + gauge.name, gauge.meaning, labels=[gauge.label] if gauge.label else [])
    for *label, value in _rows(gauge.statement):
        family.add_metric(label, float(value))
    return family


def _troubles() -> Metric:
    """As cards and `postroom doctor` tell it; 0 for a meaning that no mailbox has, so that an alarm may end."""
    counts = Counter(meaning(mailbox) for mailbox in in_trouble(Mailbox.objects.filter(disconnected_at=None)))
    family = GaugeMetricFamily(PREFIX + TROUBLES_NAME, TROUBLES_MEANING, labels=["meaning"])
    for one in WORDS:
        family.add_metric([one], float(counts[one]))
    return family


def _lag() -> Metric:
    counts = ", ".join(f"count(*) FILTER (WHERE lag <= {bound})" for bound in LAG_BOUNDS)
    statement = f"SELECT {counts}, count(*), coalesce(sum(lag), 0) FROM (SELECT {_LAG} AS lag FROM {_SYNCED}) lags"
    [(*within, count, total)] = _rows(statement)
    buckets = [(str(bound), float(number)) for bound, number in zip(LAG_BOUNDS, within, strict=True)]
    family = GaugeHistogramMetricFamily(PREFIX + LAG_NAME, LAG_MEANING)
    family.add_metric([], [*buckets, ("+Inf", float(count))], gsum_value=float(total))
    return family


def _process_counters() -> Iterator[Metric]:
    """One series a living process, of those counters that it has used."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for kind, name, counts in Worker.living().order_by("seen_at").values_list("kind", "name", "counters"):
        found[kind, name] = counts  # a worker that was taken for dead has two rows; the later one goes on counting
    for name, counter in COUNTERS.items():
        labels = [*PROCESS_LABELS, *([counter.label] if counter.label else [])]
        family = CounterMetricFamily(PREFIX + name, counter.meaning, labels=labels)
        for process, counts in found.items():
            for key, value in counts.items():
                own_name, _, label = key.partition(":")
                if own_name == name:
                    family.add_metric([*process, *([label] if counter.label else [])], float(value))
        yield family
