"""Folder roles by name, for servers without SPECIAL-USE (Exchange, Courier, many hosters).

Names as mail programs create them in their users' languages; compared in lower case, by the last level only.
SPECIAL-USE (RFC 6154) and the attributes of XLIST always win.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from postroom.providers.base import RemoteFolder, Role
from postroom.providers.imap.commands import decode_folder_name
from postroom.providers.imap.responses import Folder
from postroom.providers.imap.tokens import Value, text_of

LONGEST_NAME = 600  # letters of a whole path, each of up to four octets
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_BY_ATTRIBUTE: dict[str, Role] = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\junk": "junk",
    "\\spam": "junk",  # XLIST
    "\\trash": "trash",
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",  # XLIST
    "\\inbox": "inbox",  # XLIST
}

_NAMES: dict[Role, str] = {
    "sent": """Sent; Sent Items; Sent Messages; Sent Mail; Gesendet; Gesendete Elemente; Gesendete Objekte; Gesendete
        Nachrichten; Envoyés; Éléments envoyés; Messages envoyés; Enviados; Elementos enviados; Mensajes enviados;
        Itens Enviados; Posta inviata; Inviati; Elementi inviati; Verzonden; Verzonden items; Verzonden objecten;
        Wysłane; Elementy wysłane; Skickat; Skickade objekt; Sendt; Sendte elementer; Sendt post; Lähetetyt;
        Odeslané; Odeslaná pošta; Odoslané; Elküldött; Elküldött elemek; Trimise; Poslano; Отправленные; Надіслані;
        Изпратени; Απεσταλμένα; Gönderilmiş Öğeler; Gönderilenler; 送信済み; 送信済みアイテム; 已发送; 已发送邮件; 寄件備份; 보낸 편지함; 보낸편지함;
        פריטים שנשלחו; العناصر المرسلة""",
    "drafts": """Drafts; Draft; Entwürfe; Entwurf; Brouillons; Borradores; Rascunhos; Bozze; Concepten; Wersje robocze;
        Szkice; Utkast; Kladder; Luonnokset; Koncepty; Rozepsané; Piszkozatok; Ciorne; Nacrti; Черновики; Чернетки;
        Чернови; Πρόχειρα; Taslaklar; 下書き; 草稿; 草稿箱; 임시 보관함; 임시보관함; טיוטות; المسودات""",
    "junk": """Junk; Junk E-mail; Junk Email; Junk Mail; Spam; Bulk Mail; Bulk; Spamverdacht; Unerwünscht; Junk-E-Mail;
        Courrier indésirable; Indésirables; Correo no deseado; No deseado; Lixo Eletrônico; Lixo Eletrónico; Posta
        indesiderata; Ongewenste e-mail; Ongewenst; Wiadomości-śmieci; Niechciane; Skräppost; Søppelpost; Uønsket
        e-mail; Roskaposti; Nevyžádaná pošta; Levélszemét; Нежелательная почта; Спам; Önemsiz E-posta; 迷惑メール; 垃圾邮件;
        垃圾郵件; 정크 메일; 스팸""",
    "trash": """Trash; Deleted; Deleted Items; Deleted Messages; Bin; Papierkorb; Gelöscht; Gelöschte Elemente; Gelöschte
        Objekte; Corbeille; Éléments supprimés; Papelera; Elementos eliminados; Lixeira; Lixo; Itens Excluídos;
        Cestino; Posta eliminata; Elementi eliminati; Prullenbak; Verwijderde items; Kosz; Elementy usunięte;
        Papperskorg; Borttagna objekt; Papirkurv; Slettet post; Slettede elementer; Roskakori; Poistetut; Koš;
        Odstraněná pošta; Kuka; Törölt elemek; Удаленные; Удалённые; Корзина; Кошик; Silinmiş Öğeler; ごみ箱; 削除済みアイテム;
        已删除; 已删除邮件; 刪除的郵件; 지운 편지함; 휴지통""",
    "archive": """Archive; Archives; Archiv; Archivo; Arquivo; Arquivo Morto; Archivio; Archief; Archiwum; Arkiv; Arkisto;
        Archív; Архив; Архів; Arşiv; アーカイブ; 存档; 封存; 보관함""",
    "all": """All Mail; Alle Nachrichten; Tous les messages; Todos""",
}
_BY_NAME = {
    unicodedata.normalize("NFC", name.strip()).lower(): role
    for role, names in _NAMES.items()
    for name in names.replace("\n", " ").split(";")
}


_UNREADABLE = frozenset(("\\noselect", "\\nonexistent"))


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where the own folders begin and where other people's and shared ones do (RFC 2342): (prefix, delimiter) pairs."""

    personal: tuple[tuple[str, str], ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, values: Sequence[Value]) -> Namespaces:
        """From the values of a NAMESPACE response: personal, other users', shared."""
        personal, *foreign = [tuple(_prefixes(value)) for value in values[:3]] or [()]
        return cls(personal, tuple(pair for pairs in foreign for pair in pairs))

    def is_own(self, name: str) -> bool:
        """Whether a folder belongs to the mailbox itself: the longest prefix that fits decides."""
        own = max((len(prefix) for prefix, _ in self.personal if name.startswith(prefix)), default=-1)
        others = (
            len(prefix)
            for prefix, delimiter in self.foreign
            if prefix and (name.startswith(prefix) or name + delimiter == prefix)
        )
        return max(others, default=-1) <= own

    def shown(self, name: str) -> str:
        """The name without the prefix that all own folders have, as "INBOX." at Courier."""
        for prefix, _ in self.personal:
            if prefix and name.startswith(prefix) and name != prefix:
                return name.removeprefix(prefix)
        return name


def canonical(name: str) -> str:
    """ "INBOX" in any letters is the same folder (RFC 3501 section 5.1)."""
    return "INBOX" if name.upper() == "INBOX" else name


def can_be_kept(name: str) -> bool:
    """Whether a row can hold the name and a command can say it: without controls and octets that are no UTF-8, and
    short enough for an index of PostgreSQL (2,704 octets)."""
    return len(name) <= LONGEST_NAME and not _UNFIT.search(name)


def distinct(listed: Iterable[Folder], namespaces: Namespaces) -> list[Folder]:
    """The own folders of a LIST answer, each once; other people's only where there is nothing else.

    Zoho and bridges list a folder twice, XLIST and LIST (SPECIAL-USE) tell the same folder with other attributes.
    """
    folders: dict[str, Folder] = {}
    for folder in listed:
        name = canonical(folder.name)
        known = folders.get(name)
        attributes = folder.attributes
        if known is not None:
            everywhere = known.attributes & folder.attributes
            attributes = ((known.attributes | folder.attributes) - _UNREADABLE) | (everywhere & _UNREADABLE)
        folders[name] = Folder(attributes, folder.delimiter, name)
    own = [folder for folder in folders.values() if namespaces.is_own(folder.name)]
    return own if any(is_selectable(folder) for folder in own) else list(folders.values())


def is_selectable(folder: Folder) -> bool:
    return not folder.attributes & _UNREADABLE


def has_role(folder: Folder) -> bool:
    """Whether the server itself says what the folder is for."""
    return any(attribute in _BY_ATTRIBUTE for attribute in folder.attributes)


def as_remote_folders(
    listed: Sequence[Folder],
    namespaces: Namespaces | None = None,
    identities: Mapping[str, str] | None = None,
) -> list[RemoteFolder]:
    """The folders of `distinct`, with at most one folder for a role."""
    roles = _roles({folder.name: folder for folder in listed})
    namespaces = namespaces or Namespaces()
    return [
        RemoteFolder(
            remote_name=folder.name,
            name=_UNFIT.sub("\N{REPLACEMENT CHARACTER}", decode_folder_name(namespaces.shown(folder.name))),
            role=roles.get(folder.name, ""),
            is_selectable=is_selectable(folder),
            identity=(identities or {}).get(folder.name, ""),
        )
        for folder in listed
    ]


def _prefixes(value: Value) -> Iterable[tuple[str, str]]:
    for pair in value if isinstance(value, list) else []:
        if isinstance(pair, list) and len(pair) >= 2 and isinstance(pair[0], bytes):
            yield text_of(pair[0]), text_of(pair[1]) if isinstance(pair[1], bytes) else ""


def _roles(folders: dict[str, Folder]) -> dict[str, Role]:
    roles: dict[str, Role] = {"INBOX": "inbox"}
    for name, folder in folders.items():
        for attribute in sorted(folder.attributes):
            if (role := _BY_ATTRIBUTE.get(attribute)) and role not in roles.values():
                roles[name] = role
    # The shortest path first: "Sent" before "Archive/2019/Sent".
    for name in sorted(folders, key=len):
        if name in roles or not is_selectable(folders[name]):
            continue
        delimiter = folders[name].delimiter
        shown = decode_folder_name(name)
        last = shown.rsplit(delimiter, 1)[-1] if delimiter else shown
        by_name = _BY_NAME.get(unicodedata.normalize("NFC", last).lower())
        if by_name and by_name not in roles.values():
            roles[name] = by_name
    return roles
