"""Which messages are one conversation, and which copies one message: judged by other people's mail.

    python bench/thread_exam.py [CORPORA] [--wrong] [--json]

notmuch's Maildirs are judged by the graph of references, which the standard library's parser reads here; imaptest's
scripts by the answers they expect of THREAD=REFERENCES (RFC 5256). Every case runs in four orders of arrival, a page
each and a message each, as mail does. With --json the last line is one JSON object. Exit status 1 when one is wrong
that is not so by choice.
"""

from __future__ import annotations

import argparse
import email
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from postroom.mail.mime import identity, parse  # noqa: E402
from postroom.mail.threading import ThreadFacts, assign_threads, facts_of  # noqa: E402

Groups = frozenset[frozenset[str]]

# Where we answer otherwise on purpose. (script, number of its answer): why.
BY_CHOICE = {
    ("thread", 1): "messages in a ring of references are one conversation; RFC 5256 cuts the ring and leaves one out",
    ("thread2", 1): "copies with one id and one content are one message; RFC 5256 counts them apart",
    ("thread4", 1): "a common subject makes no conversation: anybody writes 'Re: invoice'",
    ("thread5", 2): "deleting what was answered does not part the answers: history stays on the record",
    ("thread5", 3): "the same",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Messages by name, and how they belong together."""

    name: str
    messages: dict[str, bytes]
    expected: Groups
    key: tuple[str, int] = ("", 0)


@dataclass(slots=True)
class Outcome:
    case: Case
    found: Groups
    verdict: str  # "right", "by choice", "wrong", "depends on the order"


# --- our answer


def threads(messages: dict[str, bytes], names: Sequence[str], page: int) -> Groups:
    """Assign threads as the page writer does: what earlier pages named is known by then."""
    facts = {name: facts_of(parsed := parse(messages[name]), identity(parsed, messages[name])) for name in names}
    known: dict[UUID, UUID] = {}
    thread_of: dict[str, UUID] = {}
    for start in range(0, len(names), page):
        chosen = names[start : start + page]
        refs = {ref for name in chosen for ref in _refs(facts[name])}
        plan = assign_threads([facts[name] for name in chosen], {r: known[r] for r in refs if r in known}, uuid4)
        known = {ref: plan.merges.get(thread, thread) for ref, thread in known.items()} | dict(plan.new_refs)
        thread_of = {name: plan.merges.get(thread, thread) for name, thread in thread_of.items()}
        thread_of |= dict(zip(chosen, plan.thread_of, strict=True))
    return _groups(thread_of)


def _refs(facts: ThreadFacts) -> tuple[UUID, ...]:
    return (facts.key, *facts.refs)


def _groups(of: dict[str, UUID] | dict[str, str]) -> Groups:
    found: dict[object, set[str]] = {}
    for name, thread in of.items():
        found.setdefault(thread, set()).add(name)
    return frozenset(map(frozenset, found.values()))


def judge(case: Case) -> Outcome:
    names, shuffled = sorted(case.messages), sorted(case.messages)
    random.Random(5).shuffle(shuffled)
    answers = {
        threads(case.messages, order, page)
        for order in (names, names[::-1], shuffled, shuffled[::-1])
        for page in (1, max(len(names), 1))
    }
    if len(answers) > 1:
        return Outcome(case, next(iter(answers)), "depends on the order")
    [found] = answers
    living = frozenset().union(*case.expected)
    found = frozenset(group & living for group in found if group & living)
    if found == case.expected:
        return Outcome(case, found, "right")
    return Outcome(case, found, "by choice" if case.key in BY_CHOICE else "wrong")


# --- notmuch: Maildirs


def notmuch(corpora: Path) -> Iterator[Case]:
    for corpus in ("default", "lkml", "duplicate", "threading/ghost-root", "threading/parent-priority", "broken"):
        root = corpora / "thread-notmuch" / corpus
        files = sorted(path for path in root.rglob("*") if path.is_file())
        messages = {str(path.relative_to(root)): path.read_bytes() for path in files}
        yield Case(f"notmuch {corpus}", messages, _by_references(messages))


def _by_references(messages: dict[str, bytes]) -> Groups:
    """The connected components of the graph of ids, by another parser and another algorithm."""
    group_of: dict[str, str] = {}

    def top(name: str) -> str:
        while group_of.setdefault(name, name) != name:
            name = group_of[name]
        return name

    for name, raw in messages.items():
        message = email.message_from_bytes(raw)
        for header in ("message-id", "references", "in-reply-to"):
            for value in message.get_all(header, []):
                for one in re.findall(r"<[^<>\s]+>", str(value)):
                    group_of[top(one)] = top("file " + name)
    return _groups({name: top("file " + name) for name in messages})


def twins(corpora: Path) -> Iterator[tuple[str, bool]]:
    """Same id and other content are two messages, which share their id's key; the same bytes by another way are one."""
    files = sorted((corpora / "thread-notmuch" / "duplicate").glob("msg-*"))
    read = {path.name: (parse(raw), raw) for path in files for raw in [path.read_bytes()]}
    for name, (message, raw) in read.items():
        same_id = [one for one in read if read[one][0].internet_message_id == message.internet_message_id]
        identities = {identity(*read[one]) for one in same_id}
        yield f"{name}: {len(same_id)} under one id are {len(identities)} messages", len(identities) == len(same_id) > 1
        relayed = b"Received: from elsewhere\r\nX-Spam: no\r\n" + raw
        yield f"{name}: by another way", identity(parse(relayed), relayed) == identity(message, raw)


# --- imaptest: scripts with a mailbox each


def imaptest(corpora: Path) -> Iterator[Case]:
    folder = corpora / "imap-imaptest"
    for script in sorted(folder.glob("thread*")):
        if script.suffix == ".mbox" or "orderedsubject" in script.name:  # that one threads by subject alone
            continue
        yield from _play(script.name, script.read_text(), _mbox(script.with_suffix(".mbox").read_bytes()))


def _mbox(raw: bytes) -> list[bytes]:
    return [part.partition(b"\n")[2] for part in re.split(rb"(?m)^(?=From )", raw) if part]


def _play(name: str, script: str, waiting: list[bytes]) -> Iterator[Case]:
    """Follow a script: what it appends, deletes and asks. Each answer it expects is a case."""
    stored = {f"{number}": raw for number, raw in enumerate(waiting, 1)} if "messages: all" in script else {}
    everything, numbered, answers = dict(stored), list(stored), 0
    doomed: list[str] = []
    for line in map(str.strip, script.lower().splitlines()):
        if line == "ok append":
            key = f"{len(everything) + 1}"
            everything[key] = waiting[len(everything)]
            numbered.append(key)
        elif found := re.match(r"ok store ([\d,]+) \+flags \\deleted", line):
            doomed = [numbered[int(number) - 1] for number in found[1].split(",")]
        elif line == "ok expunge":
            numbered = [key for key in numbered if key not in doomed]
        elif line.startswith("* thread"):
            answers += 1
            expected = frozenset(frozenset(numbered[int(n) - 1] for n in group) for group in _top_groups(line))
            yield Case(f"imaptest {name} {answers}", dict(everything), expected, (name, answers))


def _top_groups(answer: str) -> Iterator[list[str]]:
    """The numbers in each outermost parenthesis."""
    depth, group = 0, ""
    for letter in answer:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        group += letter if depth else ""
        if not depth and group:
            yield re.findall(r"\d+", group)
            group = ""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("corpora", nargs="?", type=Path, default=ROOT.parent / "shared" / "corpora")
    arguments.add_argument("--wrong", action="store_true", help="list what differs")
    arguments.add_argument("--json", action="store_true", help="one JSON object as the last line")
    chosen = arguments.parse_args()
    outcomes = [judge(case) for source in (notmuch, imaptest) for case in source(chosen.corpora)]
    print(f"{'case':34} {'messages':>8} {'threads':>8}  verdict")
    for one in outcomes:
        print(f"{one.case.name:34} {len(one.case.messages):8} {len(one.found):8}  {one.verdict}")
        if one.verdict == "by choice":
            print(f"{'':52}  {BY_CHOICE[one.case.key]}")
        if chosen.wrong and one.verdict not in ("right", "by choice"):
            print(f"    only ours:   {sorted(map(sorted, one.found - one.case.expected))}")
            print(f"    only theirs: {sorted(map(sorted, one.case.expected - one.found))}")
    identities = list(twins(chosen.corpora))
    for words, is_right in identities:
        if not is_right:
            print(f"twins: {words}: wrong")
    verdicts = [one.verdict for one in outcomes]
    figures = {
        "cases": len(outcomes),
        "messages": sum(len(one.case.messages) for one in outcomes),
        "right": verdicts.count("right"),
        "by_choice": verdicts.count("by choice"),
        "wrong": len(verdicts) - verdicts.count("right") - verdicts.count("by choice"),
        "identities": len(identities),
        "identities_right": sum(is_right for _, is_right in identities),
    }
    print(json.dumps(figures) if chosen.json else figures)
    return int(figures["wrong"] > 0 or figures["identities"] != figures["identities_right"])


if __name__ == "__main__":
    sys.exit(main())
