"""What is written to be sent."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django_prose_editor.widgets import ProseEditorWidget

from postroom.web.forms.fields import LineField, RecipientsField

MOST_ATTACHMENT_OCTETS = 25 * 1024 * 1024  # what the large providers take
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
    """Any number of files. The clean value is list[UploadedFile]."""

    widget = _SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:  # type: ignore[override]
        files = [super(FilesField, self).clean(one, initial) for one in data or []]
        if sum(file.size or 0 for file in files) > MOST_ATTACHMENT_OCTETS:
            raise forms.ValidationError(f"The files are larger than {MOST_ATTACHMENT_OCTETS // 2**20} MB together. Send a link.")
        return files


class ComposeForm(forms.Form):
    """`key` belongs to one opened composer: sent twice, it makes one message."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    mailbox = forms.UUIDField(required=False)
    to = RecipientsField(label="To")
    cc = RecipientsField(label="Cc", required=False)
    bcc = RecipientsField(label="Bcc", required=False)
    subject = LineField(label="Subject", max_length=900, required=False)
    body = forms.CharField(
        label="Message", required=False, max_length=2_000_000, widget=ProseEditorWidget(config=EDITOR, preset="configurable")
    )
    files = FilesField(label="Attach files", required=False)

    @classmethod
    def new(cls, **initial: Any) -> ComposeForm:
        return cls(initial={"key": uuid.uuid4(), **initial})
