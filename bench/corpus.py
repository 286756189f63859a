"""A realistic mailbox as a Maildir: the same octets for the same arguments.

5 languages in 9 charsets, quoted-printable, base64, 7bit and 8bit, encoded subjects and names, text beside HTML, 60 %
replies with up to 12 references, 20 % sent by the owner, 10 % with an attachment of 50 to 500 kB, 300 people of whom
few write much. 53 kB a message. Files have CRLF and Dovecot's `,S=,W=` in their names, so nothing has to be delivered
first.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime, formataddr
from pathlib import Path
from urllib.parse import quote

from bench.corpus_words import ATTACHMENTS, COMPANIES, FIRST_NAMES, LANGUAGES, LAST_NAMES, Language, wrapped

OWNER_ADDRESS = "bench@example.org"
SEED = 7
DAYS = 360  # a 365-day backfill covers all of it for some days to come
CACHE = Path(__file__).resolve().parents[1] / "var" / "bench"
_FRESH = timedelta(days=3)

REPLIES = 0.6
SENT = 0.2
WITH_ATTACHMENT = 0.1
SEEN = 0.9
OPEN_THREADS = 400  # a reply answers one of the latest threads
MOST_REFERENCES = 12

_CRLF = "\r\n"
_LONGEST_LINE = 990  # RFC 5322 section 2.1.1 allows 998
_BLOB = random.Random(1).randbytes(600_000)
_STYLE = (
    '<style type="text/css">body{font-family:Calibri,sans-serif;font-size:11pt;} '
    "p.MsoNormal{margin:0cm;margin-bottom:.0001pt;} a:link{color:#0563C1;text-decoration:underline;} "
    ".x{border-collapse:collapse}</style>"
)
_SIGNATURE = "\n\n-- \nMe Myself\nExample Org\n+49 30 123456\n"


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    address: str


def _people(count: int) -> tuple[Person, ...]:
    chance = random.Random(SEED)
    return tuple(
        Person(
            f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}",
            f"person{number}@{chance.choice(COMPANIES)}{number % 40}.example.com",
        )
        for number in range(count)
    )


OWNER = Person("Me Myself", OWNER_ADDRESS)
PEOPLE = _people(300)
_WEIGHTS = [1 / (number + 3) for number in range(len(PEOPLE))]  # Zipf


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """What a correct import must find: how many messages, and the people in any of them (numbers in PEOPLE)."""

    messages: int
    people: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A written mailbox. `newest` is the time of its last message."""

    maildir: Path
    messages: int
    inbox: int
    sent: int
    octets: int
    with_attachment: int
    newest: datetime
    threads: tuple[ThreadFacts, ...] = field(repr=False)

    def belonging(self, share: float) -> tuple[tuple[Person, ...], int]:
        """People, and how many messages their threads hold: as close below `share` of all as they get.

        A thread belongs as a whole when one of the people is in one of its messages.
        """
        if share >= 1:
            return PEOPLE, self.messages
        order = random.Random(SEED).sample(range(len(PEOPLE)), len(PEOPLE))
        chosen: set[int] = set()
        threads: set[int] = set()
        count = 0
        for person in order:
            more = {at for at, thread in enumerate(self.threads) if person in thread.people} - threads
            grown = count + sum(self.threads[at].messages for at in more)
            if grown <= share * self.messages:
                chosen.add(person)
                threads |= more
                count = grown
        return tuple(PEOPLE[person] for person in sorted(chosen)), count


def write(maildir: Path, messages: int, *, newest: datetime, days: int = DAYS, seed: int = SEED) -> Corpus:
    """Write the mailbox into an empty folder. Dates and INTERNALDATEs (mtime) spread evenly over `days`."""
    for folder in (maildir, maildir / ".Sent"):
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    generator = _Generator(random.Random(seed))
    oldest, step = newest - timedelta(days=days), timedelta(days=days) / max(messages - 1, 1)
    octets = sent = 0
    for number in range(messages):
        at = (oldest + number * step).replace(microsecond=0)
        is_sent, raw = generator.message(number, at)
        flags = "S" if generator.chance.random() < SEEN else ""
        stamp = int(at.timestamp())
        name = f"{stamp}.M{number}P1.bench,S={len(raw)},W={len(raw)}:2,{flags}"
        file = (maildir / ".Sent" if is_sent else maildir) / "cur" / name
        file.write_bytes(raw)
        os.utime(file, (stamp, stamp))
        octets += len(raw)
        sent += is_sent
    return Corpus(
        maildir=maildir,
        messages=messages,
        inbox=messages - sent,
        sent=sent,
        octets=octets,
        with_attachment=generator.with_attachment,
        newest=newest,
        threads=tuple(ThreadFacts(len(thread.ids), tuple(sorted(thread.people))) for thread in generator.threads),
    )


def cached(messages: int) -> Corpus:
    """The mailbox of that size that ends today, in var/bench/corpus-N; written anew when it is some days old."""
    folder = CACHE / f"corpus-{messages}"
    facts = folder / "corpus.json"
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if facts.exists():
        corpus = _read(folder / "Maildir", facts)
        if today - corpus.newest < _FRESH:
            return corpus
    shutil.rmtree(folder, ignore_errors=True)
    corpus = write(folder / "Maildir", messages, newest=today)
    told = asdict(corpus) | {"maildir": "", "newest": corpus.newest.isoformat()}
    facts.write_text(json.dumps(told))
    return corpus


def _read(maildir: Path, facts: Path) -> Corpus:
    told = json.loads(facts.read_text())
    threads = tuple(ThreadFacts(thread["messages"], tuple(thread["people"])) for thread in told["threads"])
    newest = datetime.fromisoformat(told["newest"])
    return Corpus(**told | {"maildir": maildir, "newest": newest, "threads": threads})


@dataclass(slots=True)
class _Thread:
    """A conversation while it is written."""

    language: Language
    subject: str
    other: int
    ids: list[str] = field(default_factory=list)
    people: set[int] = field(default_factory=set)
    last_text: str = ""
    last_date: str = ""


class _Generator:
    """Makes one message after the other; all chance comes from one seeded source."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.threads: list[_Thread] = []
        self.with_attachment = 0
        self._paragraphs = {
            language.code: [self._paragraph(language, chance.randint(200, 900)) for _ in range(400)]
            for language in LANGUAGES
        }

    def message(self, number: int, at: datetime) -> tuple[bool, bytes]:
        """(whether the owner sent it, the message with CRLF line ends)."""
        chance = self.chance
        is_sent = chance.random() < SENT
        thread, is_reply = self._thread(number)
        size = int(5000 * 8 ** chance.random())
        text, html = self._bodies(thread, size)
        charset = _weighted(chance, thread.language.charsets)
        message_id = f"<{chance.getrandbits(80):x}.{number}@mail{number % 7}.example.net>"
        copied = chance.choices(range(len(PEOPLE)), _WEIGHTS, k=chance.choice([0, 0, 0, 1, 2]))
        date = format_datetime(at)
        headers = [] if is_sent else list(self._trace_headers(date))
        sender, recipient = (OWNER, PEOPLE[thread.other]) if is_sent else (PEOPLE[thread.other], OWNER)
        headers += [
            f"From: {_address(sender)}",
            f"To: {_address(recipient)}",
            f"Subject: {_encoded_subject(('Re: ' if is_reply else '') + thread.subject, charset)}",
            f"Date: {date}",
            f"Message-ID: {message_id}",
        ]
        if copied:
            headers.append("Cc: " + ",\r\n ".join(_address(PEOPLE[person]) for person in copied))
        if is_reply:
            references = thread.ids[-MOST_REFERENCES:]
            headers += [f"In-Reply-To: {references[-1]}", "References: " + "\r\n ".join(references)]
        content_type, body = self._content(number, text, html, charset)
        headers += ["MIME-Version: 1.0", content_type]
        raw = _CRLF.join(headers).encode() + b"\r\n\r\n" + body
        thread.ids.append(message_id)
        thread.people |= {thread.other, *copied}
        thread.last_text, thread.last_date = text[:3000], date
        return is_sent, raw

    def _thread(self, number: int) -> tuple[_Thread, bool]:
        """The thread of the next message, and whether it answers one."""
        chance = self.chance
        if self.threads and chance.random() < REPLIES:
            return chance.choice(self.threads[-OPEN_THREADS:]), True
        language = chance.choices(LANGUAGES, [language.share for language in LANGUAGES])[0]
        subject = f"{self._sentence(language, chance.randint(3, 9))[:-1]} #{number}"
        thread = _Thread(language, subject, chance.choices(range(len(PEOPLE)), _WEIGHTS)[0])
        self.threads.append(thread)
        return thread, False

    def _sentence(self, language: Language, words: int) -> str:
        text = " ".join(self.chance.choices(language.words, k=words))
        return text[:1].upper() + text[1:] + self.chance.choice("...?!")

    def _paragraph(self, language: Language, octets: int) -> str:
        sentences: list[str] = []
        length = 0
        while length < octets:
            sentences.append(self._sentence(language, self.chance.randint(6, 18)))
            length += len(sentences[-1].encode()) + 1
        return " ".join(sentences)

    def _bodies(self, thread: _Thread, octets: int) -> tuple[str, str]:
        """Text and HTML of about `octets` together, quoting the message before."""
        chance = self.chance
        text_octets = int(octets * chance.uniform(0.15, 0.35))
        paragraphs: list[str] = []
        while sum(len(paragraph.encode()) for paragraph in paragraphs) < text_octets:
            paragraphs.append(chance.choice(self._paragraphs[thread.language.code]))
        text = "\n\n".join(map(wrapped, paragraphs))
        quoted = ""
        if thread.ids:
            lines = "\n".join("> " + line for line in thread.last_text.split("\n")[:60])
            text += f"\n\nOn {thread.last_date} wrote:\n{lines}"
            quoted = (
                f'<blockquote type="cite"><div>On {thread.last_date} wrote:</div>'
                f"<p>{wrapped(thread.last_text[:1500])}</p></blockquote>"
            )
        return text + _SIGNATURE, self._html(paragraphs, octets - text_octets) + quoted + "</div></body></html>\n"

    def _html(self, paragraphs: Sequence[str], octets: int) -> str:
        """What a desktop mail program makes of the paragraphs: much style, few words, a tracking pixel."""
        pieces = [
            f'<html><head><meta http-equiv="Content-Type" content="text/html">{_STYLE}</head>\n'
            '<body lang="EN-US" link="#0563C1"><div class="WordSection1">\n'
        ]
        length, count = 400, 0
        while length < octets:
            paragraph = wrapped(paragraphs[count % len(paragraphs)])
            count += 1
            piece = (
                '<p class="MsoNormal" style="margin-top:0;color:#1F497D"><span style="font-family:&quot;Arial&quot;,'
                f'sans-serif;font-size:10pt">{paragraph}</span> <a href="https://example.com/t/'
                f'{self.chance.getrandbits(64):x}?utm_source=mail&amp;id={count}"><b>link</b></a><o:p></o:p></p>\n'
            )
            if count % 7 == 0:
                piece = (
                    '<table class="x" width="100%" cellpadding="0" border="0"><tr>'
                    '<td style="padding:4px;background:#fff">'
                    f'<img src="https://track.example.com/{count}.png" width="1" height="1">{piece}</td>'
                    "<td>&nbsp;</td></tr></table>\n"
                )
            pieces.append(piece)
            length += len(piece.encode())
        return "".join(pieces)

    def _trace_headers(self, date: str) -> Iterator[str]:
        """What servers on the way add to a message that arrives."""
        chance = self.chance
        host, spam = chance.randint(1, 99), chance.randint(1, 99)
        signature = base64.b64encode(chance.randbytes(40)).decode()
        for _ in range(2):
            hop = chance.randint(1, 99)
            yield (
                f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop}])\r\n\tby mail.example.org"
                f" (Postfix) with ESMTPS id 4{chance.getrandbits(60):x}\r\n\tfor <{OWNER_ADDRESS}>; {date}"
            )
        yield (
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net;\r\n\ts=sel{host};"
            f" h=from:to:subject:date:message-id;\r\n\tbh={signature}; b={signature}{signature}\r\n\t{signature}"
        )
        yield "Authentication-Results: mail.example.org; dkim=pass header.d=example.net; spf=pass; dmarc=pass"
        yield "X-Mailer: Microsoft Outlook 16.0"
        yield f"X-Spam-Status: No, score=-{spam}.1 required=5.0 tests=DKIM_SIGNED,DKIM_VALID"

    def _content(self, number: int, text: str, html: str, charset: str) -> tuple[str, bytes]:
        """The Content-Type line and the body, with an attachment in one message of ten."""
        inner = f"----=_alt_{self.chance.getrandbits(64):x}"
        body = b"".join(
            self._text_part(inner, content_type, content, charset)
            for content_type, content in (("text/plain", text), ("text/html", html))
        )
        body += f"--{inner}--\r\n".encode()
        inner_type = f'Content-Type: multipart/alternative; boundary="{inner}"'
        if self.chance.random() >= WITH_ATTACHMENT:
            return inner_type, body
        self.with_attachment += 1
        outer = f"----=_mix_{self.chance.getrandbits(64):x}"
        body = f"--{outer}\r\n{inner_type}\r\n\r\n".encode() + body + self._attachment_part(outer, number)
        return f'Content-Type: multipart/mixed; boundary="{outer}"', body + f"--{outer}--\r\n".encode()

    def _text_part(self, boundary: str, content_type: str, content: str, charset: str) -> bytes:
        charset, encoding, octets = self._transfer_encoded(content, charset)
        head = f"--{boundary}\r\nContent-Type: {content_type}; charset={charset}\r\n"
        return (head + f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode() + octets + b"\r\n"

    def _transfer_encoded(self, text: str, charset: str) -> tuple[str, str, bytes]:
        """(charset, Content-Transfer-Encoding, octets): UTF-8 where the charset lacks a letter."""
        try:
            octets = text.encode(charset)
        except UnicodeEncodeError:
            charset, octets = "utf-8", text.encode()
        lines = octets.replace(b"\r\n", b"\n").split(b"\n")
        fits = max(map(len, lines)) < _LONGEST_LINE
        if charset in ("us-ascii", "iso-2022-jp") and fits:
            return charset, "7bit", b"\r\n".join(lines)
        fate = self.chance.random()
        if fate >= 0.55 and (fate < 0.9 or charset == "shift_jis"):
            return charset, "base64", _base64(b"\r\n".join(lines))
        if fate >= 0.9 and fits:
            return charset, "8bit", b"\r\n".join(lines)
        quoted = binascii.b2a_qp(b"\n".join(lines), istext=True)
        return charset, "quoted-printable", quoted.replace(b"\n", b"\r\n")

    def _attachment_part(self, boundary: str, number: int) -> bytes:
        octets = int(50_000 * 10 ** self.chance.random())
        content_type, pattern = self.chance.choice(ATTACHMENTS)
        start = self.chance.randint(0, 1000)
        name = self._filename_parameter(pattern.format(number))
        head = (
            f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Disposition: attachment; {name}\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n"
        )
        return head.encode() + _base64(_BLOB[start : start + octets])

    def _filename_parameter(self, name: str) -> str:
        """The ways mail programs write a file name: plain, continued, RFC 2047 (wrong, yet usual), RFC 2231."""
        if name.isascii():
            return f'filename="{name}"' if len(name) < 60 else f'filename*0="{name[:40]}";\r\n filename*1="{name[40:]}"'
        if self.chance.random() < 0.3:
            return f'filename="{Header(name, "utf-8", maxlinelen=400).encode()}"'
        return f"filename*=utf-8''{quote(name)}"


def _weighted(chance: random.Random, choices: Sequence[tuple[str, int]]) -> str:
    return chance.choices([name for name, _ in choices], [weight for _, weight in choices])[0]


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _address(person: Person) -> str:
    if person.name.isascii():
        return formataddr((person.name, person.address))
    return f"{Header(person.name, 'utf-8', maxlinelen=60).encode(linesep=_CRLF)} <{person.address}>"


def _encoded_subject(subject: str, charset: str) -> str:
    if subject.isascii():
        return subject
    try:
        subject.encode(charset)
    except UnicodeEncodeError:
        charset = "utf-8"
    return Header(subject, charset, maxlinelen=75, header_name="Subject").encode(linesep=_CRLF)
