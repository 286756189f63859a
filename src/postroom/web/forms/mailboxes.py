"""Connecting a mailbox by IMAP and SMTP, and what is changed afterwards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from postroom.mailboxes.access import sendable_mailboxes
from postroom.mailboxes.connect import MAX_BACKFILL_DAYS, ConnectRequest
from postroom.mailboxes.credentials import load_credentials
from postroom.mailboxes.models import Folder, Grant, Keep, Kind, Mailbox, Sharing, Usage
from postroom.mailboxes.questions import Question
from postroom.mailboxes.sealing import Unsealable
from postroom.providers.discovery.found import Found
from postroom.web.discovery_words import SECRET_HINTS, SECRETS
from postroom.web.forms.fields import AddressField, LineField, RowField, RowsField, WordedForm
from postroom.workspaces.members import Member

PROVIDER = "imap"  # what this form connects
SECURITY = [("tls", "TLS from the start"), ("starttls", "STARTTLS"), ("none", "None (not encrypted)")]
KEPT = ("address", "display_name", "kind", "usage", "keep", "sharing", "backfill_days")
NOT_SECRET = ("host", "port", "security", "username")
SHARING_WORDS = {
    "nothing": "Nothing",
    "metadata": "Who wrote when, no subject",
    "subject": "Subjects, no text",
    "everything": "Everything that is on a record",
}


def _password(label: str, **kwargs: Any) -> forms.CharField:
    # The value goes back into the page only when the page itself was sent without script and the check failed.
    widget = forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False)
    return forms.CharField(label=label, widget=widget, strip=False, max_length=1000, **kwargs)


def _host(label: str, **kwargs: Any) -> LineField:
    attrs = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    return LineField(label=label, max_length=253, widget=forms.TextInput(attrs=attrs), **kwargs)


class WhoseForm(WordedForm):
    """Whose mailbox it is, and what of its mail comes here: asked in every way of connecting."""

    display_name = LineField(label="Name people see", required=False)
    kind = forms.ChoiceField(
        label="Kind", choices=[(Kind.SHARED, "Shared"), (Kind.PERSONAL, "Personal")], initial="shared"
    )
    usage = forms.ChoiceField(
        label="Used for", choices=[(value, value.title()) for value in Usage.values], initial="general"
    )
    keep = forms.ChoiceField(
        label="Keep",
        required=False,
        choices=[
            ("", "As usual for its kind"),
            (Keep.EVERYTHING, "Everything"),
            (Keep.RECORDS, "Mail with a record on it"),
        ],
    )
    sharing = forms.ChoiceField(
        label="Colleagues see of it",
        required=False,
        initial=Sharing.NOTHING,  # as by the API: nobody's mail is shown before he says so
        choices=[(value, SHARING_WORDS.get(value, value.title())) for value in Sharing.values],
    )
    backfill_days = forms.IntegerField(
        label="Import the last",
        min_value=1,
        max_value=MAX_BACKFILL_DAYS,
        initial=30,
        help_text="More can be added later.",
    )
    awaits_start = forms.BooleanField(
        label="Show me first what would come",
        required=False,
        initial=True,
        help_text="Counts the mail and says who would see it. Nothing is stored before you say yes.",
    )

    def whose(self) -> dict[str, Any]:
        """These fields as a ConnectRequest takes them. Only after is_valid()."""
        typed = self.cleaned_data
        names = ("display_name", "kind", "usage", "keep", "backfill_days", "awaits_start")
        chosen = {name: typed[name] for name in names}
        return chosen | {"sharing": typed["sharing"] if typed["kind"] == Kind.PERSONAL else ""}


class AddressForm(WordedForm):
    """All that is asked at first."""

    address = AddressField(label="Which address?")


class ConnectForm(WhoseForm):
    """`secret` is the kind of password that the servers want, as discovery found it: it changes words only.

    `accepted` are the codes of warnings, separated by blanks, that were read and are no reason to stop.
    """

    address = AddressField(label="Which address?")
    secret = forms.ChoiceField(
        required=False, choices=[(kind, kind) for kind in SECRETS], initial="password", widget=forms.HiddenInput
    )
    accepted = LineField(required=False, max_length=1000)

    imap_host = _host("Server")
    imap_port = forms.IntegerField(label="Port", min_value=1, max_value=65535, initial=993)
    imap_security = forms.ChoiceField(label="Encryption", choices=SECURITY)
    imap_username = LineField(label="User name", max_length=320)
    imap_password = _password("Password")

    smtp_host = _host("Server")
    smtp_port = forms.IntegerField(label="Port", min_value=1, max_value=65535, initial=465)
    smtp_security = forms.ChoiceField(label="Encryption", choices=SECURITY)
    same_login = forms.BooleanField(label="Same user name and password", required=False, initial=True)
    smtp_username = LineField(label="User name for sending", max_length=320, required=False)
    smtp_password = _password("Password", required=False, help_text="Empty: the same as for receiving.")

    def __init__(self, typed: QueryDict | None = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(typed, initial=initial)
        kind = self["secret"].value()
        words = SECRETS.get(kind, SECRETS["password"])
        self.fields["imap_password"].label, self.fields["smtp_password"].label = words, f"{words} for sending"
        self.fields["imap_password"].help_text = SECRET_HINTS.get(kind, "")

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        for server in ("imap", "smtp"):
            host = typed.get(f"{server}_host", "")
            if any(letter.isspace() or letter in "/@:" for letter in host) and not host.startswith("["):
                self.add_error(
                    f"{server}_host", "A server's name has no blanks, slashes or port: imap.company.example."
                )
            if "\0" in typed.get(f"{server}_password", ""):
                self.add_error(f"{server}_password", "A password cannot hold a NUL character.")
        if not typed.get("same_login") and not typed.get("smtp_username"):
            self.add_error("smtp_username", "Type it, or choose the same as for receiving.")
        return typed

    @property
    def read_warnings(self) -> frozenset[str]:
        """The warnings that are no reason to stop. Only after is_valid()."""
        return frozenset(self.cleaned_data["accepted"].split())

    def request(self) -> ConnectRequest:
        """What was typed, as the connection check takes it. Only after is_valid()."""
        typed = self.cleaned_data
        login = "imap" if typed["same_login"] else "smtp"
        return ConnectRequest(
            provider=PROVIDER,
            address=typed["address"],
            **self.whose(),
            secrets={"imap": self._server("imap", "imap"), "smtp": self._server("smtp", login)},
        )

    def _server(self, server: str, login: str) -> dict[str, Any]:
        typed = self.cleaned_data
        return {
            "host": typed[f"{server}_host"],
            "port": typed[f"{server}_port"],
            "security": typed[f"{server}_security"],
            "username": typed[f"{login}_username"],
            "password": typed[f"{login}_password"] or typed["imap_password"],
        }


def known_settings(mailbox: Mailbox) -> dict[str, Any]:
    """What the form of a connected mailbox starts with: everything but its passwords."""
    known = {name: getattr(mailbox, name) for name in KEPT}
    try:
        secrets = load_credentials(mailbox).secrets
    except (Unsealable, Grant.DoesNotExist):
        return known
    for server in ("imap", "smtp"):
        of_server = secrets.get(server, {})
        known |= {f"{server}_{name}": of_server[name] for name in NOT_SECRET if name in of_server}
    known["same_login"] = known.get("imap_username") == known.get("smtp_username")
    return known


def found_settings(address: str, found: Found | None) -> dict[str, Any]:
    """What the form starts with after discovery; a server that was not found stays empty."""
    settings: dict[str, Any] = {"address": address, "imap_username": address}
    if found is None:
        return settings
    settings["secret"] = found.secret
    for name, server in (("imap", found.imap), ("smtp", found.smtp)):
        if server is None:
            continue
        settings |= {f"{name}_{part}": getattr(server, part) for part in ("host", "port", "security")}
        settings[f"{name}_username"] = server.usernames[0] if server.usernames else address
    user = settings["imap_username"]
    settings["same_login"] = settings.setdefault("smtp_username", user) == user
    return settings


class UsualMailboxForm(WordedForm):
    """The mailbox a member usually writes from; none leaves it to the other rules."""

    mailbox = RowField(
        label="I usually write from",
        queryset=Mailbox.objects.none(),
        required=False,
        empty_label="No mailbox in particular",
        help_text="A new message starts with it. An answer leaves from where the conversation came to.",
    )

    def __init__(self, member: Member, typed: QueryDict | None = None) -> None:
        super().__init__(typed, initial={"mailbox": member.membership.default_mailbox_id})
        self.fields["mailbox"].queryset = sendable_mailboxes(member)  # type: ignore[attr-defined]
        self.fields["mailbox"].label_from_instance = lambda mailbox: mailbox.address  # type: ignore[attr-defined]


class HistoryForm(WordedForm):
    days = forms.IntegerField(label="Import the last", min_value=1, max_value=MAX_BACKFILL_DAYS)


class DisconnectForm(WordedForm):
    keep = forms.ChoiceField(choices=[("history", "Keep the history"), ("nothing", "Remove its mail")])


class FolderForm(WordedForm):
    """Which folders are read: `shown` are those the page had, `chosen` those that are ticked."""

    shown = RowsField(queryset=Folder.objects.none())
    chosen = RowsField(queryset=Folder.objects.none(), required=False)

    def __init__(self, mailbox: Mailbox, typed: QueryDict) -> None:
        super().__init__(typed)
        for name in ("shown", "chosen"):
            self.fields[name].queryset = Folder.objects.filter(mailbox=mailbox)  # type: ignore[attr-defined]

    @property
    def wanted(self) -> dict[UUID, bool]:
        """Each folder of the page: whether it is to be read. Only after is_valid()."""
        chosen = {folder.pk for folder in self.cleaned_data["chosen"]}
        return {folder.pk: folder.pk in chosen for folder in self.cleaned_data["shown"]}


class AnswerForm(WordedForm):
    """One of the answers that a folder's question offers."""

    answer = forms.ChoiceField(error_messages={"required": "Choose one of the answers."})

    def __init__(self, question: Question, typed: QueryDict | None = None) -> None:
        super().__init__(typed)
        self.fields["answer"].choices = [(choice.answer, choice.title) for choice in question.choices]  # type: ignore[attr-defined]
