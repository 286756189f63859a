"""Tells those concerned about a mailbox that fails, by mail from another mailbox of the workspace; once.

What a person has to mend is told after an hour, what may pass by itself after a day. The owner is always told;
administrators too where he cannot mend it alone, or is gone. Receiving and sending are told apart, since either may
fail alone, but not twice: what stops both is told with receiving.

Who is told is claimed in the transaction that queues the letters, so two workers tell nobody twice, and one that dies
in between has told nobody. A mailbox that works again forgets that its owner was told (mailboxes/health.py). Where the
workspace has no other mailbox that works, the notice on every page is all there is (web/failing.py).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.troubles import Trouble, passing_codes, troubles_of
from postroom.outbox.notices import Letter, each_once, numbered, send_letter
from postroom.workspaces.members import administrators
from postroom.workspaces.models import User

MOST_AT_ONCE = 50
_WANTED: Final = "disconnected_at IS NULL AND paused_at IS NULL"
_PATIENCE: Final = "now() - CASE WHEN {code} = ANY (%(passing)s) THEN interval '1 day' ELSE interval '1 hour' END"
_NO_ALARM: Final = """NOT EXISTS (SELECT 1 FROM mailboxes_grant g JOIN mailboxes_oauthapp a USING (workspace_id)
 WHERE g.mailbox_id = mailboxes_mailbox.id AND a.provider = g.app AND a.error_code <> '')"""  # app_notice.py tells
_RECEIVING: Final = f"""{_WANTED} AND (reads OR needs_reconnect)
 AND failing_since < {_PATIENCE.format(code="error_code")}
 AND coalesce(owner_told_at < failing_since, true) AND {_NO_ALARM}"""
_SENDING: Final = f"""{_WANTED} AND sends AND sending_state = 'failing' AND failing_since IS NULL
 AND sending_failing_since < {_PATIENCE.format(code="sending_code")}
 AND coalesce(sending_told_at < sending_failing_since, true) AND {_NO_ALARM}"""
_RULES: Final = (("owner_told_at", _RECEIVING), ("sending_told_at", _SENDING))


def tell_owners() -> int:
    """Write to those who were not told yet; return to how many people."""
    told = 0
    for column, untold in _RULES:
        for mailbox_id in _find(untold):
            with transaction.atomic():
                if _claim(mailbox_id, column, untold):
                    told += _write(Mailbox.objects.select_related("owner").get(pk=mailbox_id), column)
    return told


def _find(untold: str) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM mailboxes_mailbox WHERE {untold} LIMIT {MOST_AT_ONCE}",  # noqa: S608
            {"passing": passing_codes()},
        )
        return [mailbox_id for (mailbox_id,) in cursor.fetchall()]


def _claim(mailbox_id: UUID, column: str, untold: str) -> bool:
    """Whether it is ours to tell. Whoever comes second waits for our transaction and then finds it told."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE mailboxes_mailbox SET {column} = now() WHERE id = %(id)s AND {untold} RETURNING 1",  # noqa: S608
            {"id": mailbox_id, "passing": passing_codes()},
        )
        return cursor.fetchone() is not None


def _write(failing: Mailbox, column: str) -> int:
    found = troubles_of(failing)
    trouble = next((one for one in found if (one.direction == "sending") == (column == "sending_told_at")), None)
    trouble = trouble or (found[0] if found else None)
    return send_letter(failing.workspace_id, concerned(failing, trouble), letter(failing, trouble), besides=failing.pk)


def concerned(failing: Mailbox, trouble: Trouble | None) -> list[User]:
    """Whom a trouble of a mailbox concerns: its owner; the administrators where he alone cannot mend it."""
    is_beyond_him = trouble is not None and trouble.meaning in ("administrator", "operator")
    is_without_owner = not failing.owner.is_active
    others = administrators(failing.workspace_id) if is_beyond_him or is_without_owner else []
    return each_once([failing.owner, *others])


def letter(failing: Mailbox, trouble: Trouble | None) -> Letter:
    """The letter, in the catalogue's words."""
    is_sending = trouble is not None and trouble.direction == "sending"
    since = failing.sending_failing_since if is_sending else failing.failing_since
    lines = [f"Postroom has not been able to {'send from' if is_sending else 'read'} the mailbox {failing.address}"]
    lines.append(f"since {since:%d %B %Y, %H:%M} UTC." if since else "for a while.")
    if trouble is not None:
        lines += ["", f"{trouble.words.title}. {trouble.words.who}", "", trouble.entry.what]
        lines += numbered(trouble.entry.fix)
    lines += ["", f"See the mailbox: {settings.BASE_URL}/settings/mailboxes/{failing.pk}/", ""]
    if is_sending:
        lines.append("Nothing is lost: what waits to be sent leaves as soon as it can. Receiving goes on meanwhile.")
    else:
        lines.append("Nothing is lost: mail stays in the mailbox and is fetched as soon as it can be read again.")
    lines.append("Postroom goes on trying, and writes to you about this once.")
    return Letter(f"Postroom cannot {'send from' if is_sending else 'read'} {failing.address}", tuple(lines))
