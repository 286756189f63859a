"""What a look on the servers comes to, in words: where the message is, and why it is not in Postroom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from postroom.filing.server_finds import Found, FoundCode
from postroom.filing.server_look import MailboxLook

VerdictCode = FoundCode | Literal["nowhere", "not_in_searched", "not_asked"]

# What explains a missing message best stands first.
_TITLES: Final[dict[FoundCode, str]] = {
    "folder_not_read": "It is in {place}, a folder that is not read",
    "in_junk": "It is among the spam, in {place}",
    "not_kept": "It is in {place}, and was not kept",
    "missing": "It is in {place}, and was not fetched yet",
    "before_window": "It is in {place}, and older than what is imported",
    "in_trash": "It was deleted, and is in {place}",
    "not_begun": "It is in {place}, whose import has not begun",
    "being_fetched": "It is on its way from {place}",
    "in_drafts": "It was never sent: it is in {place}",
    "here": "It is in Postroom already",
}
_TELLING: Final = tuple(_TITLES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: `code` for programs, `title` and `detail` for people."""

    code: VerdictCode
    title: str
    detail: str


def verdict(looks: Sequence[MailboxLook]) -> Verdict:
    """Of all mailboxes together, once they are through."""
    found = [one for look in looks for one in look.found]
    if found:
        best = min(found, key=lambda one: _TELLING.index(one.code))
        title = _TITLES[best.code].format(place=f"{best.folder_name} of {best.mailbox.address}")
        others = sum(1 for one in found if one is not best and one.code != "here")
        more = (
            f" {others} more place{'' if others == 1 else 's'} with mail that is not here: see below." if others else ""
        )
        return Verdict(best.code, title, f"{sentence(best)}{more}")
    asked = [look for look in looks if look.state == "done"]
    if not asked:
        why = "Why is said below." if looks else "No mailbox is connected that you may read."
        return Verdict("not_asked", "No mailbox could be asked", why)
    folders = sum(look.looked_in for look in asked)
    searched = f"{folders:,} folder{'' if folders == 1 else 's'} of {', '.join(look.mailbox.address for look in asked)}"
    if all(look.is_whole for look in looks):
        detail = f"It is in none of the {searched}, spam and trash included. It never arrived there, or was deleted for"
        detail += " good. Whether it was handed over can be looked up by the sender's mail provider, or by your mail"
        detail += " administrator: give them the addresses, the day, and the Message-ID if you have it."
        return Verdict("nowhere", "It never arrived at these mailboxes", detail)
    detail = f"It is in none of the {searched} that could be searched. What was not searched is named below."
    return Verdict("not_in_searched", "It was not found, and not everything could be searched", detail)


def sentence(found: Found) -> str:
    """What is there, why it is not here, and what to do."""
    one = found.count == 1
    what = f"{'at least ' if found.is_floor else ''}{found.count:,} message{'' if one else 's'}, {_days(found)}:"
    it, they_are, lies = ("it", "it is", "lies") if one else ("them", "they are", "lie")
    mailbox = found.mailbox.address
    told = {
        "here": "stored already.",
        "being_fetched": f"{they_are} being fetched, and will be here by {'itself' if one else 'themselves'}.",
        "missing": f"the folder is read, and yet {they_are} not here. Postroom was told just now to fetch {it}.",
        "not_kept": f"{mailbox} keeps only mail with a record on it, and no record has {found.address or 'an address'}."
        f" Add the address to a contact, and {they_are} fetched.",
        "before_window": f"older than what is imported of {mailbox}. {_back(found)}",
        "not_begun": f"{mailbox} waits for a yes; its mail is read from then on.",
        "folder_not_read": f"the folder is not read. {found.reason}".rstrip(),
        "in_junk": f"the mail server took {it} for spam, and spam is not read. In your mail program, move {it} to the"
        f" inbox: Postroom reads {it} there.",
        "in_trash": f"somebody or a rule deleted {it}, and the trash is not read. In your mail program, move {it} back:"
        f" Postroom reads {it} there.",
        "in_drafts": f"{lies} among the drafts, which are not read, and left for nobody.",
    }[found.code]
    if found.code in ("folder_not_read", "in_junk", "in_trash") and found.days is not None:
        told += f" {they_are.capitalize()} also older than what is imported. {_back(found)}"
    return f"{what[0].upper()}{what[1:]} {told}"


def _back(found: Found) -> str:
    if found.days is None:
        return "It is too old to be imported."
    return f"Import the last {found.days} days to have it."


def _days(found: Found) -> str:
    first, last = _day(found.first_on), _day(found.last_on)
    return first if first == last else f"{first} to {last}"


def _day(day: date) -> str:
    return f"{day:%-d %B %Y}"
