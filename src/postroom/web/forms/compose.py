"""What is written to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import nh3
from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.html import linebreaks
from django_prose_editor.widgets import ProseEditorWidget

from postroom.web.forms.fields import LineField, RecipientsField, WordedForm
from postroom.workspaces.ids import new_id

MOST_ATTACHMENT_OCTETS = 25 * 1024 * 1024  # what the large providers take
TAGS = frozenset(("p", "br", "strong", "b", "em", "i", "ul", "ol", "li", "blockquote", "a"))
EDITOR = {
    "extensions": {
        "Bold": True,
        "Italic": True,
        "BulletList": True,
        "OrderedList": True,
        "ListItem": True,
        "Blockquote": True,
        "Link": True,
        "HardBreak": True,
        "History": True,
    }
}


class _SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files. The clean value is a list of UploadedFile."""

    widget = _SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        files = [super(FilesField, self).clean(one, initial) for one in data or []]
        if sum(file.size or 0 for file in files) > MOST_ATTACHMENT_OCTETS:
            raise forms.ValidationError(
                f"The files are larger than {MOST_ATTACHMENT_OCTETS // 2**20} MB together. Send a link."
            )
        return files


@dataclass(frozen=True, slots=True)
class Whence:
    """Where a message leaves from, as the field From says it: a mailbox, and the address if it is not its own."""

    mailbox_id: UUID | None = None
    address: str = ""

    def __str__(self) -> str:
        return f"{self.mailbox_id or ''}{' ' if self.address else ''}{self.address}"


class WhenceField(forms.CharField):
    """The clean value is a Whence; empty for none."""

    def clean(self, value: Any) -> Whence:
        mailbox_id, _, address = str(value or "").strip().partition(" ")
        try:
            return Whence(UUID(mailbox_id) if mailbox_id else None, address.strip())
        except ValueError:
            raise forms.ValidationError("Choose the address that it leaves from.") from None


class ComposeForm(WordedForm):
    """`key` belongs to one opened composer: sent twice, it makes one message.

    `kept` are the files of a message that is written again, by position: (position, name) in `files`.
    """

    key = forms.UUIDField(widget=forms.HiddenInput)
    mailbox = WhenceField(required=False, max_length=400)
    to = RecipientsField(label="To")
    cc = RecipientsField(label="Cc", required=False)
    bcc = RecipientsField(label="Bcc", required=False)
    subject = LineField(label="Subject", max_length=900, required=False)
    body = forms.CharField(
        label="Message",
        required=False,
        max_length=2_000_000,
        widget=ProseEditorWidget(config=EDITOR, preset="configurable"),
    )
    kept = forms.MultipleChoiceField(label="Keep", required=False, widget=forms.CheckboxSelectMultiple)
    attachments = FilesField(label="Attach files", required=False)

    def __init__(self, *args: Any, files: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if files:
            self.fields["kept"].choices = files  # type: ignore[attr-defined]
        else:
            del self.fields["kept"]

    def clean_body(self) -> str:
        """HTML as the editor makes it. What is pasted brings more, and without script the field holds plain text."""
        typed = self.cleaned_data["body"].replace("\0", "")
        return clean_html(typed) if "<" in typed else html_of_text(typed)

    @classmethod
    def new(cls, *, files: Sequence[tuple[str, str]] = (), **initial: Any) -> ComposeForm:
        kept = [position for position, _ in files]
        return cls(files=files, initial={"key": new_id(), "kept": kept, **initial})


def clean_html(html: str) -> str:
    """What the editor can write, and nothing else of the HTML."""
    return nh3.clean(html, tags=set(TAGS), attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto", "tel"})


def html_of_text(text: str) -> str:
    """Plain text as paragraphs; "" for blanks."""
    return linebreaks(text, autoescape=True) if text.strip() else ""
