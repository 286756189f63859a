"""Judge the IMAP wire by recorded servers: MailKit's transcripts and IMAPClient's table of responses.

    bench/imap_exam.py [--corpora FOLDER] [--json]

Ends with one JSON object {transcripts, parsed, responses, by_kind, strays, cases, cases_right, failures}.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from postroom.providers.errors import ProtocolViolation
from postroom.providers.imap.fetched import Fetch
from postroom.providers.imap.responses import Folder, FolderStatus, Other, Status, Stray
from postroom.providers.imap.tokens import parse_values
from postroom.providers.imap.wire import Wire

# What a transcript's name promises; each looks at the events of that file.
EXPECTED = {
    "dovecot/fetch-partial-changedsince": lambda events: events[0].modseq == 4,
    "domino/fetch-extra-parens": lambda events: all("ENVELOPE" in e.others for e in events if isinstance(e, Fetch)),
    "domino/list-inbox": lambda events: events[0].delimiter == "\\" and events[0].name == "Inbox",
    "yandex/getbodypart-missing-content": lambda events: events[0].sections["2"] is None,
    "uw/preauth-greeting": lambda events: events[0].condition == "PREAUTH" and events[0].code.name == "CAPABILITY",
    "metadata/setmetadata-noprivate": lambda events: events[-1].code.name == "METADATA",
    "gmail/status-inbox-appendlimit-nil": lambda events: any(isinstance(e, FolderStatus) for e in events),
    "exchange/issue115": lambda events: isinstance(events[0], Stray) and events[-1].condition == "OK",
}


def read_transcript(octets: bytes) -> list[Any]:
    """All events of a transcript; raise ProtocolViolation when it is not read to its end."""
    wire = Wire()
    # Kept with LF in git, recorded with CRLF: the literals' sizes say so.
    wire.receive_data(octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    events = []
    while (event := wire.next_event()) is not None:
        events.append(event)
    if not wire.is_between_responses:
        raise ProtocolViolation("unreadable_response", server_words="ends inside a response")
    return events


def is_as_told(name: str, events: list[Any]) -> bool:
    if name in EXPECTED:
        return bool(EXPECTED[name](events))
    kinds = {"fetch": Fetch, "list": Folder, "lsub": Folder, "xlist": Folder, "status": FolderStatus}
    # strato.de answers XLIST with nothing; every "fetch…" holds a FETCH and so on
    kind = kinds.get(name.split("/")[1].split("-")[0].split(".")[0].rstrip("0123456789"))
    if kind and name != "strato.de/xlist" and not any(isinstance(event, kind) for event in events):
        return False
    return bool(events) and not any(isinstance(event, Stray) for event in events)


def as_tuple(value: Any) -> Any:
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value


def is_case_right(case: dict[str, Any]) -> bool:
    raw = ast.literal_eval(case["raw"]) if isinstance(case["raw"], str) else case["raw"]
    if isinstance(raw, list):  # a literal that is shorter than announced must not become a value
        wire = Wire()
        first = raw[0] if isinstance(raw[0], tuple) else ast.literal_eval(raw[0])
        wire.receive_data(b"\r\n".join(first) + b"\r\n")
        return wire.next_event() is None
    try:
        values = parse_values([raw])
    except ProtocolViolation:
        return case["kind"] == "_test_parse_error"
    if case["kind"] == "_test_parse_error":
        return False
    expected = ast.literal_eval(case["expected"])
    got = as_tuple(values)
    return got == expected or (len(got) == 1 and got[0] == expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=Path("/work/shared/corpora"))
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args()

    folder, by_kind, failures = options.corpora / "imap-mailkit", Counter[str](), []
    names = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.txt"))
    names = [name for name in names if not name.startswith("smtp/") and name != "LICENSE"]
    for name in names:
        try:
            events = read_transcript((folder / f"{name}.txt").read_bytes())
        except ProtocolViolation as violation:
            failures.append(f"{name}: {violation}")
            continue
        by_kind.update(e.name if isinstance(e, Other) else type(e).__name__ for e in events)
        if not is_as_told(name, events):
            failures.append(f"{name}: {[e for e in events if isinstance(e, Stray | Status)][:3]}")
    cases = json.loads((options.corpora / "imap-imapclient/response_cases.json").read_text())
    wrong = [case for case in cases if not is_case_right(case)]
    failures += [f"imapclient {case['test']}: {case['raw']}" for case in wrong]
    for failure in failures if not options.json else ():
        print("FAILED", failure)
    result = {
        "transcripts": len(names),
        "parsed": len(names) - (len(failures) - len(wrong)),
        "responses": sum(by_kind.values()),
        "by_kind": dict(by_kind.most_common()),
        "cases": len(cases),
        "cases_right": len(cases) - len(wrong),
        "failures": failures,
    }
    print(json.dumps(result))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
