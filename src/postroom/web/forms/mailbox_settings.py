"""The settings of a connected mailbox, its owner, the defaults it is; and what becomes of a member's things."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.http import QueryDict
from django_prose_editor.widgets import ProseEditorWidget

from postroom.mailboxes.access import sendable_mailboxes
from postroom.mailboxes.models import Keep, Kind, Mailbox, MailboxMember, Sharing, Usage
from postroom.mailboxes.settings import LONGEST_SIGNATURE, Access, Change, colleagues, own_identity
from postroom.outbox.offboarding import Leaving, Plan, heirs
from postroom.web.forms.compose import EDITOR, html_of_text
from postroom.web.forms.fields import AddressField, LineField, RowField, WordedForm
from postroom.web.forms.mailboxes import SHARING_WORDS
from postroom.workspaces.members import Member
from postroom.workspaces.models import Membership

DOES: Final = {"both": (True, True), "reads": (True, False), "sends": (False, True)}
_ACCESS: Final = "access_"


class MailboxSettingsForm(WordedForm):
    """Starts with what is stored. A shared mailbox has a field `access_<id>` for each member but its owner."""

    field_order = ("usage", "does", "keep", "sharing", "who", "display_name", "reply_to", "signature")  # the page's
    display_name = LineField(label="Name people see", required=False)
    reply_to = AddressField(
        label="Answers go to", required=False, help_text="Empty: to the mailbox itself, as nearly always."
    )
    signature = forms.CharField(
        label="Signature",
        required=False,
        max_length=LONGEST_SIGNATURE,
        widget=ProseEditorWidget(config=EDITOR, preset="configurable"),
        help_text="Every new message from this mailbox begins with it, and who writes may change it.",
    )
    usage = forms.ChoiceField(label="Used for", choices=[(value, value.title()) for value in Usage.values])
    does = forms.ChoiceField(
        label="What it does",
        choices=[("both", "Reads and sends"), ("reads", "Only reads"), ("sends", "Only sends")],
        help_text="What it does not read stays on the server. Messages that wait to be sent still leave.",
    )
    keep = forms.ChoiceField(
        label="Keep",
        choices=[(Keep.EVERYTHING, "Everything"), (Keep.RECORDS, "Mail with a record on it")],
        help_text="For mail that arrives from now on. What is here stays.",
    )
    sharing = forms.ChoiceField(
        label="Colleagues see of it",
        choices=[(value, SHARING_WORDS.get(value, value.title())) for value in Sharing.values],
    )
    who = forms.ChoiceField(
        label="Members who read and send",
        choices=[("everybody", "Everybody in the workspace"), ("named", "Only these members")],
    )

    def __init__(self, mailbox: Mailbox, typed: QueryDict | None = None) -> None:
        own = own_identity(mailbox)
        named = dict(MailboxMember.objects.filter(mailbox=mailbox).values_list("user_id", "can_send"))
        does = next(word for word, pair in DOES.items() if pair == (mailbox.reads, mailbox.sends))
        stored = {"display_name": mailbox.display_name, "reply_to": own.reply_to, "signature": own.signature}
        stored |= {"usage": mailbox.usage, "does": does, "keep": mailbox.keep, "sharing": mailbox.sharing}
        super().__init__(typed, initial=stored | {"who": "named" if named else "everybody"})
        self._owner_id: UUID = mailbox.owner_id
        self.people: list[Membership] = []
        if mailbox.kind == Kind.PERSONAL:
            del self.fields["who"]
            return
        del self.fields["sharing"]
        self.people = [one for one in colleagues(mailbox) if one.user_id != mailbox.owner_id]
        for one in self.people:
            can_send = named.get(one.user_id)
            self.fields[f"{_ACCESS}{one.user_id}"] = forms.ChoiceField(
                label=str(one.user),
                choices=[("none", "No"), ("reads", "Reads"), ("sends", "Reads and sends")],
                initial="none" if can_send is None else "sends" if can_send else "reads",
                required=False,
            )

    @property
    def access_fields(self) -> list[Any]:
        """The fields of the members who may be named, in the order of their names."""
        return [self[f"{_ACCESS}{one.user_id}"] for one in self.people]

    def change(self) -> Change:
        """What was typed. Only after is_valid()."""
        typed = self.cleaned_data
        reads, sends = DOES[typed["does"]]
        signature = typed["signature"]
        return Change(
            display_name=typed["display_name"],
            usage=typed["usage"],
            keep=typed["keep"],
            sharing=typed.get("sharing"),
            reads=reads,
            sends=sends,
            reply_to=typed["reply_to"],
            signature=signature if "<" in signature else html_of_text(signature),
            access=self._access(),
        )

    def _access(self) -> tuple[Access, ...] | None:
        typed = self.cleaned_data
        if "who" not in typed:
            return None
        if typed["who"] == "everybody":
            return ()
        chosen = {one.user_id: typed[f"{_ACCESS}{one.user_id}"] for one in self.people}
        named = tuple(
            Access(user_id, what == "sends") for user_id, what in chosen.items() if what in ("reads", "sends")
        )
        return named or (Access(self._owner_id),)  # no rows at all would be everybody

    def refuse(self, field: str, words: str) -> None:
        """Put a refusal of mailboxes/settings.py beside the field that it is about."""
        at = {"reads": "does", "access": "who"}.get(field, field)
        self.add_error(at if at in self.fields else None, words)


class _MemberField(RowField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.user} ({obj.user.email})" if obj.user.name else str(obj.user)


def _members(people: list[Membership]) -> Any:
    ids = [one.pk for one in people]
    return Membership.objects.filter(pk__in=ids).select_related("user", "workspace").order_by("user__name")


class OwnerForm(WordedForm):
    owner = _MemberField(label="New owner", queryset=Membership.objects.none(), empty_label="Choose a member")

    def __init__(self, mailbox: Mailbox, typed: QueryDict | None = None) -> None:
        super().__init__(typed)
        people = [one for one in colleagues(mailbox) if one.user_id != mailbox.owner_id]
        self.fields["owner"].queryset = _members(people)  # type: ignore[attr-defined]


class LeavingForm(WordedForm):
    """Who goes on with what a member has. Each mailbox has a field `mailbox_<id>`: hand over, or disconnect."""

    heir = _MemberField(
        label="Who goes on with it",
        queryset=Membership.objects.none(),
        required=False,
        empty_label="Choose a member",
    )
    queued = forms.ChoiceField(
        label="Messages that wait to leave",
        choices=[("heir", "Leave as planned"), ("cancel", "Do not leave")],
        initial="heir",
        required=False,
    )
    default = RowField(
        label="New default instead",
        queryset=Mailbox.objects.none(),
        required=False,
        empty_label="None in particular",
        help_text="For everybody whose default is a mailbox that is disconnected here.",
    )

    def __init__(self, by: Member, leaving: Leaving, typed: QueryDict | None = None) -> None:
        super().__init__(typed)
        self.leaving = leaving
        self.fields["heir"].queryset = _members(heirs(leaving.membership))  # type: ignore[attr-defined]
        own = [one.mailbox.pk for one in leaving.mailboxes]
        shared = sendable_mailboxes(by).filter(kind=Kind.SHARED)
        self.fields["default"].queryset = shared.exclude(pk__in=own)  # type: ignore[attr-defined]
        self.fields["default"].label_from_instance = lambda mailbox: mailbox.address  # type: ignore[attr-defined]
        for one in leaving.mailboxes:
            is_personal = one.mailbox.kind == Kind.PERSONAL
            self.fields[f"mailbox_{one.mailbox.pk}"] = forms.ChoiceField(
                label=one.mailbox.address,
                choices=[("hand_over", "Hand it over"), ("disconnect", "Disconnect it")],
                # What is personal is nobody else's before somebody says so.
                initial="disconnect" if is_personal else "hand_over",
            )
        if not leaving.queued:
            del self.fields["queued"]
        if not leaving.mailboxes:
            del self.fields["default"]

    @property
    def mailbox_rows(self) -> list[tuple[Any, Any]]:
        """Each mailbox of the member, with its field."""
        return [(one, self[f"mailbox_{one.mailbox.pk}"]) for one in self.leaving.mailboxes]

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        keeps = any(typed.get(f"mailbox_{one.mailbox.pk}") == "hand_over" for one in self.leaving.mailboxes)
        if (keeps or (self.leaving.queued and typed.get("queued") != "cancel")) and not typed.get("heir"):
            self.add_error("heir", "Choose who goes on with it.")
        return typed

    def plan(self) -> Plan:
        """Only after is_valid()."""
        typed = self.cleaned_data
        heir = typed.get("heir")
        own = (one.mailbox.pk for one in self.leaving.mailboxes)
        default = typed.get("default")
        return Plan(
            heir=Member(heir.workspace, heir.user, heir) if heir else None,
            disconnect=frozenset(pk for pk in own if typed[f"mailbox_{pk}"] == "disconnect"),
            cancels_queued=typed.get("queued") == "cancel",
            default_id=default.pk if default else None,
        )
