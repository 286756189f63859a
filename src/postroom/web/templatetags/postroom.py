"""Icons, times, sizes, initials: the small marks that every page shows."""

from __future__ import annotations

import zlib
from datetime import datetime
from pathlib import PurePath
from uuid import UUID

from django import template
from django.contrib.staticfiles.storage import staticfiles_storage
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from postroom.correspondence.models import Direction
from postroom.filing.models import Reason
from postroom.filing.threads import ThreadMessage
from postroom.mailboxes.models import HealthDay
from postroom.outbox.models import Submission
from postroom.providers import catalogue
from postroom.web import health_page
from postroom.web.open_thread import OpenThread

register = template.Library()
AVATAR_COLOURS = ("a", "b", "c", "d")


@register.simple_tag
def icon(name: str, size: str = "", label: str = "") -> SafeString:
    """One icon of icons.svg. `size` is "", "s" or "l"; an icon that stands alone needs a `label`."""
    classes = f"icon icon-{size}" if size else "icon"
    address = f"{staticfiles_storage.url('postroom/icons.svg')}#i-{name}"
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', classes, label, address)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', classes, address)


@register.simple_tag
def moment(at: datetime | None, form: str = "short") -> SafeString | str:
    """A point in time, in the active zone; times.js keeps its words up to date by `data-form`.

    short: "09:26" today, "16 Apr" this year, "16 Apr 2025" else. clock: always "09:26". full: all of it.
    ago: "9 s ago", kept up to date. The exact time is in the title.
    """
    if at is None:
        return ""
    exact = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}" data-form="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        exact.strftime("%A %-d %B %Y, %H:%M:%S %Z"),
        form,
        _words(exact, form),
    )


def _words(at: datetime, form: str) -> str:
    now = timezone.localtime()
    if form == "ago":
        return _ago((now - at).total_seconds())
    if form == "clock" or (form == "short" and at.date() == now.date()):
        return at.strftime("%H:%M")
    if form == "full":
        return at.strftime("%-d %b %Y, %H:%M")
    return at.strftime("%-d %b" if at.year == now.year else "%-d %b %Y")


def _ago(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} ago"
    return f"{max(0, int(seconds))} s ago"


@register.filter
def initials(name: str) -> str:
    """One or two capital letters for an avatar."""
    letters = [word[0] for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(letters[:1] + letters[1:][-1:]).upper() or "?"


@register.filter
def colour(name: object) -> str:
    """The avatar's class: the same person has the same colour everywhere."""
    return AVATAR_COLOURS[zlib.crc32(str(name).lower().encode()) % len(AVATAR_COLOURS)]


@register.filter
def size(octets: int) -> str:
    """A file size for people: 18 kB, 1.2 MB."""
    if octets < 1000:
        return f"{octets} B"
    if octets < 1_000_000:
        return f"{octets / 1000:.0f} kB"
    return f"{octets / 1_000_000:.1f} MB"


@register.filter
def kind_of_file(filename: str) -> str:
    """PDF, XLSX …: the mark of an attachment, at most four letters."""
    suffix = PurePath(filename).suffix.lstrip(".").upper()
    return suffix if suffix.isalnum() and len(suffix) <= 4 else "FILE"


@register.filter
def number(value: int) -> str:
    """12640 → 12,640."""
    return f"{value:,}"


@register.filter
def local_part(address: str) -> str:
    """sales@tidewater.example → sales@"""
    return address.partition("@")[0] + "@"


@register.filter
def took(seconds: float) -> str:
    """How long a step took: 12 ms, 1.9 s."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


@register.filter
def element_id(row_id: UUID | str) -> str:
    """A uuid as (the end of) an element's id."""
    return str(row_id)


@register.simple_tag
def icon_use(name: str) -> SafeString:
    """The <use> alone, for an <svg> with a class of its own."""
    return format_html('<use href="{}#i-{}"/>', staticfiles_storage.url("postroom/icons.svg"), name)


@register.filter
def explanation(submission: Submission) -> catalogue.Entry | None:
    """The catalogue's entry for why a submission failed."""
    return catalogue.explain(submission.error_code, **submission.error_facts) if submission.error_code else None


@register.filter
def is_open(item: ThreadMessage, opened: OpenThread) -> bool:
    """Whether a message of the open thread is shown whole: the one that was asked for, and the newest."""
    return item.message.pk == opened.message_id or item is opened.last


@register.filter
def reply_name(item: ThreadMessage) -> str:
    """Whom an answer to this message addresses, in one word or two."""
    people = item.to if item.message.direction == Direction.OUT else item.from_
    return people[0].name or people[0].address if people else "it"


@register.filter
def state_words(row: HealthDay) -> str:
    """How a mailbox was on that day."""
    return health_page.state_words(row)


@register.filter
def reason_words(reason: str) -> str:
    """The reason of a filing, as it stands beside the record's name."""
    return Reason(reason).label if reason in Reason.values else reason
