"""The words of the benchmark corpus: five languages with their charsets, first and last names, file names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """`share` is its weight among new threads, `charsets` the weights of its encodings."""

    code: str
    share: int
    charsets: tuple[tuple[str, int], ...]
    words: tuple[str, ...]


_EN = (
    "the of and to in is that for it with as on be at by this have from or one had not but what all were when we "
    "there can an your which their said if do will each about how up out them then she many some so these would "
    "other into has more her two like him see time could no make than first been its who now people my made over "
    "did down only way find use may water long little very after words called just where most know get through "
    "back much before go good new write our used me man too any day same right look think also around another "
    "came come work three word must because does part even place well such here take why things help put years "
    "different away again off went old number great tell men say small every found still between name should home "
    "big give air line set own under read last never us left end along while might next sound below saw something "
    "thought both few those always looked show large often together asked house world going want school important "
    "until form food keep children feet land side without boy once animals life enough took sometimes four head "
    "above kind began almost live page got earth need far hand high year mother light parts country father let "
    "night following picture being study second eyes soon times story boys since white days ever paper hard near "
    "sentence better best across during today others however sure means knew try told young miles sun ways thing "
    "whole hear example heard several change answer room sea against top turned learn point city play toward five "
    "using himself usually contract invoice proposal quarterly renewal pipeline meeting pricing discount "
    "onboarding schedule deadline shipment purchase order customer support ticket"
)
_DE = (
    "und der die das nicht mit für auf eine wir Sie über möchten können Angebot Rechnung Grüße Lieferung Vertrag "
    "Änderung Größe später früh schön Übersicht Gespräch Straße bitte danke gerne morgen heute Woche Preis Kunde"
)
_FR = (
    "le la les des une nous vous être avec pour très déjà réunion facture échéance société à été où même après "
    "demain semaine cliente règlement équipe français"
)
_RU = (
    "и в не на я быть он с что а по это она этот к но они мы весь который из у который то за свой встреча договор "
    "счёт цена предложение клиент завтра неделя спасибо"
)
_JA = (
    "会議 契約 請求書 お世話になっております 株式会社"
    " よろしくお願いいたします 明日 来週 価格 提案 顧客 ありがとうございます です ます について"
)

LANGUAGES = (
    Language(
        "en",
        70,
        (("utf-8", 60), ("us-ascii", 20), ("windows-1252", 10), ("iso-8859-1", 10)),
        tuple(_EN.split()),
    ),
    Language("de", 12, (("utf-8", 60), ("iso-8859-1", 25), ("windows-1252", 15)), tuple(_DE.split())),
    Language("fr", 8, (("utf-8", 60), ("iso-8859-15", 20), ("windows-1252", 20)), tuple(_FR.split())),
    Language("ru", 5, (("utf-8", 50), ("koi8-r", 30), ("windows-1251", 20)), tuple(_RU.split())),
    Language("ja", 5, (("utf-8", 50), ("iso-2022-jp", 35), ("shift_jis", 15)), tuple(_JA.split())),
)

FIRST_NAMES = (
    *("Anna", "Björn", "Chloé", "David", "Élodie", "François", "Grace", "Hélène", "Иван", "Jürgen", "Kaoru", "田中"),
    *("Łukasz", "María", "Noah", "Ólafur", "Peter", "Søren", "Tom", "Zoë"),
)
LAST_NAMES = (
    *("Müller", "Smith", "Иванов", "O'Brien", "Nuñez", "太郎", "Kowalski", "Dubois", "García", "Åberg"),
    *("Jones, Jr.", "Lee"),  # a comma must be quoted in a header
)
COMPANIES = ("acme", "globex", "initech", "umbrella", "hooli")

# Content type, and the file name with the message's number.
ATTACHMENTS = (
    ("application/pdf", "Angebot Nr. {} über Größen.pdf"),
    ("application/pdf", "invoice-{}.pdf"),
    ("image/jpeg", "IMG_{}.jpg"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "отчёт {}.xlsx"),
    (
        "application/zip",
        "a very long file name that some client splits into RFC 2231 continuations number {} final version.zip",
    ),
)


def wrapped(paragraph: str, width: int = 76) -> str:
    """The words of a paragraph in lines of that width."""
    lines = [""]
    for word in paragraph.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\n".join(lines)
